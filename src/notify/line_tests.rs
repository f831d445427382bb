//! The line to one receiver, in virtual time.

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::domain::Timestamp;
use crate::notify::{Event, Form, Webhook};

/// A clock of tokio's own time, which stands still until everybody waits.
struct Paused(tokio::time::Instant);

#[async_trait]
impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.elapsed()
    }

    fn elapsed(&self) -> TimeDelta {
        TimeDelta::from_std(self.0.elapsed()).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Answers as it is told to, and notes in which second it was asked.
struct Playing {
    clock: Arc<dyn Clock>,
    answer: Box<dyn Fn(usize) -> Option<Answer> + Send + Sync>,
    asked: Mutex<Vec<(i64, String)>>,
}

#[async_trait]
impl Webhook for Playing {
    async fn post(&self, body: &Value) -> Answer {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((self.clock.elapsed().num_seconds(), body["holder"].as_str().unwrap().to_owned()));
            asked.len()
        };
        match (self.answer)(number) {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn call(&self) -> Answer {
        unreachable!("nobody calls here")
    }
}

struct Stage {
    line: Arc<Line>,
    webhook: Arc<Playing>,
    sent: Arc<Sent>,
    ending: CancellationToken,
}

fn receiver(webhook: Arc<dyn Webhook>) -> Receiver {
    Receiver { name: "ops".to_owned(), form: Form::Json, events: vec![Event::Test], webhook }
}

fn later(after: Option<u64>) -> Option<Answer> {
    Some(Answer::Later { what: "it answered 503".to_owned(), after: after.map(Duration::from_secs) })
}

fn taken() -> Option<Answer> {
    Some(Answer::Taken("it".to_owned()))
}

impl Stage {
    fn new(answer: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Paused(tokio::time::Instant::now()));
        let (answer, asked) = (Box::new(answer), Mutex::default());
        let webhook = Arc::new(Playing { clock: Arc::clone(&clock), answer, asked });
        let (sent, ending) = (Arc::<Sent>::default(), CancellationToken::new());
        let to = receiver(Arc::<Playing>::clone(&webhook));
        let line = Arc::new(Line::new(to, Arc::clone(&sent), clock, ending.clone()));
        let carried = Arc::clone(&line);
        tokio::spawn(async move { carried.carry().await });
        Self { line, webhook, sent, ending }
    }

    fn push(&self, what: &str) {
        self.line.push(&Arc::new(Message::test(Timestamp::UNIX_EPOCH, what)));
    }

    /// Lets so many seconds pass.
    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn asked(&self) -> Vec<(i64, String)> {
        self.webhook.asked.lock().unwrap().clone()
    }

    fn counts(&self) -> [u64; 3] {
        let counts = self.sent.counts();
        ["delivered", "given-up", "dropped"]
            .map(|name| counts.iter().find(|(_, outcome, _)| *outcome == name).unwrap().2)
    }
}

fn at(seconds: &[i64]) -> Vec<(i64, String)> {
    seconds.iter().map(|second| (*second, "a".to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_is_tried_again_ever_later_until_it_is_taken_and_the_next_one_follows_at_once() {
    let stage = Stage::new(|number| if number < 6 { later(None) } else { taken() });
    stage.push("a");
    stage.push("b");
    stage.pass(100).await;
    let expected = [at(&[0, 1, 3, 7, 15, 31]), vec![(31, "b".to_owned())]].concat();
    assert_eq!(stage.asked(), expected);
    assert_eq!((stage.counts(), stage.line.undelivered()), ([2, 0, 0], 0));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_is_left_alone_for_as_long_as_it_asks() {
    let stage = Stage::new(|number| if number == 1 { later(Some(120)) } else { taken() });
    stage.push("a");
    stage.pass(1000).await;
    assert_eq!(stage.asked(), at(&[0, 120]));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_for_a_day_is_given_up_after_tries_an_hour_apart_at_most() {
    let stage = Stage::new(|_| later(None));
    stage.push("a");
    stage.pass(90_000).await;
    let seconds: Vec<_> = stage.asked().iter().map(|(second, _)| *second).collect();
    assert_eq!(seconds.last(), Some(&86_400));
    assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] <= 3600) && seconds.len() < 40, "{seconds:?}");
    assert_eq!(stage.counts(), [0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_given_up_at_once_and_the_next_one_is_tried() {
    let stage = Stage::new(|number| if number == 1 { Some(Answer::Refused("no".to_owned())) } else { taken() });
    stage.push("a");
    stage.push("a");
    stage.pass(1).await;
    assert_eq!((stage.asked(), stage.counts()), (at(&[0, 0]), [1, 1, 0]));
}

#[tokio::test(start_paused = true)]
async fn of_more_than_a_hundred_that_wait_the_oldest_make_room_and_are_counted() {
    let stage = Stage::new(|number| if number == 1 { later(Some(10)) } else { taken() });
    stage.push("held");
    stage.pass(1).await;
    (0..103).for_each(|number| stage.push(&number.to_string()));
    stage.pass(100).await;
    let told: Vec<_> = stage.asked().into_iter().map(|(_, what)| what).collect();
    assert_eq!(told[..4], ["held", "held", "3", "4"]);
    assert_eq!(stage.counts(), [101, 0, 3]);
}

#[tokio::test(start_paused = true)]
async fn where_not_all_can_wait_what_a_person_must_know_waits_rather_than_failures_and_those_rather_than_good_news() {
    let stage = Stage::new(|number| if number == 1 { later(Some(10)) } else { taken() });
    stage.line.lead_to(Receiver { events: Event::ALL.to_vec(), ..(*stage.line.receiver()).clone() });
    let push = |event, what: &str| {
        let mut message = Message::test(Timestamp::UNIX_EPOCH, what);
        message.event = event;
        stage.line.push(&Arc::new(message));
    };
    push(Event::Failed, "held");
    stage.pass(1).await;
    push(Event::NeedsHuman, "person");
    push(Event::Rotated, "rotated");
    (0..100).for_each(|number| push(Event::Failed, &number.to_string()));
    push(Event::Healed, "healed");
    stage.pass(100).await;
    let told: Vec<_> = stage.asked().into_iter().map(|(_, what)| what).collect();
    assert_eq!(told[..4], ["held", "held", "person", "1"], "good news has gone, and the oldest failure");
    assert_eq!(stage.counts(), [101, 0, 3]);
    assert!(!stage.asked().iter().any(|(_, what)| what == "healed"), "it weighed least of all");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_hears_of_what_it_wants_to_hear_only() {
    let stage = Stage::new(|_| taken());
    stage.line.lead_to(Receiver { events: vec![Event::Failed], ..(*stage.line.receiver()).clone() });
    stage.push("a");
    stage.pass(1).await;
    assert!(stage.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn at_the_end_each_that_waits_is_tried_once_more_and_what_is_left_is_known() {
    let stage = Stage::new(|number| if number == 3 { taken() } else { later(Some(60)) });
    stage.push("a");
    stage.push("a");
    stage.push("a");
    stage.pass(1).await;
    stage.ending.cancel();
    stage.pass(1).await;
    assert_eq!(stage.asked().len(), 4);
    assert_eq!((stage.counts(), stage.line.undelivered()), ([1, 0, 0], 2));
}

#[tokio::test(start_paused = true)]
async fn what_waits_goes_to_where_a_reload_leads_and_at_once() {
    let stage = Stage::new(|_| later(Some(80_000)));
    let other = Stage::new(|_| taken());
    stage.push("a");
    stage.pass(60).await;
    stage.line.lead_to(receiver(Arc::<Playing>::clone(&other.webhook)));
    stage.pass(1).await;
    assert_eq!((stage.asked().len(), other.asked().len()), (1, 1));
    assert_eq!(stage.counts(), [1, 0, 0]);
}
