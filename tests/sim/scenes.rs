//! Every other way to a new token than a rotation that has come due: killed at every call, before and after the far side has
//! done as asked, and asleep after it. (The rotation itself stands in `enumerate`.)

use std::fmt::Write as _;
use std::pin::Pin;

use chrono::TimeDelta;
use scim_rotator::domain::{Bootstrap, Fence, Mode, Order, Policy, Timestamp, Token};

use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy, tend};
use super::rivals::{other_host, writes};
use super::slept::keeper;
use super::{Crash, FaceOptions, Side};
use crate::world::{Begin, PutReading, Schedule, Settings, TakesEffect, World};

/// The calls of the first hours that are killed at, at most.
const CALLS: usize = 150;
/// How long the service manager takes to start a process again.
const RESTART: TimeDelta = TimeDelta::seconds(5);

/// A way to a new token, from the moment before it begins.
#[derive(Clone)]
struct Scene {
    name: &'static str,
    begin: World,
    policy: Policy,
    /// What a person asks the first process for.
    order: Option<Order>,
    /// How many tokens it takes without an accident.
    issues: u32,
    /// No cycle fails, wherever the process is killed.
    harmless: bool,
    /// For how long Entra may be without a working token, by what happens here.
    outage: TimeDelta,
    /// Until all has come to rest.
    rest: TimeDelta,
}

impl Scene {
    fn new(name: &'static str, drive: &Drive) -> Self {
        Self {
            name,
            begin: drive.world().clone(),
            policy: drive.policy.clone(),
            order: None,
            issues: 0,
            harmless: drive.policy.fence != Fence::Never,
            outage: TimeDelta::minutes(30),
            rest: TimeDelta::hours(30),
        }
    }

    fn fresh(&self) -> Drive {
        Drive::new(self.begin.clone(), self.policy.clone())
    }

    fn told(&self) -> String {
        let Settings { takes_effect, put, .. } = &self.begin.settings;
        format!("{}, {takes_effect:?}, {put:?}, fence {:?}", self.name, self.policy.fence)
    }

    /// A process obeys, is killed at its crash, and the next one lives on. Answers with the calls of the first.
    async fn play(&self, drive: &Drive, crash: Option<Crash>, until: Timestamp) -> usize {
        let (face, connection) = drive.process(FaceOptions { crash, until: Some(until), ..FaceOptions::default() });
        let mut connection = connection.calm();
        let work = async {
            if let Some(order) = self.order.clone() {
                connection.obey(order).await;
            }
            tend(&mut connection).await;
        };
        let died = tokio::select! {
            biased;
            () = face.crashed() => true,
            () = face.over() => false,
            () = work => false,
        };
        if died {
            drive.world().advance(RESTART);
            drive.live(&[], until).await;
        }
        face.calls()
    }

