//! Who is told, across reloads and at the end.

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::notify::{Answer, Event, Form, Heartbeat, Webhook};

struct Paused;

#[async_trait]
impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn elapsed(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::zero()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Notes what comes. One that hangs answers nobody.
#[derive(Default)]
struct Notes {
    posts: Mutex<Vec<String>>,
    calls: Mutex<u32>,
    hangs: bool,
}

#[async_trait]
impl Webhook for Notes {
    async fn post(&self, body: &Value) -> Answer {
        self.posts.lock().unwrap().push(body["connection"].as_str().unwrap().to_owned());
        match self.hangs {
            true => std::future::pending().await,
            false => Answer::Taken(String::new()),
        }
    }

    async fn call(&self) -> Answer {
        *self.calls.lock().unwrap() += 1;
        Answer::Taken(String::new())
    }
}

fn receivers(named: &[(&str, &Arc<Notes>)]) -> Audience {
    let receiver = |(name, notes): &(&str, &Arc<Notes>)| Receiver {
        name: (*name).to_owned(),
        form: Form::Json,
        events: Event::ALL.to_vec(),
        webhook: Arc::<Notes>::clone(notes),
    };
    Audience { receivers: named.iter().map(receiver).collect(), heartbeat: None }
}

fn notifier() -> Notifier {
    Notifier::new(Arc::new(Paused), "here".to_owned())
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn refused(name: &str) -> Report {
    Report::refused(name, "its file cannot be read".to_owned())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_remembered_while_there_is_nobody_to_tell() {
    let (notifier, ops) = (notifier(), Arc::<Notes>::default());
    notifier.saw(&refused("prod"), &[]);
    assert!(notifier.state().memories.is_empty());
    notifier.turn_to(receivers(&[("ops", &ops)]));
    notifier.saw(&refused("prod"), &[]);
    notifier.saw(&refused("prod"), &[]);
    settle().await;
    assert_eq!(*ops.posts.lock().unwrap(), ["prod"]);
    notifier.turn_to(Audience::default());
    assert!(notifier.state().memories.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_costs_its_own_messages_only_and_five_seconds_at_the_end() {
    let (notifier, ops) = (notifier(), Arc::<Notes>::default());
    let hung = Arc::new(Notes { hangs: true, ..Notes::default() });
    notifier.turn_to(receivers(&[("hung", &hung), ("ops", &ops)]));
    ["a", "b", "c"].iter().for_each(|name| notifier.saw(&refused(name), &[]));
    settle().await;
    assert_eq!(*ops.posts.lock().unwrap(), ["a", "b", "c"]);
    assert_eq!(*hung.posts.lock().unwrap(), ["a"]);
    let began = tokio::time::Instant::now();
    notifier.end().await;
    assert_eq!(began.elapsed().as_secs(), 5);
    let counts: Vec<_> = notifier.sent().counts().into_iter().filter(|(.., number)| *number > 0).collect();
    assert_eq!(counts, [("hung".to_owned(), "dropped", 3), ("ops".to_owned(), "delivered", 3)]);
    notifier.saw(&refused("d"), &[]);
    settle().await;
    assert_eq!(ops.posts.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_waits_for_those_who_stay_and_counts_what_is_dropped_with_those_who_go() {
    let notifier = notifier();
    let [stays, goes] = [true, true].map(|hangs| Arc::new(Notes { hangs, ..Notes::default() }));
    notifier.turn_to(receivers(&[("stays", &stays), ("goes", &goes)]));
    ["a", "b"].iter().for_each(|name| notifier.saw(&refused(name), &[]));
    settle().await;
    notifier.turn_to(receivers(&[("stays", &stays)]));
    let waits = |notifier: &Notifier| notifier.state().lines["stays"].0.undelivered();
    assert_eq!(waits(&notifier), 2);
    notifier.saw(&refused("a"), &[]);
    assert_eq!(waits(&notifier), 2, "what was told before the reload is not told again");
    let counts = notifier.sent().counts();
    assert!(counts.contains(&("goes".to_owned(), "dropped", 2)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_heart_beats_at_its_interval_while_every_loop_turns() {
    let (notifier, heard) = (notifier(), Arc::<Notes>::default());
    let heartbeat = Heartbeat { webhook: Arc::<Notes>::clone(&heard), every: Duration::from_secs(300) };
    notifier.turn_to(Audience { receivers: Vec::new(), heartbeat: Some(heartbeat) });
    let calls = || *heard.calls.lock().unwrap();
    tokio::time::sleep(Duration::from_secs(901)).await;
    assert_eq!(calls(), 4);
    notifier.turns(false);
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert_eq!(calls(), 4);
    notifier.turns(true);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(calls(), 5);
    notifier.end().await;
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert_eq!(calls(), 5);
}
