//! What a rotation is told of the token before it, of the fence, and of creating the first one.

use super::*;

fn plan(seen: &Seen) -> Plan {
    match seen.decide() {
        Decision::Rotate(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn fared(current: CurrentHealth) -> Seen {
    let mut seen = well();
    seen.job.last_execution.as_mut().unwrap().state = ExecutionState::Failed;
    seen.answers = Answers { saved: Some(Verdict::NotAccepted), current: Some(current), ..Answers::default() };
    seen
}

#[test]
fn a_token_that_is_over_refused_or_unreadable_counts_as_dead_and_one_that_is_due_does_not() {
    assert!(!plan(&Seen { now: day(70), ..well() }).current_dead);
    assert!(plan(&Seen { now: day(100), ..well() }).current_dead);
    assert!(plan(&fared(CurrentHealth::Refused)).current_dead);
    assert!(plan(&fared(CurrentHealth::Unreadable)).current_dead);
}

#[test]
fn the_first_token_may_be_created_only_where_there_was_none_and_the_configuration_says_so() {
    let mut first = well();
    first.versions = vec![version(Labels { token: None, ..labels(Stage::Placeholder, 1, day(0)) }, day(0))];
    first.policy.bootstrap = Some(Bootstrap::Create);
    assert!(plan(&first).may_create, "under a placeholder");
    first.policy.bootstrap = Some(Bootstrap::Rotate);
    assert!(!plan(&first).may_create);
    let mut later = Seen { now: day(70), ..well() };
    later.policy.bootstrap = Some(Bootstrap::Create);
    assert!(!plan(&later).may_create, "there is a token");
}

#[test]
fn the_fence_follows_the_policy_and_the_rotation_whose_answer_was_lost() {
    let fenced = |will_pause, fence| {
        let mut seen = intended(10, Mode::Overlap);
        seen.last().intent.as_mut().unwrap().will_pause = will_pause;
        seen.policy.fence = fence;
        plan(&seen).fenced
    };
    assert!(fenced(true, Fence::Never), "it was to pause, so its token may come under a pause");
    assert!(fenced(false, Fence::Always));
    assert!(!fenced(false, Fence::Never));
}
