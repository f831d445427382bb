//! The saved credentials of a provisioning job, whose siblings must survive every write.
//!
//! Whether Graph's PUT merges, replaces or silently drops is unknown (Microsoft's own sources conflict), so every
//! readable setting is sent again, and what a PUT lost is noticed and put back.

use super::Token;
use crate::messages::{Message, messages};

/// Graph's name of the tenant URL.
pub const BASE_ADDRESS: &str = "BaseAddress";
/// Graph's name of the token.
pub const SECRET_TOKEN: &str = "SecretToken";
/// What a masked value is read as.
const MASKED: &str = "*";
/// Sent only once a PUT without them has proved to be dropped: to add them is a change of settings.
const DEFAULTS: [(&str, &str); 2] =
    [("SyncAll", "false"), ("SyncNotificationSettings", r#"{"Enabled":false,"DeleteThresholdEnabled":false}"#)];

/// The pairs that `GET …/synchronization/secrets` shows. Sensitive values are masked there, so this holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(pub Vec<(String, String)>);

/// Why the settings cannot be written without losing something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsRefusal {
    /// The job provisions somewhere else: our token must not be sent there.
    #[error("Entra's saved tenant URL is {found:?}, the configuration says {expected:?}")]
    ForeignTenantUrl {
        /// What Entra holds.
        found: String,
        /// What the configuration says.
        expected: String,
    },
    /// A masked secret beside the token, which a replacing PUT would lose.
    #[error("the job also holds a secret {0:?} that cannot be read back and sent again")]
    UnreadableSibling(String),
    /// The job does not authenticate with a token.
    #[error("the job authenticates by {0:?}, not by a secret token")]
    NotTokenAuthentication(String),
}

messages! {
    /// The same, as an operator meets them.
    pub enum Unsuitable {
        /// Somewhere else.
        ForeignTenantUrl {
            shows: "\"Entra's saved tenant URL is …, the configuration says …\"",
            means: "Entra provisions somewhere else than the configuration says: no token is sent anywhere",
            remedy: "correct entra.tenant_url, or the Tenant URL in the portal (the application → Provisioning → Admin Credentials)",
        }
        /// Another secret.
        UnreadableSibling {
            shows: "\"the job also holds a secret … that cannot be read back\"",
            means: "a write might lose that secret, since Entra shows none",
            remedy: "choose the secret token as the only credential in the portal (the application → Provisioning → Admin \
                     Credentials)",
        }
        /// OAuth.
        NotTokenAuthentication {
            shows: "\"the job authenticates by …, not by a secret token\"",
            means: "another kind of authentication is configured for the application",
            remedy: "choose bearer authentication with a secret token in the portal (the application → Provisioning → Admin \
                     Credentials)",
        }
    }
}

impl SettingsRefusal {
    /// What it means, and what to do.
    pub const fn message(&self) -> Message {
        match self {
            Self::ForeignTenantUrl { .. } => Unsuitable::ForeignTenantUrl.message(),
            Self::UnreadableSibling(_) => Unsuitable::UnreadableSibling.message(),
            Self::NotTokenAuthentication(_) => Unsuitable::NotTokenAuthentication.message(),
        }
    }
}

impl Settings {
    /// The value of `key`, unless it is masked or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty() && *v != MASKED)
    }

    /// Whether these settings can be written again around a new token for `tenant_url`.
    pub fn check(&self, tenant_url: &str) -> Result<(), SettingsRefusal> {
        if let Some(found) = self.get(BASE_ADDRESS)
            && !same_url(found, tenant_url)
        {
            return Err(SettingsRefusal::ForeignTenantUrl { found: shorten(found), expected: tenant_url.to_owned() });
        }
        if let Some(kind) = self.get("AuthenticationType")
            && kind.to_ascii_lowercase().contains("oauth")
        {
            return Err(SettingsRefusal::NotTokenAuthentication(shorten(kind)));
        }
        match self.0.iter().find(|(k, v)| v == MASKED && k != SECRET_TOKEN && k != BASE_ADDRESS) {
            Some((key, _)) => Err(SettingsRefusal::UnreadableSibling(shorten(key))),
            None => Ok(()),
        }
    }

    /// The settings that GET shows in `self` and no longer (or otherwise) in `after`: what a PUT lost.
    pub fn lost_in<'a>(&'a self, after: &Settings) -> Vec<&'a str> {
        self.kept().filter(|(k, v)| after.get(k) != Some(v)).map(|(k, _)| k).collect()
    }

    /// What was `lost` of these, as it was, among what stands there now: that may be somebody's since.
    #[must_use]
    pub fn put_back(&self, lost: &[&str], now: &Self) -> Self {
        let is_lost = |key: &str| lost.contains(&key);
        let stands = now.0.iter().filter(|(key, _)| !is_lost(key));
        Self(stands.chain(self.0.iter().filter(|(key, _)| is_lost(key))).cloned().collect())
    }

    /// The settings that GET shows in `self` and no longer in `after`.
    pub fn gone_from<'a>(&'a self, after: &Settings) -> Vec<&'a str> {
        self.kept().filter(|(k, _)| after.get(k).is_none()).map(|(k, _)| k).collect()
    }

    /// A setting that stands at its own default, so that losing it changes nothing.
    pub fn at_default(&self) -> Option<&'static str> {
        let same = |found: &str, default: &str| {
            let json = |text| serde_json::from_str::<serde_json::Value>(text).ok();
            found.eq_ignore_ascii_case(default) || json(found).is_some_and(|value| Some(value) == json(default))
        };
        let stands = |key: &str, default: &str| self.get(key).is_some_and(|found| same(found, default));
        DEFAULTS.iter().rev().find(|(key, default)| stands(key, default)).map(|(key, _)| *key)
    }

    /// The readable pairs that stand beside the credentials.
    fn kept(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .filter(|(k, v)| *k != SECRET_TOKEN && *k != BASE_ADDRESS && *v != MASKED && !v.is_empty())
    }
}