    /// A process obeys, and its host sleeps after one of its calls, with the clock that nobody sets. Another host tends the
    /// connection meanwhile, and is gone when the first one wakes. Answers whether it had taken the say.
    async fn sleep(&self, drive: &Drive, at_call: usize, until: Timestamp) -> Result<bool, String> {
        let options = FaceOptions { yields: true, until: Some(until), ..FaceOptions::default() };
        let (face, connection) = drive.process(options);
        let mut connection = connection.calm();
        let mut work = std::pin::pin!(async {
            if let Some(order) = self.order.clone() {
                connection.obey(order).await;
            }
            tend(&mut connection).await;
        });
        let go_on_while = async |what: &dyn Fn() -> bool, work: &mut Pin<&mut _>| {
            let what = async {
                while what() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! { biased; () = what => (), () = face.over() => (), () = work => () }
        };
        go_on_while(&|| face.calls() < at_call, &mut work).await;
        let asleep = drive.world().now();
        other_host(drive, if at_call.is_multiple_of(2) { TimeDelta::minutes(25) } else { TimeDelta::hours(5) }).await;
        let woken = drive.world().now();
        face.wakes(woken - asleep);
        let has_lost_say = keeper(&drive.world()).as_deref() == Some("other-host");
        let before = writes(drive);
        go_on_while(&|| drive.world().now() < woken + TimeDelta::minutes(3), &mut work).await;
        // What a person has asked for is done at once.
        if has_lost_say && self.order.is_none() && writes(drive) != before {
            return Err(format!("* whoever has lost the say writes nothing\n{}", drive.world().ledger.trace()));
        }
        go_on_while(&|| true, &mut work).await;
        self.judge(drive, 1).map(|()| has_lost_say)
    }

    /// What must hold at the end; `spare` is how many issues a crash excuses.
    fn judge(&self, drive: &Drive, spare: u32) -> Result<(), String> {
        let world = drive.world();
        let (ledger, before) = (&world.ledger, &self.begin.ledger);
        let mut wrong = String::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                let _ = writeln!(wrong, "* {what}");
            }
        };
        must(world.entra_holds_a_working_token(), "Entra holds a working token");
        let job = &world.jobs()[0];
        must(job.schedule == Schedule::Active && job.quarantine.is_none(), "the job is active");
        must(ledger.started_while_active + ledger.started_a_persons_pause == 0, "start is called only where it may be");
        must(world.settings_lost().is_empty(), "no setting is lost");
        must(ledger.masks_sent == 0, "no mask is ever sent");
        let latest = world.versions().last().is_some_and(|v| v.enabled && world.accepts(&v.value));
        must(latest, "whoever reads the latest version finds a token that works");
        let issued = ledger.issued - before.issued;
        must(issued <= self.issues + spare, &format!("no more tokens are issued than there are reasons for: {issued}"));
        let failed = ledger.cycles_failed - before.cycles_failed;
        must(!self.harmless || failed == 0, "no provisioning cycle fails");
        let outage = ledger.outage - before.outage;
        must(outage <= self.outage, &format!("a working token is back in time, not after {outage}"));
        let paused = ledger.paused - before.paused;
        let longest = world.settings.cycle_length * 4 + TimeDelta::minutes(60);
        must(paused <= longest, &format!("the job runs again in time, not after {paused}"));
        if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong}{}", ledger.trace())) }
    }
}

async fn all_end_well(scenes: Vec<Scene>) {
    let (mut schedules, mut failures) = (0, Vec::new());
    for scene in &scenes {
        let (told, until) = (scene.told(), scene.begin.now() + scene.rest);
        let clean = scene.fresh();
        scene.play(&clean, None, until).await;
        let mut bad: Vec<_> = scene.judge(&clean, 0).err().map(|why| format!("no crash: {why}")).into_iter().collect();
        let calls = scene.play(&scene.fresh(), None, scene.begin.now() + TimeDelta::hours(2)).await.min(CALLS);
        assert!(calls > 3, "{told}: something is done");
        for at_call in 1..=calls {
            for side in [Side::Before, Side::After] {
                let drive = scene.fresh();
                scene.play(&drive, Some(Crash { at_call, side }), until).await;
                schedules += 1;
                bad.extend(scene.judge(&drive, 1).err().map(|why| format!("crash {side:?} call {at_call}: {why}")));
            }
        }
        let mut taken = 0;
        for at_call in 1..=calls {
            schedules += 1;
            match scene.sleep(&scene.fresh(), at_call, until).await {
                Ok(is_taken) => taken += usize::from(is_taken),
                Err(why) => bad.push(format!("asleep after call {at_call}: {why}")),
            }
        }
        println!("{told}: {} bad of {}, another took over {taken} times", bad.len(), calls * 3);
        assert!(taken * 4 > calls, "{told}: another took over {taken} times of {calls}");
        for why in &bad {
            let head = why.lines().take_while(|line| !line.starts_with(char::is_numeric));
            println!("    {}", head.collect::<Vec<_>>().join(" "));
        }
        failures.extend(bad.into_iter().map(|why| format!("{told}\n{why}")));
    }
    println!("{schedules} schedules, {} failures", failures.len());
    assert!(failures.is_empty(), "{} of {schedules} fail; the first: {}", failures.len(), failures[0]);
}

