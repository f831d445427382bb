//! What people have asked of a connection, until its loop takes it up. A channel would do, and take a kilobyte of each of ten
//! thousand connections that nobody asks for anything.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::progress::Press;
use super::{Progress, Report};
use crate::domain::{Mode, Order};

/// Where an order has come to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InLine {
    /// It comes next.
    First,
    /// Something else is done before it.
    Behind,
    /// The same has been asked for already: one rotation serves both.
    Joined,
    /// It is not taken up: too many wait already.
    Crowded,
}

/// So many wait for one connection at most: a loop that hangs must not fill the room that all connections share.
pub const MOST_ASKERS: usize = 32;

impl InLine {
    /// For whoever follows what is done.
    pub const fn says(self) -> Option<&'static str> {
        match self {
            Self::First | Self::Crowded => None,
            Self::Behind => Some("wait for what is under way"),
            Self::Joined => Some("join the rotation that was asked for before"),
        }
    }
}

/// An order, and where its outcome is awaited.
#[derive(Debug)]
struct Errand {
    order: Order,
    askers: Vec<oneshot::Sender<Report>>,
}

/// Those that wait, the oldest first, and the one that is carried out.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Errand>,
    under_way: Option<Errand>,
}

/// What one loop takes up, one after the other.
#[derive(Debug, Default)]
pub struct Errands {
    /// None where nobody asks for anything, as nearly always.
    line: Mutex<Option<Box<Line>>>,
    come: Notify,
    /// The mode of the policy: whoever names it asks for what he gets without naming any.
    own_mode: OnceLock<Mode>,
}

impl Errands {
    /// One more. Whoever asks twice for a rotation, out of impatience or since the first command was ended, wants one new
    /// token: the bound of four a day is soon spent. What is asked for last is done last, so nothing joins past another token.
    /// A compromised token comes first; once its rotation has begun nothing joins it: the one that is in wrong hands by then
    /// may be the new one.
    pub fn add(&self, order: Order) -> (InLine, oneshot::Receiver<Report>) {
        let (asker, receiver) = oneshot::channel();
        let mut line = self.line();
        let Line { waiting, under_way } = &mut **line.get_or_insert_default();
        let all = || waiting.iter().chain(under_way.iter()).flat_map(|errand| &errand.askers);
        if all().filter(|asker| !asker.is_closed()).count() >= MOST_ASKERS {
            return (InLine::Crowded, receiver);
        }
        let is_urgent = matches!(order, Order::Rotate { compromised: true, .. });
        let is_same = |errand: &Errand| self.meant(&errand.order) == self.meant(&order);
        let counts = |errand: &&mut Errand| if is_urgent { is_same(errand) } else { makes_a_token(&errand.order) };
        let newest = match waiting.iter_mut().rev().find(counts) {
            None => under_way.as_mut().filter(|_| !is_urgent),
            waiting => waiting,
        };
        if let Some(same) = newest.filter(|errand| makes_a_token(&order) && is_same(errand)) {
            same.askers.retain(|asker| !asker.is_closed());
            same.askers.push(asker);
            return (InLine::Joined, receiver);
        }
        let place = if waiting.is_empty() && under_way.is_none() { InLine::First } else { InLine::Behind };
        let errand = Errand { order, askers: vec![asker] };
        if is_urgent {
            waiting.push_front(errand)
        } else {
            waiting.push_back(errand)
        }
        self.come.notify_one();
        (place, receiver)
    }

    /// The mode in which rotations are made that name none.
    pub fn go_by(&self, mode: Mode) {
        self.own_mode.get_or_init(|| mode);
    }

    /// An order with the mode that it comes to.
    fn meant(&self, order: &Order) -> Order {
        match (order, self.own_mode.get()) {
            (Order::Rotate { mode: None, compromised: false }, Some(own)) => {
                Order::Rotate { mode: Some(*own), compromised: false }
            }
            (Order::Rotate { compromised: true, .. }, _) => Order::Rotate { mode: None, compromised: true },
            _ => order.clone(),
        }
    }

    /// The next one, once there is one. Nothing is lost where this is not waited for to its end.
    pub async fn next(&self) -> Order {
        loop {
            if let Some(order) = self.take() {
                return order;
            }
            self.come.notified().await;
        }
    }

