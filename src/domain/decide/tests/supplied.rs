//! Tokens that people bring: nobody is ever asked for one.

use super::*;

fn supplied() -> Seen {
    let mut seen = well();
    seen.policy.supplied = true;
    seen
}

fn foreign() -> Version {
    Version { id: VersionId("f".into()), created: day(9), enabled: true, expires: None, label: Label::Foreign }
}

#[test]
fn a_supplied_token_that_comes_due_is_asked_of_a_person_and_of_nobody_else() {
    assert_eq!(supplied().reason(), Some(Reason::NotDue));
    for now in [day(70), day(94), day(101)] {
        let seen = Seen { now, ..supplied() };
        assert!(matches!(seen.decide(), Decision::NeedsHuman { reason: Reason::SupplyNeeded, .. }), "{now}");
    }
}

#[test]
fn a_token_in_the_vault_is_taken_over_without_any_further_leave() {
    let mut seen = supplied();
    seen.versions.push(foreign());
    assert_eq!(seen.reason(), Some(Reason::SuppliedToken));
    seen.versions = vec![foreign()];
    assert_eq!(seen.reason(), Some(Reason::SuppliedToken), "the first one as well");
    seen.versions.clear();
    assert_eq!(seen.reason(), Some(Reason::NothingToAdopt));
}

#[test]
fn neither_an_order_nor_a_refusal_makes_anybody_ask_an_issuer_that_is_not_there() {
    let mut seen = supplied();
    seen.order = Some(Order::Rotate { mode: None, compromised: true });
    assert_eq!(seen.reason(), Some(Reason::SupplyNeeded));
    seen.order = None;
    seen.answers.saved = Some(Verdict::NotAccepted);
    seen.answers.current = Some(CurrentHealth::Refused);
    assert_eq!(seen.reason(), Some(Reason::SupplyNeeded));
}