const ALL: [TakesEffect; 3] =
    [TakesEffect::FirstUse, TakesEffect::Delay(TimeDelta::minutes(4)), TakesEffect::OwnExpiry];
const PUTS: [PutReading; 4] =
    [PutReading::Merges, PutReading::Replaces, PutReading::DropsUnlessComplete, PutReading::IgnoresFirst];

/// Long cycles, so that something can go wrong with them.
fn odd(takes_effect: TakesEffect) -> Settings {
    Settings { takes_effect, cycle_length: TimeDelta::minutes(30), ..settings() }
}

/// A world in which the vault's token, adopted, has long been current.
async fn resting(settings: Settings, policy: Policy, days: i64) -> Drive {
    let until = settings.start + TimeDelta::days(days);
    let drive = Drive::new(World::new(settings), policy);
    drive.live(&[], until).await;
    drive
}

#[tokio::test]
async fn somebody_who_pastes_rubbish_into_entra_is_made_good() {
    let mut scenes = Vec::new();
    for takes_effect in ALL {
        for put in PUTS {
            let rules = policy(Mode::Overlap, Fence::Auto);
            let drive = resting(Settings { put, ..odd(takes_effect) }, rules, 20).await;
            drive.world().person_saves("a-token-that-was-never-made");
            drive.world().advance(TimeDelta::hours(1));
            scenes.push(Scene { harmless: false, outage: TimeDelta::hours(2), ..Scene::new("heal", &drive) });
        }
    }
    all_end_well(scenes).await;
}

#[tokio::test]
async fn a_token_that_is_dead_is_replaced() {
    let mut scenes = Vec::new();
    for takes_effect in ALL {
        for (mode, put) in [Mode::Overlap, Mode::RemoveCurrent].into_iter().flat_map(|m| PUTS.map(|put| (m, put))) {
            let drive = resting(Settings { put, ..odd(takes_effect) }, policy(mode, Fence::Auto), 20).await;
            // Somebody has one made that ends ours, and keeps it for himself.
            drive.world().person_rotates(true);
            drive.world().advance(TimeDelta::minutes(20));
            let outage = TimeDelta::hours(2);
            scenes.push(Scene { issues: 1, harmless: false, outage, ..Scene::new("dead", &drive) });
        }
    }
    all_end_well(scenes).await;
}

#[tokio::test]
async fn a_rejected_token_that_works_at_last_is_taken_back() {
    let mut scenes = Vec::new();
    for put in PUTS {
        let late = Settings { takes_effect: TakesEffect::Delay(TimeDelta::minutes(25)), put, ..settings() };
        let drive = about_to_rotate(late, policy(Mode::Overlap, Fence::Auto)).await;
        scenes.push(Scene { issues: 1, harmless: false, ..Scene::new("late", &drive) });
    }
    all_end_well(scenes).await;
}

/// The beginnings, of a job that runs and of one that has never run.
fn beginnings(takes_effect: TakesEffect, fence: Fence) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for (name, begin, bootstrap, issues) in [
        ("bootstrap = create", Begin::Empty, Bootstrap::Create, 1),
        ("bootstrap = rotate, token at Entra", Begin::AtEntra, Bootstrap::Rotate, 1),
        ("bootstrap = rotate, token in the vault", Begin::AtEntraAndVault, Bootstrap::Rotate, 1),
        ("bootstrap = adopt", Begin::AtEntraAndVault, Bootstrap::Adopt, 0),
    ] {
        let rules = Policy { bootstrap: Some(bootstrap), ..policy(Mode::Overlap, fence) };
        let drive = Drive::new(World::new(Settings { begin, ..odd(takes_effect) }), rules);
        let scene = Scene::new(name, &drive);
        scenes.push(Scene { issues, ..scene });
    }
    scenes
}

