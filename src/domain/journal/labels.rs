//! What stands on one version, and how it is written as tags.
//!
//! Thirteen of Key Vault's fifteen tags are used, each at most 256 characters; records of several fields are small JSON
//! objects, so that a person can read them in the portal. A label is never removed, only overwritten: whether a tag write
//! merges or replaces must not matter.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::notes::{HoldNote, Intent, PauseNote, Proof, RetryNote, Sign, StartNote, TokenNote, is_honest};
use crate::domain::{Reason, Timestamp};

/// The tags of one version, as the vault keeps them.
pub type Tags = BTreeMap<String, String>;

/// The tag that says a version is ours; its value is the version of this scheme.
pub(super) const OURS: &str = "scim-rotator";
const SCHEME: &str = "1";
/// What Key Vault takes as a tag's value, in characters.
pub(super) const MAX_TAG: usize = 256;
/// A place in our order that no honest journal reaches; beyond it, somebody has edited the tag.
pub(super) const MAX_SEQ: u64 = 1_000_000_000_000;

/// What a version's tags make of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// Written by us.
    Ours(Box<Labels>),
    /// No label of ours: somebody else stored it.
    Foreign,
    /// Bears our mark, but a label cannot be read (the tag's name): somebody has edited it.
    Damaged(String),
}

impl Label {
    /// Reads the tags of a version.
    pub fn parse(tags: &Tags) -> Self {
        match tags.get(OURS) {
            None => Self::Foreign,
            Some(scheme) if scheme != SCHEME => Self::Damaged(OURS.to_owned()),
            Some(_) => Labels::parse(tags).map_or_else(Self::Damaged, |labels| Self::Ours(Box::new(labels))),
        }
    }
}

/// Where a version stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Issued and stored; Entra does not hold it for certain.
    Pending,
    /// Entra holds it, or held it until a newer one became current.
    Current,
    /// Refused, superseded or dead: never to be used again.
    Rejected,
    /// Carries an intent where there is no token of ours yet.
    Placeholder,
}

/// Everything that we write onto a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Where the version stands.
    pub stage: Stage,
    /// Our own order of versions: the highest wins.
    pub seq: u64,
    /// What is known of the token in it; none on a placeholder, or on a rejected version that holds no token.
    pub token: Option<TokenNote>,
    /// The rotation that made this version.
    pub rotation: String,
    /// Why it was stored, where no intent tells; of a rejected version, why it was put aside. The name of a [`Reason`].
    pub why: Option<String>,
    /// The write-ahead record of a rotation that starts from this version.
    pub intent: Option<Intent>,
    /// The job's pause during that rotation.
    pub pause: Option<PauseNote>,
    /// How often in a row it has failed, and when the next try may be made.
    pub retry: Option<RetryNote>,
    /// What has been seen of this token at Entra.
    pub proof: Proof,
    /// For which quarantine `start` has been called.
    pub started: Option<StartNote>,
    /// Until when a person wants no rotation by policy.
    pub hold: Option<HoldNote>,
    /// Who wrote this last, and when. Every write signs.
    pub sign: Option<Sign>,
}
impl Labels {
    /// A version that has just been given its place, of which nothing else is known yet.
    pub fn new(stage: Stage, seq: u64, rotation: String, token: Option<TokenNote>) -> Self {
        Self {
            stage,
            seq,
            token,
            rotation,
            why: None,
            intent: None,
            pause: None,
            retry: None,
            proof: Proof::default(),
            started: None,
            hold: None,
            sign: None,
        }
    }

    /// The same, for this reason.
    pub fn because(self, reason: Reason) -> Self {
        Self { why: Some(reason.name().to_owned()), ..self }
    }

    /// From now on it is never to be used again, for this reason.
    pub fn put_aside(&mut self, reason: Reason) {
        self.stage = Stage::Rejected;
        self.why = Some(reason.name().to_owned());
    }

