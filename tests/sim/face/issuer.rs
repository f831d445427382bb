//! The issuer and the SCIM probe over the world.

use async_trait::async_trait;
use chrono::TimeDelta;
use scim_rotator::domain::{Expiry, ExpirySource, ProbeVerdict, Timestamp, Token};
use scim_rotator::ports::{CallError, Class, IssueHow, Issued, Issuer, IssuerError, Probe};

use super::errors::Broken;
use super::{Face, Fault};
use crate::world::{AnswerShape, ExpiryTold, Grant, Minted, Op};

/// A bearer is taken for spent so long before its end.
const SPARE: TimeDelta = TimeDelta::seconds(120);

/// The cached bearer of HPE's API.
#[derive(Clone)]
pub struct Bearer {
    token: String,
    expires: Timestamp,
}

impl Face {
    fn hpe_bearer(&self) -> Result<String, IssuerError> {
        let mut kept = self.bearer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = self.world().now();
        if let Some(bearer) = kept.as_ref().filter(|bearer| now + SPARE < bearer.expires) {
            return Ok(bearer.token.clone());
        }
        let minted = self.exchange(Op::BearerMint, |world| {
            let grant = Grant::fitting(&world.settings);
            world.mint_bearer(&grant)
        });
        let access = minted.map_err(|broken| IssuerError::NotIssued(broken.error(Op::BearerMint)))?;
        let bearer = Bearer { token: access.token, expires: now + TimeDelta::seconds(access.expires_in) };
        Ok(kept.insert(bearer).token.clone())
    }

    fn issue_once(&self, how: IssueHow, bearer: &str) -> Result<Minted, Broken> {
        self.exchange(Op::Issue, |world| match how {
            IssueHow::Create => world.create_token(bearer),
            IssueHow::Rotate { remove_current } => world.rotate_token(bearer, remove_current),
        })
    }

    fn issue_now(&self, how: IssueHow) -> Result<Issued, IssuerError> {
        let mut answer = self.issue_once(how, &self.hpe_bearer()?);
        if matches!(&answer, Err(broken) if broken.status() == Some(401)) {
            *self.bearer.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
            answer = self.issue_once(how, &self.hpe_bearer()?);
        }
        let minted = answer.map_err(|broken| not_issued(broken, how))?;
        let shape = self.world().settings.answer;
        read(shape, &minted).ok_or_else(|| {
            let what = format!("the answer ({shape:?}) names no single token");
            IssuerError::Ambiguous(CallError::new("HPE", Class::Ambiguous, what))
        })
    }
}

fn not_issued(broken: Broken, how: IssueHow) -> IssuerError {
    let status = broken.status();
    let call = broken.error(Op::Issue);
    match call.class {
        Class::Ambiguous => IssuerError::Ambiguous(call),
        _ if status == Some(404) && how != IssueHow::Create => IssuerError::NothingToRotate(call),
        _ => IssuerError::NotIssued(call),
    }
}

/// What a careful reader takes from an answer of this shape.
fn read(shape: AnswerShape, minted: &Minted) -> Option<Issued> {
    if !shape.tells_token() {
        return None;
    }
    let source = match shape.tells_expiry() {
        ExpiryTold::Nowhere => None,
        ExpiryTold::Field => Some(ExpirySource::Field),
        ExpiryTold::Ttl => Some(ExpirySource::Ttl),
        ExpiryTold::Claim => Some(ExpirySource::Jwt),
    };
    let token = Token::parse(&minted.value).ok()?;
    Some(Issued { token, expiry: source.map(|source| Expiry { at: whole(minted.expires), source }) })
}

fn whole(moment: Timestamp) -> Timestamp {
    chrono::DateTime::from_timestamp(moment.timestamp(), 0).unwrap_or(moment)
}

#[async_trait]
impl Issuer for Face {
    async fn preflight(&self) -> Result<Option<String>, IssuerError> {
        self.port(|face| {
            face.hpe_bearer()?;
            Ok(Some(face.world().settings.tenant.clone()))
        })
        .await
    }

    async fn issue(&self, how: IssueHow) -> Result<Issued, IssuerError> {
        // The answer bears no date; and the clock that all edges go by believes Graph's where this host's is days from it.
        let skew = Some(self.skew()).filter(|skew| skew.abs() <= TimeDelta::days(1)).unwrap_or_default();
        let asked = self.world().now() + skew;
        let mut issued = self.port(|face| face.issue_now(how)).await?;
        issued.expiry = issued.expiry.or_else(|| self.expiry_of(&issued.token, asked));
        Ok(issued)
    }

    fn expiry_of(&self, token: &Token, since: Timestamp) -> Option<Expiry> {
        let claim = token.jwt_expiry().map(|at| Expiry { at, source: ExpirySource::Jwt });
        let assumed = self.options.assumed_lifetime;
        claim.or_else(|| assumed.map(|life| Expiry { at: since + life, source: ExpirySource::Assumed }))
    }
}

#[async_trait]
impl Probe for Face {
    async fn probe(&self, token: &Token) -> ProbeVerdict {
        let answer = self.port(|face| face.exchange(Op::Probe, |world| Ok(world.scim(token.expose())))).await;
        match answer {
            // By the status alone, whatever the body.
            Ok(200) | Err(Broken::Fault(Fault::Html)) => ProbeVerdict::Accepted,
            Ok(401 | 403) | Err(Broken::Fault(Fault::Status(401 | 403, _))) => ProbeVerdict::Refused,
            _ => ProbeVerdict::NoVerdict,
        }
    }
}
