//! A bearer that stands in a file: a person has pasted it, or another program keeps it fresh. Read anew at each use.

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::SERVICE;
use super::bearer::Bearer;
use super::claims::{Claims, bearer_in};
use super::login::no_file;
use super::refused::Refused;
use crate::domain::Timestamp;
use crate::ports::{CallError, Class};
use crate::secret_file::SecretFile;

/// With less left than this, one is as good as over: a request may take as long.
pub(super) const SHORTEST: TimeDelta = TimeDelta::seconds(30);

/// The bearer in the file, if it is alive. Everything that can be wrong with it is for a person to mend.
pub(super) fn read(file: &SecretFile, now: Timestamp) -> Result<Bearer, CallError> {
    let refuse = |what: String| {
        let mut call = CallError::new(SERVICE, Class::Human, what);
        call.advice = Some(Refused::Pasted.message().remedy.to_owned());
        call
    };
    let path = file.path().display();
    let text = file.read().map_err(|error| {
        let mut call = no_file(&error, Class::Human);
        call.advice = Some(Refused::Pasted.message().remedy.to_owned());
        call
    })?;
    let token =
        bearer_in(text.expose_secret()).map_err(|why| refuse(format!("the file {path} holds no bearer: {why}")))?;
    let bearer = of(token);
    match bearer.left(now) {
        Some(left) if left <= TimeDelta::zero() => {
            let ended = bearer.ends.map(|ends| ends.to_rfc3339()).unwrap_or_default();
            Err(refuse(format!("the bearer in {path} ended at {ended}, by this machine's clock")))
        }
        Some(left) if left < SHORTEST => {
            Err(refuse(format!("the bearer in {path} ends in {} seconds, which is too soon", left.num_seconds())))
        }
        _ => Ok(bearer),
    }
}

/// A bearer that says itself when it ends, or does not say so.
pub(super) fn of(token: &str) -> Bearer {
    let claims = Claims::of(token).unwrap_or_default();
    Bearer { token: SecretString::from(token), ends: claims.ends(), tenant: claims.tenant }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn bearer(exp: i64) -> String {
        format!("e30.{}.canary-signature", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp},\"tenantId\":\"t\"}}")))
    }

    #[test]
    fn its_own_end_decides_and_everything_else_is_for_a_person() {
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = SecretFile::new(dir.path().join("bearer"));
        let at = |seconds: i64| bearer(1_800_000_000 + seconds);
        let table = [
            (Some(at(60)), None),
            (Some(format!("Bearer {}\n", at(31))), None),
            (Some("opaque-one".to_owned()), None),
            (Some(at(29)), Some("ends in 29 seconds")),
            (Some(at(0)), Some("ended at 2027-01-15T08:00:00")),
            (Some(at(-86_400)), Some("ended at 2027-01-14")),
            (Some("two\nlines".to_owned()), Some("more than one line")),
            (Some(" \n".to_owned()), Some("is empty")),
            (None, Some("does not exist")),
        ];
        for (text, refusal) in table {
            let _absent = std::fs::remove_file(file.path());
            text.iter().for_each(|text| std::fs::write(file.path(), text).unwrap());
            match (read(&file, now), refusal) {
                (Ok(_), None) => {}
                (Err(error), Some(words)) => {
                    let said = error.to_string();
                    assert!(said.contains(words) && said.contains("scim-rotator rotate NAME"), "{words}: {said}");
                    assert!(error.class == Class::Human && !format!("{said}{error:?}").contains("canary"), "{said}");
                }
                (read, words) => panic!("{words:?}: {:?}", read.map(|_| ())),
            }
        }
        std::fs::write(file.path(), at(60)).unwrap();
        assert_eq!(read(&file, now).unwrap().tenant.as_deref(), Some("t"));
    }
}