    /// Does something while others may ask for more: a rotation that has not asked the issuer yet gives way to what presses.
    pub async fn beside<T>(&self, progress: &Progress, work: impl Future<Output = T>) -> T {
        progress.nobody_presses();
        let presses = async {
            loop {
                let by = self.line().iter().flat_map(|line| &line.waiting).find_map(|errand| presses(&errand.order));
                by.into_iter().for_each(|by| progress.press(by));
                self.come.notified().await;
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            never = presses => never,
        }
    }

    fn take(&self) -> Option<Order> {
        let mut line = self.line();
        let line = line.as_mut()?;
        let errand = line.waiting.pop_front()?;
        let order = errand.order.clone();
        line.under_way = Some(errand);
        Some(order)
    }

    /// It has been carried out, or given up, and this came of it.
    pub fn ended(&self, report: &Report) {
        let askers = self.clear_away(|line| line.under_way.take()).flatten().map(|errand| errand.askers);
        for asker in askers.unwrap_or_default() {
            // Whoever asked may have gone; it is done all the same.
            let _gone = asker.send(report.clone());
        }
    }

    /// The loop was broken off: whoever asked hears that nothing can be told.
    pub fn broken_off(&self) {
        self.clear_away(|line| line.under_way = None);
    }

    /// The loop takes up no more: whoever waits hears that nothing can be told.
    pub fn turn_away(&self) {
        self.clear_away(|line| line.waiting.clear());
    }

    /// Takes something off the line, and the line away once nothing is left of it.
    fn clear_away<T>(&self, take: impl FnOnce(&mut Line) -> T) -> Option<T> {
        let mut place = self.line();
        let taken = place.as_deref_mut().map(take);
        place.take_if(|line| line.waiting.is_empty() && line.under_way.is_none());
        taken
    }

    fn line(&self) -> MutexGuard<'_, Option<Box<Line>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A compromised token waits for no gap between two cycles, and what is to be held is not rotated first.
fn presses(order: &Order) -> Option<Press> {
    match order {
        Order::Rotate { compromised: true, .. } => Some(Press::Rotation),
        Order::Hold { .. } => Some(Press::Hold),
        _ => None,
    }
}

fn makes_a_token(order: &Order) -> bool {
    matches!(order, Order::Rotate { .. } | Order::Adopt { .. })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::domain::Timestamp;

    const ROTATE: Order = Order::Rotate { mode: None, compromised: false };
    const COMPROMISED: Order = Order::Rotate { mode: None, compromised: true };

    #[test]
    fn errands_are_taken_up_in_their_order_and_each_once_although_a_wait_for_them_was_given_up() {
        let errands = Errands::default();
        assert!(errands.next().now_or_never().is_none());
        errands.add(Order::Release);
        errands.add(ROTATE);
        let taken = || errands.next().now_or_never().map(|order| order.name());
        assert_eq!([taken(), taken(), taken()], [Some("release"), Some("rotate"), None]);
    }

    #[test]
    fn whoever_waits_already_is_woken() {
        let errands = Errands::default();
        let mut next = std::pin::pin!(errands.next());
        assert!(next.as_mut().now_or_never().is_none());
        errands.add(Order::Release);
        assert!(next.now_or_never().is_some());
    }

    #[test]
    fn the_same_rotation_asked_for_again_is_one_and_all_who_asked_hear_of_its_end() {
        let errands = Errands::default();
        let mut asked = vec![errands.add(ROTATE)];
        asked.push(errands.add(ROTATE));
        assert_eq!(errands.next().now_or_never(), Some(ROTATE));
        asked.push(errands.add(ROTATE));
        assert_eq!(errands.next().now_or_never(), None, "it is under way");
        errands.ended(&Report::refused("a", String::new()));
        let (places, heard): (Vec<_>, Vec<_>) = asked
            .into_iter()
            .map(|(place, heard)| (place, heard.now_or_never().is_some_and(|report| report.is_ok())))
            .unzip();
        assert_eq!((places, heard), (vec![InLine::First, InLine::Joined, InLine::Joined], vec![true; 3]));
        assert_eq!(errands.add(ROTATE).0, InLine::First, "it has ended");
    }

    #[test]
    fn what_is_not_the_same_waits_for_its_own_turn() {
        let errands = Errands::default();
        let place = |order: Order| errands.add(order).0;
        assert_eq!(place(COMPROMISED), InLine::First);
        assert_eq!(place(COMPROMISED), InLine::Joined, "it has not begun");
        assert_eq!(errands.next().now_or_never(), Some(COMPROMISED));
        assert_eq!(place(COMPROMISED), InLine::Behind, "the new one may be in wrong hands too");
        assert_eq!(place(ROTATE), InLine::Behind);
        assert_eq!(place(Order::Rotate { mode: Some(Mode::Overlap), compromised: false }), InLine::Behind);
        let hold = || Order::Hold { until: Timestamp::UNIX_EPOCH };
        assert_eq!([place(hold()), place(hold())], [InLine::Behind; 2]);
        assert_eq!(place(ROTATE), InLine::Behind, "another mode was asked for after it");
    }

    #[test]
    fn whoever_names_the_mode_of_the_policy_asks_for_the_same_as_who_names_none() {
        let errands = Errands::default();
        errands.go_by(Mode::Overlap);
        let in_mode = |mode| Order::Rotate { mode: Some(mode), compromised: false };
        assert_eq!(errands.add(ROTATE).0, InLine::First);
        assert_eq!(errands.add(in_mode(Mode::Overlap)).0, InLine::Joined);
        assert_eq!(errands.add(in_mode(Mode::RemoveCurrent)).0, InLine::Behind);
        assert_eq!(errands.add(ROTATE).0, InLine::Behind, "another mode was asked for after it");
        let compromised = Order::Rotate { mode: Some(Mode::RemoveCurrent), compromised: true };
        assert_eq!([errands.add(COMPROMISED).0, errands.add(compromised).0], [InLine::Behind, InLine::Joined]);
    }

    #[test]
    fn a_compromised_token_comes_before_all_that_waits() {
        let errands = Errands::default();
        for order in [ROTATE, Order::Release, COMPROMISED] {
            errands.add(order);
        }
        assert_eq!(errands.add(COMPROMISED).0, InLine::Joined);
        assert_eq!(errands.next().now_or_never(), Some(COMPROMISED));
    }

    #[test]
    fn so_many_may_wait_and_who_has_gone_does_not_count() {
        let errands = Errands::default();
        let asked: Vec<_> = (0..=MOST_ASKERS).map(|_| errands.add(ROTATE)).collect();
        assert_eq!(asked.last().map(|(place, _)| *place), Some(InLine::Crowded));
        drop(asked);
        assert_eq!(errands.add(ROTATE).0, InLine::Joined);
    }

    #[test]
    fn of_a_loop_that_is_broken_off_nobody_waits_for_ever() {
        let errands = Errands::default();
        let (_, asked) = errands.add(ROTATE);
        errands.next().now_or_never();
        errands.broken_off();
        assert!(asked.now_or_never().is_some_and(|report| report.is_err()));
    }
}
