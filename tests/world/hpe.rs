//! HPE: the tokens it has made, which of them it accepts, and when they die.

use chrono::TimeDelta;
use serde_json::json;

use super::{AnswerShape, Event, Fault, Op, Refusal, TakesEffect, ThrottleTold, Timestamp, Who, World, ids};

/// A token's number: the first one made is 1.
pub type TokenNo = u32;

/// HPE's rate limit, where it is switched on.
const FLOOR: TimeDelta = TimeDelta::minutes(1);

/// A token that has just been made.
#[derive(Clone, Debug)]
pub struct Minted {
    /// Its number.
    pub number: TokenNo,
    /// The token.
    pub value: String,
    /// The end of its life.
    pub expires: Timestamp,
}

/// From when on a token counts as the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Taken,
    AtFirstUse,
    At(Timestamp),
}

#[derive(Clone, Debug)]
struct ProxyToken {
    value: String,
    expires: Timestamp,
    effect: Effect,
    dead: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Hpe {
    /// By number, less one. All before `oldest` are dead for good.
    tokens: Vec<ProxyToken>,
    oldest: usize,
    /// Whether there is a token to rotate: deleting takes it away, expiry does not.
    exists: bool,
    last_issue: Option<Timestamp>,
    spoil_next: bool,
}

impl Hpe {
    /// Whether the token would be let in. Looking is no use of it.
    pub(super) fn accepts(&self, token: TokenNo, now: Timestamp) -> bool {
        let Some(token) = self.tokens.get(token as usize - 1) else { return false };
        !token.dead && now < token.expires && !matches!(token.effect, Effect::At(moment) if now < moment)
    }

    pub(super) fn find(&self, value: &str) -> Option<TokenNo> {
        let index = self.tokens.iter().rposition(|token| token.value == value)?;
        Some(number(index))
    }

    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let living = self.tokens[self.oldest..].iter().filter(|token| !token.dead);
        let changes = living.map(|token| match token.effect {
            Effect::At(moment) => moment.min(token.expires),
            _ => token.expires,
        });
        changes.min().map(|moment| moment.max(now))
    }

    /// The tokens that still live among those before `index`.
    fn living_before(&self, index: usize) -> Vec<usize> {
        (self.oldest..index).filter(|i| !self.tokens[*i].dead).collect()
    }
}

fn number(index: usize) -> TokenNo {
    TokenNo::try_from(index + 1).expect("a world makes fewer than four billion tokens")
}

impl World {
    /// `POST /proxytoken`: the first token. What a second create does is unknown; here it is refused.
    pub fn create_token(&mut self, bearer: &str) -> Result<Minted, Refusal> {
        self.check_hpe_bearer(bearer)?;
        self.check_rate()?;
        if self.hpe.exists {
            return Err(Refusal::new(409, "HPE_GL_SPS_CONFLICT", "a proxy token exists already"));
        }
        Ok(self.make_token(Who::Daemon, false))
    }

    /// `POST /proxytoken/rotate?remove-current=…`. Needs the API bearer alone.
    pub fn rotate_token(&mut self, bearer: &str, remove_current: bool) -> Result<Minted, Refusal> {
        self.check_hpe_bearer(bearer)?;
        self.check_rate()?;
        if !self.hpe.exists {
            return Err(Refusal::new(404, "HPE_GL_SPS_NOT_FOUND", "there is no proxy token to rotate"));
        }
        Ok(self.make_token(Who::Daemon, remove_current))
    }

    /// A call of the SCIM endpoint with `token`: 200, or 401. A use of the token.
    pub fn scim(&mut self, token: &str) -> u16 {
        let accepted = self.hpe.find(token).is_some_and(|token| self.use_token(token));
        self.reckon();
        if accepted { 200 } else { 401 }
    }

    /// A person creates the token by hand.
    pub fn person_creates(&mut self) -> String {
        let value = self.make_token(Who::Person, false).value;
        self.reckon();
        value
    }

    /// A person, or another program, rotates behind the daemon's back.
    pub fn person_rotates(&mut self, remove_current: bool) -> String {
        let value = self.make_token(Who::Person, remove_current).value;
        self.reckon();
        value
    }

    /// A person deletes the token: none works, and there is nothing to rotate.
    pub fn person_deletes_tokens(&mut self) {
        self.hpe.exists = false;
        self.kill_before(self.hpe.tokens.len(), "deleted by a person");
        self.reckon();
    }

    /// The next token that HPE makes will never be accepted.
    pub fn spoil_next_token(&mut self) {
        self.hpe.spoil_next = true;
    }

    /// A token's number, if HPE has made it.
    pub fn token_number(&self, value: &str) -> Option<TokenNo> {
        self.hpe.find(value)
    }

