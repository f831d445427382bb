//! The saved credentials: how Graph shows, writes and tests them, and what a PUT does to the settings beside the token.

use scim_rotator::domain::settings::{BASE_ADDRESS, SECRET_TOKEN};

use super::entra::{Pair, Saved};
use super::{Event, PutReading, TokenNo, World};

/// What must be in the body for a PUT not to be dropped, where PUT drops.
const COMPLETE: [&str; 2] = ["SyncAll", "SyncNotificationSettings"];
const MASK: &str = "*";

impl World {
    /// `GET …/synchronization/secrets`: what is saved, sensitive values masked.
    pub fn graph_settings(&self) -> Vec<Pair> {
        let shown = self.entra.latest().pairs.iter().filter(|(key, _)| !self.settings.hidden.contains(key));
        shown
            .map(|(key, value)| {
                let masked = key == SECRET_TOKEN || self.settings.masked.contains(key);
                (key.clone(), if masked { MASK.to_owned() } else { value.clone() })
            })
            .collect()
    }

    /// `PUT …/synchronization/secrets`: 204 whatever comes of it.
    pub fn put_settings(&mut self, body: &[Pair]) {
        let value = body.iter().find(|(key, _)| key == SECRET_TOKEN).map(|(_, value)| value.clone());
        let token = value.as_deref().and_then(|value| self.hpe.find(value));
        self.ledger.masks_sent += u32::try_from(body.iter().filter(|(_, v)| v == MASK).count()).unwrap_or(u32::MAX);
        let complete = COMPLETE.iter().all(|needed| body.iter().any(|(key, _)| key == needed));
        let ignored = match self.settings.put {
            PutReading::DropsUnlessComplete => !complete,
            PutReading::IgnoresFirst => self.entra.ignored != value,
            PutReading::Merges | PutReading::Replaces => false,
        };
        if ignored {
            self.entra.ignored = value;
            self.tell(Event::PutIgnored { token });
            return;
        }
        let mut pairs = match self.settings.put {
            PutReading::Replaces => Vec::new(),
            _ => self.entra.latest().pairs.clone(),
        };
        for (key, value) in body {
            match pairs.iter_mut().find(|(k, _)| k == key) {
                Some(pair) => pair.1.clone_from(value),
                None => pairs.push((key.clone(), value.clone())),
            }
        }
        self.note_siblings(&pairs);
        self.save(pairs);
        self.reckon();
    }

    /// `validateCredentials` with a candidate: 204 (true) or 400 (false). A use of the token.
    pub fn test_candidate(&mut self, body: &[Pair]) -> bool {
        let value = |wanted| body.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
        let token = value(SECRET_TOKEN).and_then(|value| self.hpe.find(value));
        let reaches = value(BASE_ADDRESS).is_some_and(|url| self.is_tenant_url(url));
        self.test(token, reaches, false)
    }

    /// `validateCredentials` with `useSavedCredentials`.
    pub fn test_saved(&mut self) -> bool {
        let seen = self.entra.seen_by_check(self.now);
        let (token, reaches) = (seen.token, seen.reaches);
        self.test(token, reaches, true)
    }

    fn test(&mut self, token: Option<TokenNo>, reaches: bool, saved: bool) -> bool {
        let accepted = self.scim_by_entra(token, reaches) == Some(200);
        self.tell(Event::Tested { token, saved, accepted });
        self.reckon();
        accepted
    }

    /// A person pastes a token in the portal.
    pub fn person_saves(&mut self, value: &str) {
        self.person_sets(SECRET_TOKEN, value);
    }

    /// A person changes the tenant URL or another setting in the portal; it is meant to be so from now on.
    pub fn person_sets(&mut self, key: &str, value: &str) {
        let mut pairs = self.entra.latest().pairs.clone();
        pairs.retain(|(k, _)| k != key);
        pairs.push((key.to_owned(), value.to_owned()));
        if key != SECRET_TOKEN && key != BASE_ADDRESS {
            self.entra.intended.retain(|(k, _)| k != key);
            self.entra.intended.push((key.to_owned(), value.to_owned()));
        }
        self.save(pairs);
        self.reckon();
    }

    /// The siblings that are not saved as they are meant to be: lost or changed.
    pub fn settings_lost(&self) -> Vec<&str> {
        let pairs = &self.entra.latest().pairs;
        self.entra.intended.iter().filter(|pair| !pairs.contains(pair)).map(|(key, _)| key.as_str()).collect()
    }

    /// The number of the token that is saved; none when it is no token of HPE's.
    pub fn saved_token(&self) -> Option<TokenNo> {
        self.entra.latest().token
    }

    /// Whether HPE accepts what Entra's cycles would use now. The invariant above all others.
    pub fn entra_holds_a_working_token(&self) -> bool {
        !self.dead
    }

    fn save(&mut self, pairs: Vec<Pair>) {
        let value = |wanted| pairs.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
        let token = value(SECRET_TOKEN).and_then(|value| self.hpe.find(value));
        let reaches = value(BASE_ADDRESS).is_some_and(|url| self.is_tenant_url(url));
        self.entra.delay = self.settings.verification_delay;
        self.entra.delayed = self.settings.delayed;
        let horizon = self.now - self.entra.delay;
        // Only the newest of those that everybody sees is still of use.
        if let Some(seen) = self.entra.saved.iter().rposition(|saved| saved.at <= horizon) {
            self.entra.saved.drain(..seen);
        }
        // What was saved before the world began has long been seen by everybody.
        let began = self.now == self.settings.start;
        if began {
            self.entra.saved.clear();
        }
        let at = if began { self.now - self.entra.delay } else { self.now };
        self.entra.saved.push(Saved { at, pairs, token, reaches });
        self.tell(Event::Saved { token });
    }

    fn note_siblings(&mut self, after: &[Pair]) {
        let before = self.settings_lost().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let lost: Vec<_> = self
            .entra
            .intended
            .iter()
            .filter(|pair| !after.contains(pair) && !before.contains(&pair.0))
            .map(|(key, _)| key.clone())
            .collect();
        let known = |key: &String| {
            key == SECRET_TOKEN || key == BASE_ADDRESS || self.entra.latest().pairs.iter().any(|(k, _)| k == key)
        };
        let added: Vec<_> = after.iter().map(|(key, _)| key).filter(|key| !known(key)).cloned().collect();
        for key in lost {
            self.ledger.siblings_lost.push(key.clone());
            self.tell(Event::SiblingLost { key });
        }
        self.ledger.siblings_added.extend(added);
    }

    fn is_tenant_url(&self, url: &str) -> bool {
        url.trim_end_matches('/').eq_ignore_ascii_case(self.settings.tenant_url.trim_end_matches('/'))
    }
}