#[tokio::test]
async fn a_first_token_is_adopted_or_made_with_the_fence() {
    all_end_well(ALL.into_iter().flat_map(|effect| beginnings(effect, Fence::Auto)).collect()).await;
}

#[tokio::test]
async fn a_first_token_is_adopted_or_made_without_the_fence() {
    all_end_well(ALL.into_iter().flat_map(|effect| beginnings(effect, Fence::Never)).collect()).await;
}

#[tokio::test]
async fn a_token_that_somebody_stores_in_the_vault_is_taken_over() {
    let mut scenes = Vec::new();
    for takes_effect in ALL {
        for (name, supplied) in [("issuer = supplied", true), ("accept_supplied", false)] {
            for fence in [Fence::Auto, Fence::Never] {
                let rules = Policy { supplied, accept_supplied: true, ..policy(Mode::Overlap, fence) };
                let drive = resting(odd(takes_effect), rules, 60).await;
                let new = drive.world().person_rotates(false);
                drive.world().person_stores(&new);
                let scene = Scene::new(name, &drive);
                // Under a delay his rotating ends the old one in four minutes, whoever is there by then.
                let harmless = scene.harmless && !matches!(takes_effect, TakesEffect::Delay(_));
                scenes.push(Scene { harmless, ..scene });
            }
        }
    }
    all_end_well(scenes).await;
}

#[tokio::test]
async fn a_token_that_a_person_brings_by_an_order_is_taken_over() {
    let mut scenes = Vec::new();
    for takes_effect in ALL {
        for fence in [Fence::Auto, Fence::Never] {
            let drive = resting(odd(takes_effect), policy(Mode::Overlap, fence), 20).await;
            let token = Token::parse(&drive.world().person_rotates(false)).expect("a token");
            let order = Some(Order::Adopt { token, expires: None });
            let scene = Scene::new("adopt", &drive);
            // Killed before it is stored, it is as if nobody had brought it; and under a delay it has ended the old one, which
            // is found out at the next look.
            let ends = matches!(takes_effect, TakesEffect::Delay(_));
            let outage = if ends { TimeDelta::hours(2) } else { scene.outage };
            scenes.push(Scene { order, harmless: scene.harmless && !ends, outage, ..scene });
        }
    }
    all_end_well(scenes).await;
}

#[tokio::test]
async fn a_compromised_token_is_replaced_under_the_fence() {
    let mut scenes = Vec::new();
    for takes_effect in ALL {
        for put in PUTS {
            let drive = resting(Settings { put, ..odd(takes_effect) }, policy(Mode::Overlap, Fence::Auto), 20).await;
            let order = Some(Order::Rotate { mode: None, compromised: true });
            scenes.push(Scene { order, issues: 1, ..Scene::new("compromised", &drive) });
        }
    }
    all_end_well(scenes).await;
}

#[tokio::test]
async fn old_versions_retire() {
    let mut scenes = Vec::new();
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        let drive = about_to_rotate(odd(TakesEffect::FirstUse), policy(mode, Fence::Auto)).await;
        let until = drive.world().now() + TimeDelta::days(7) - TimeDelta::hours(1);
        drive.live(&[], until).await;
        assert!(drive.world().versions().iter().all(|version| version.enabled), "nothing has retired yet");
        scenes.push(Scene { outage: TimeDelta::zero(), ..Scene::new("retire", &drive) });
    }
    for scene in &scenes {
        let drive = scene.fresh();
        scene.play(&drive, None, scene.begin.now() + scene.rest).await;
        let enabled = drive.world().versions().iter().filter(|version| version.enabled).count();
        assert_eq!(enabled, 1, "{}", scene.told());
    }
    all_end_well(scenes).await;
}