    /// Whether HPE would let the token in now. No use of it.
    pub fn accepts(&self, value: &str) -> bool {
        self.hpe.find(value).is_some_and(|token| self.hpe.accepts(token, self.now))
    }

    /// Every token that HPE has ever made, oldest first: the canaries.
    pub fn token_values(&self) -> impl Iterator<Item = &str> {
        self.hpe.tokens.iter().map(|token| token.value.as_str())
    }

    fn check_rate(&self) -> Result<(), Refusal> {
        match self.hpe.last_issue {
            Some(last) if self.settings.throttled && self.now - last < FLOOR => {
                let after = (self.settings.throttle_told != ThrottleTold::Nowhere).then_some(60);
                Err(Refusal { retry_after: after, ..Refusal::new(429, "HPE_GL_RATE_LIMIT", "too many requests") })
            }
            _ => Ok(()),
        }
    }

    fn make_token(&mut self, by: Who, remove_current: bool) -> Minted {
        let index = self.hpe.tokens.len();
        let token = number(index);
        let first = !self.hpe.exists;
        let effect = match self.settings.takes_effect {
            _ if first || (remove_current && !self.settings.remove_current_waits) => Effect::Taken,
            TakesEffect::FirstUse => Effect::AtFirstUse,
            TakesEffect::Delay(delay) => Effect::At(self.now + delay),
            TakesEffect::OwnExpiry => Effect::Taken,
        };
        let expires = self.now + self.settings.token_life;
        let value = self.token_value(token, expires);
        let dead = std::mem::take(&mut self.hpe.spoil_next);
        self.tell(Event::Issued { token, by, remove_current });
        if remove_current {
            self.kill_before(index, "removed by the rotation");
        }
        for older in self.hpe.living_before(index) {
            if self.hpe.tokens[older].effect != Effect::Taken {
                self.kill(older, "overtaken before it took effect");
            }
        }
        self.hpe.tokens.push(ProxyToken { value: value.clone(), expires, effect, dead });
        self.hpe.exists = true;
        self.hpe.last_issue = Some(self.now);
        match by {
            Who::Daemon => self.ledger.issued += 1,
            Who::Person => self.ledger.issued_by_hand += 1,
        }
        self.reckon();
        Minted { number: token, value, expires }
    }

    fn token_value(&self, token: TokenNo, expires: Timestamp) -> String {
        let random = ids::hex32(self.settings.seed, u64::from(token));
        if self.settings.answer == AnswerShape::Jwt {
            ids::jwt(&json!({ "jti": random, "iat": self.now.timestamp(), "exp": expires.timestamp() }))
        } else {
            format!("sps-{random}-{token:04}")
        }
    }

    /// One accepted use may retire the older tokens.
    pub(super) fn use_token(&mut self, token: TokenNo) -> bool {
        if !self.hpe.accepts(token, self.now) {
            return false;
        }
        let index = token as usize - 1;
        if self.hpe.tokens[index].effect == Effect::AtFirstUse {
            self.take_effect(index);
        }
        true
    }

    /// Entra's use of a token: 200 or 401 as [`World::scim`], none when the endpoint cannot be reached.
    pub(super) fn scim_by_entra(&mut self, token: Option<TokenNo>, reaches: bool) -> Option<u16> {
        match self.fault(Op::EntraScim) {
            None | Some(Fault::Slow) => {}
            Some(Fault::Status(status @ (401 | 403), _)) => return Some(status),
            Some(_) => return None,
        }
        if !reaches {
            return None;
        }
        Some(if token.is_some_and(|token| self.use_token(token)) { 200 } else { 401 })
    }

    /// What the clock has brought about: delays that are over, lives that have ended.
    pub(super) fn settle_tokens(&mut self) {
        for index in self.hpe.oldest..self.hpe.tokens.len() {
            let token = &self.hpe.tokens[index];
            if token.dead {
                continue;
            }
            let due = matches!(token.effect, Effect::At(moment) if moment <= self.now);
            if token.expires <= self.now {
                self.kill(index, "its life is over");
            } else if due {
                self.take_effect(index);
            }
        }
        while self.hpe.tokens.get(self.hpe.oldest).is_some_and(|token| token.dead) {
            self.hpe.oldest += 1;
        }
    }

    fn take_effect(&mut self, index: usize) {
        self.hpe.tokens[index].effect = Effect::Taken;
        self.tell(Event::TookEffect { token: number(index) });
        self.kill_before(index, "the next one has taken effect");
    }

    fn kill_before(&mut self, index: usize, why: &'static str) {
        for older in self.hpe.living_before(index) {
            self.kill(older, why);
        }
    }

    fn kill(&mut self, index: usize, why: &'static str) {
        self.hpe.tokens[index].dead = true;
        self.tell(Event::Died { token: number(index), why });
    }
}