/// The body of one PUT: every setting worth keeping, and the token.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretsUpdate {
    /// Every pair but the token.
    pub pairs: Vec<(String, String)>,
    /// Goes out as `SecretToken`.
    pub token: Token,
}

impl SecretsUpdate {
    /// What to send so that only the token changes. `complete` adds the settings that a dropping PUT wants to see.
    pub fn new(settings: &Settings, tenant_url: &str, token: Token, complete: bool) -> Self {
        let mut pairs = vec![(BASE_ADDRESS.to_owned(), settings.get(BASE_ADDRESS).unwrap_or(tenant_url).to_owned())];
        pairs.extend(settings.kept().map(|(k, v)| (k.to_owned(), v.to_owned())));
        if complete {
            let missing = DEFAULTS.iter().filter(|(k, _)| settings.get(k).is_none());
            pairs.extend(missing.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        }
        Self { pairs, token }
    }

    /// The same without one setting.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.pairs.retain(|(known, _)| known != key);
        self
    }
}

/// Same scheme, host (whatever its case), path (a slash at its end aside) and query, which holds Entra's feature flags.
fn same_url(a: &str, b: &str) -> bool {
    let plain = |text: &str| {
        let mut url = url::Url::parse(text.trim()).ok()?;
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Some(url)
    };
    plain(a).zip(plain(b)).is_some_and(|(a, b)| a == b)
}

fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://sps.example.com/v1alpha1/scimproxy";

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn what_is_put_back_leaves_alone_what_somebody_has_changed_or_added_since() {
        let of = |pairs: &[(&str, &str)]| Settings(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
        let before = of(&[("Kept", "1"), ("Gone", "2")]);
        let now = of(&[("Kept", "3"), ("Added", "4")]);
        assert_eq!((before.gone_from(&now), before.lost_in(&now)), (vec!["Gone"], vec!["Kept", "Gone"]));
        let back = before.put_back(&before.gone_from(&now), &now);
        assert_eq!(back, of(&[("Kept", "3"), ("Added", "4"), ("Gone", "2")]));
    }

    #[test]
    fn every_readable_setting_is_sent_again_and_no_mask_ever() {
        let seen =
            settings(&[(BASE_ADDRESS, URL), (SECRET_TOKEN, "*"), ("SyncAll", "true"), ("HardDeletesEnabled", "")]);
        let update = SecretsUpdate::new(&seen, URL, Token::parse("12345678").unwrap(), true);
        let keys: Vec<_> = update.pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(keys, [(BASE_ADDRESS, URL), ("SyncAll", "true"), DEFAULTS[1]]);
    }

    #[test]
    fn defaults_are_added_only_when_asked_for() {
        let update = SecretsUpdate::new(&settings(&[]), URL, Token::parse("12345678").unwrap(), false);
        assert_eq!(update.pairs, [(BASE_ADDRESS.to_owned(), URL.to_owned())]);
    }

    #[test]
    fn a_token_is_never_sent_to_somebody_elses_tenant_url() {
        let seen = settings(&[(BASE_ADDRESS, "https://evil.example.com/scim")]);
        assert!(matches!(seen.check(URL), Err(SettingsRefusal::ForeignTenantUrl { .. })));
        assert_eq!(settings(&[(BASE_ADDRESS, "https://SPS.example.com/v1alpha1/scimproxy/")]).check(URL), Ok(()));
    }

    #[test]
    fn the_feature_flags_of_a_tenant_url_belong_to_it() {
        let flagged = format!("{URL}?aadOptscim062020");
        for saved in [flagged.clone(), format!("{URL}/?aadOptscim062020")] {
            let seen = settings(&[(BASE_ADDRESS, &saved)]);
            assert_eq!(seen.check(&flagged), Ok(()), "{saved}");
            assert!(matches!(seen.check(URL), Err(SettingsRefusal::ForeignTenantUrl { .. })), "{saved}");
            let update = SecretsUpdate::new(&seen, &flagged, Token::parse("12345678").unwrap(), false);
            assert_eq!(update.pairs, [(BASE_ADDRESS.to_owned(), saved)], "what is saved is sent as it is");
        }
    }

    #[test]
    fn a_second_secret_or_oauth_is_refused_before_anything_irreversible() {
        let second = settings(&[(SECRET_TOKEN, "*"), ("ClientSecret", "*")]);
        assert!(matches!(second.check(URL), Err(SettingsRefusal::UnreadableSibling(_))));
        let oauth = settings(&[("AuthenticationType", "OAuth2ClientCredentials")]);
        assert!(matches!(oauth.check(URL), Err(SettingsRefusal::NotTokenAuthentication(_))));
    }

    #[test]
    fn only_a_setting_that_stands_at_its_default_may_be_left_out_and_only_that_one_is() {
        let loud = r#"{"Enabled":true,"DeleteThresholdEnabled":false}"#;
        let quiet = r#"{ "DeleteThresholdEnabled": false, "Enabled": false }"#;
        for (pairs, expected) in [
            (&[("SyncAll", "False"), ("SyncNotificationSettings", loud)][..], Some("SyncAll")),
            (&[("SyncAll", "true"), ("SyncNotificationSettings", quiet)], Some("SyncNotificationSettings")),
            (&[("SyncAll", "false"), ("SyncNotificationSettings", quiet)], Some("SyncNotificationSettings")),
            (&[("SyncAll", "true"), ("SyncNotificationSettings", loud), ("Other", "false")], None),
            (&[("SyncAll", "*")], None),
        ] {
            assert_eq!(settings(pairs).at_default(), expected, "{pairs:?}");
        }
        let seen = settings(&[("SyncAll", "false"), ("Other", "x")]);
        let update = SecretsUpdate::new(&seen, URL, Token::parse("12345678").unwrap(), false).without("SyncAll");
        let keys: Vec<_> = update.pairs.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [BASE_ADDRESS, "Other"]);
    }

    #[test]
    fn a_setting_that_a_put_lost_or_changed_is_named() {
        let before = settings(&[("SyncAll", "true"), ("Other", "x"), (SECRET_TOKEN, "*")]);
        assert_eq!(before.lost_in(&settings(&[("SyncAll", "false"), ("Other", "x")])), ["SyncAll"]);
    }

    #[test]
    fn neither_a_mask_nor_nothing_is_a_value() {
        let seen = settings(&[("Masked", "*"), ("Empty", ""), ("Full", "x")]);
        assert_eq!(["Masked", "Empty", "Full", "Missing"].map(|key| seen.get(key)), [None, None, Some("x"), None]);
    }

    #[test]
    fn a_masked_token_and_a_masked_url_keep_nobody_from_writing_and_are_not_sent_again() {
        let seen = settings(&[(BASE_ADDRESS, "*"), (SECRET_TOKEN, "*"), ("SyncAll", "true")]);
        assert_eq!(seen.check(URL), Ok(()));
        let update = SecretsUpdate::new(&seen, URL, Token::parse("12345678").unwrap(), false);
        let keys: Vec<_> = update.pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(keys, [(BASE_ADDRESS, URL), ("SyncAll", "true")]);
    }

    #[test]
    fn a_refusal_names_what_stands_in_the_way_and_not_at_any_length() {
        let refused = settings(&[("ClientSecret", "*")]).check(URL);
        assert_eq!(refused, Err(SettingsRefusal::UnreadableSibling("ClientSecret".to_owned())));
        let refused = settings(&[(&"x".repeat(1000), "*")]).check(URL);
        assert_eq!(refused, Err(SettingsRefusal::UnreadableSibling("x".repeat(200))));
    }
}
