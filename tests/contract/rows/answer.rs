//! HPE's answer to an issue, unknown in every detail (facts/greenlake.md, "The answer").

use chrono::TimeDelta;
use scim_rotator::domain::{ExpirySource, Token};
use scim_rotator::ports::IssuerError;

use super::begin;
use super::far_side::{FarSide, OVERLAP, Terms};
use crate::world::{AnswerShape, Settings};

async fn answering(answer: AnswerShape, assumed_lifetime: Option<TimeDelta>) -> FarSide {
    begin(Settings { answer, ..Settings::default() }, Terms { assumed_lifetime, ..Terms::default() }).await
}

/// Every shape that names one token, and where its expiry is told.
const TELLING: [(AnswerShape, Option<ExpirySource>); 8] = [
    (AnswerShape::Flat, None),
    (AnswerShape::Nested, Some(ExpirySource::Field)),
    (AnswerShape::ExpiresAt, Some(ExpirySource::Field)),
    (AnswerShape::EpochMillis, Some(ExpirySource::Field)),
    (AnswerShape::ExpiresIn, Some(ExpirySource::Ttl)),
    (AnswerShape::Jwt, Some(ExpirySource::Jwt)),
    (AnswerShape::PlainText, None),
    (AnswerShape::JsonString, None),
];

/// "Read the token from …", "Expiry, in this order …", "Keep which rule was used".
#[tokio::test]
async fn every_shape_with_one_token_is_read_with_the_source_of_its_expiry() {
    for (shape, source) in TELLING {
        let far = answering(shape, None).await;
        far.pass(TimeDelta::days(1));
        let issued = far.issuer.issue(OVERLAP).await.unwrap();
        assert_eq!(issued.token, far.token(2), "{shape:?}");
        let end = far.now() + far.world().settings.token_life;
        assert_eq!(issued.expiry.map(|e| (e.at, e.source)), source.map(|source| (end, source)), "{shape:?}");
    }
}

/// "… configured `assumed_lifetime`", last of all.
#[tokio::test]
async fn an_assumed_lifetime_counts_from_the_answer_where_nothing_else_tells_the_end() {
    let assumed = TimeDelta::days(90);
    for (shape, source) in TELLING {
        let far = answering(shape, Some(assumed)).await;
        far.pass(TimeDelta::days(1));
        let expiry = far.issuer.issue(OVERLAP).await.unwrap().expiry.unwrap();
        let life = if source.is_some() { far.world().settings.token_life } else { assumed };
        let expected = (far.now() + life, source.unwrap_or(ExpirySource::Assumed));
        assert_eq!((expiry.at, expiry.source), expected, "{shape:?}");
    }
}

/// "A 2xx without one is 'outcome unknown', never success." "Two different candidates, or none: refuse."
#[tokio::test]
async fn an_answer_with_no_single_token_is_ambiguous_and_shows_none() {
    for shape in [AnswerShape::HtmlPage, AnswerShape::Empty, AnswerShape::TwoCandidates, AnswerShape::NoCandidate] {
        let far = answering(shape, None).await;
        let error = far.issuer.issue(OVERLAP).await.unwrap_err();
        assert!(matches!(error, IssuerError::Ambiguous(_)), "{shape:?}: {error}");
        assert_eq!(far.issued(), 1, "{shape:?}: it was made all the same");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(far.token(2).expose()), "{shown}");
    }
}

/// "the token's own JWT `exp` (read without verifying)".
#[tokio::test]
async fn a_token_from_elsewhere_has_the_end_it_claims_or_an_assumed_one_or_none() {
    let far = answering(AnswerShape::Jwt, Some(TimeDelta::days(90))).await;
    let (jwt, since) = (far.token(1), far.now());
    let claimed = far.issuer.expiry_of(&jwt, since + TimeDelta::days(5)).unwrap();
    assert_eq!((claimed.at, claimed.source), (since + TimeDelta::days(180), ExpirySource::Jwt));
    let opaque = Token::parse("an-opaque-token").unwrap();
    let assumed = far.issuer.expiry_of(&opaque, since).unwrap();
    assert_eq!((assumed.at, assumed.source), (since + TimeDelta::days(90), ExpirySource::Assumed));
    assert_eq!(answering(AnswerShape::Flat, None).await.issuer.expiry_of(&opaque, since), None);
}