    /// The tags to write. Every tag that this version has ever borne is among them.
    pub fn to_tags(&self) -> Tags {
        let mut tags = Tags::from([
            (OURS.to_owned(), SCHEME.to_owned()),
            ("stage".to_owned(), text(&self.stage)),
            ("seq".to_owned(), self.seq.to_string()),
            ("rotation".to_owned(), self.rotation.clone()),
        ]);
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                debug_assert!(value.len() <= MAX_TAG, "{key} has {} characters", value.len());
                tags.insert(key.to_owned(), value);
            }
        };
        put("token", self.token.as_ref().map(json));
        put("why", self.why.clone());
        put("intent", self.intent.as_ref().map(json));
        put("pause", self.pause.as_ref().map(json));
        put("retry", self.retry.as_ref().map(json));
        put("proof", (self.proof != Proof::default()).then(|| json(&self.proof)));
        put("started", self.started.as_ref().map(json));
        put("hold", self.hold.as_ref().map(json));
        put("sign", self.sign.as_ref().map(json));
        tags
    }

    /// The moments that anything irreversible rests on, with their tags.
    fn moments(&self) -> Vec<(&'static str, Timestamp)> {
        let token = self.token.iter().flat_map(|t| [Some(t.issued), t.expiry.map(|e| e.at)]).map(|at| ("token", at));
        let intent = self.intent.iter().map(|intent| ("intent", Some(intent.at)));
        let pause = self.pause.iter().flat_map(|p| [Some(p.planned), p.at, p.ended]).map(|at| ("pause", at));
        token.chain(intent).chain(pause).filter_map(|(tag, at)| Some((tag, at?))).collect()
    }

    /// Reads the tags; the error names the tag that cannot be read.
    fn parse(tags: &Tags) -> Result<Self, String> {
        fn bad<E>(key: &str) -> impl FnOnce(E) -> String {
            move |_| key.to_owned()
        }
        fn record<T: DeserializeOwned>(tags: &Tags, key: &str) -> Result<Option<T>, String> {
            tags.get(key).map(|value| serde_json::from_str(value)).transpose().map_err(bad(key))
        }
        // Nothing that cannot be undone rests on these: garbage counts as nothing, and is written over in time.
        fn lenient<T: DeserializeOwned>(tags: &Tags, key: &str) -> Option<T> {
            record(tags, key).ok().flatten()
        }
        let intent: Option<Intent> = record(tags, "intent")?;
        // Whoever has taken the tag of a pause away has not taken the pause away.
        let planned = intent.as_ref().filter(|intent| intent.will_pause).map(|intent| PauseNote::planned(intent.at));
        let need = |key: &str| tags.get(key).ok_or_else(|| key.to_owned());
        let stage = serde_json::from_value(need("stage")?.as_str().into()).map_err(bad("stage"))?;
        let labels = Self {
            stage,
            seq: need("seq")?.parse().map_err(bad("seq"))?,
            token: record(tags, "token")?,
            rotation: need("rotation")?.clone(),
            why: tags.get("why").cloned(),
            pause: record(tags, "pause")?.or(planned),
            intent,
            retry: lenient(tags, "retry")
                .filter(|retry: &RetryNote| is_honest(retry.not_before) && retry.in_need.is_none_or(is_honest)),
            proof: lenient(tags, "proof").filter(Proof::is_honest).unwrap_or_default(),
            started: lenient(tags, "started"),
            hold: lenient(tags, "hold").filter(|hold: &HoldNote| is_honest(hold.until)),
            sign: lenient(tags, "sign").filter(|sign: &Sign| is_honest(sign.at)),
        };
        if labels.seq > MAX_SEQ {
            return Err("seq".to_owned());
        }
        if let Some((tag, _)) = labels.moments().into_iter().find(|(_, at)| !is_honest(*at)) {
            return Err(tag.to_owned());
        }
        if labels.token.is_none() && !matches!(labels.stage, Stage::Placeholder | Stage::Rejected) {
            return Err("token".to_owned());
        }
        Ok(labels)
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn text(stage: &Stage) -> String {
    json(stage).trim_matches('"').to_owned()
}
