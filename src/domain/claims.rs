//! What an access token says of itself: whom it speaks for and what that one may do. Nothing is verified, and nothing of
//! the token but these names ever leaves here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use uuid::Uuid;

use super::Timestamp;

/// No more names than these are kept of one claim.
const MOST: usize = 40;
/// A name longer than this, in characters, is none.
const LONGEST: usize = 100;

/// The claims that tell who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `oid`: the object id of whom it speaks for, in Entra.
    pub object_id: Option<Uuid>,
    /// `appid` or `azp`: the application id, in Entra.
    pub app_id: Option<Uuid>,
    /// `tid` (Entra) or `tenantId` (HPE): the tenant.
    pub tenant: Option<String>,
    /// `roles`: what an application may do by itself.
    pub roles: Vec<String>,
    /// `scp` or `scope`: what it may do in a person's name (Entra), or what it was asked for (HPE).
    pub scopes: Vec<String>,
    /// `exp`: the end of its life.
    pub expires: Option<Timestamp>,
}

impl Claims {
    /// Of a JWT; none of anything else.
    pub fn of(token: &str) -> Option<Self> {
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        let id = |name: &str| claims[name].as_str().and_then(|text| Uuid::try_parse(text).ok());
        let text = |name: &str| claims[name].as_str().filter(|text| is_name(text)).map(str::to_owned);
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked by from_timestamp")]
        let expires = claims["exp"].as_f64().and_then(|exp| Timestamp::from_timestamp(exp as i64, 0));
        Some(Self {
            object_id: id("oid"),
            app_id: id("appid").or_else(|| id("azp")),
            tenant: text("tid").or_else(|| text("tenantId")),
            roles: names(&claims["roles"]),
            scopes: Some(names(&claims["scp"])).filter(|scopes| !scopes.is_empty()).unwrap_or(names(&claims["scope"])),
            expires,
        })
    }

    /// Whether it has one of these roles.
    pub fn has_role(&self, roles: &[&str]) -> bool {
        self.roles.iter().any(|role| roles.contains(&role.as_str()))
    }

    /// Whether it speaks for a person rather than for an application: by permissions that were delegated.
    pub fn is_delegated(&self) -> bool {
        self.roles.is_empty() && !self.scopes.is_empty()
    }
}

/// A list of names, or names in one text with blanks between.
fn names(value: &Value) -> Vec<String> {
    let texts: Vec<&str> = match value {
        Value::String(text) => text.split_whitespace().collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    texts.into_iter().filter(|text| is_name(text)).take(MOST).map(str::to_owned).collect()
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:/".contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn roles_and_ids_are_read_and_what_is_no_name_is_left_out() {
        let id = "5d0b2f3e-8f10-4d6e-9a9c-0d3f2f6f1a01";
        let roles = ["Application.ReadWrite.OwnedBy", "two words", "", &"x".repeat(101)];
        let claims = json!({"oid": id, "appid": "no id", "azp": id, "tid": id, "roles": roles, "exp": 1_800_000_000});
        let seen = Claims::of(&jwt(&claims)).unwrap();
        let id = Uuid::try_parse(id).ok();
        assert_eq!((seen.object_id, seen.app_id, seen.expires.is_some()), (id, id, true));
        assert_eq!(seen.roles, ["Application.ReadWrite.OwnedBy"]);
        assert!(seen.has_role(&["Application.ReadWrite.OwnedBy"]) && !seen.has_role(&["two words"]));
    }

    #[test]
    fn a_persons_permissions_stand_in_one_text_and_are_told_from_an_applications() {
        let person = Claims::of(&jwt(&json!({"scp": "User.Read Application.ReadWrite.All"}))).unwrap();
        assert_eq!(person.scopes, ["User.Read", "Application.ReadWrite.All"]);
        assert!(person.is_delegated());
        assert!(!Claims::of(&jwt(&json!({}))).unwrap().is_delegated());
        let hpe = Claims::of(&jwt(&json!({"tenantId": "t-1", "scope": "hpe-tenant"}))).unwrap();
        assert_eq!((hpe.tenant.as_deref(), hpe.scopes.as_slice()), (Some("t-1"), &["hpe-tenant".to_owned()][..]));
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
        for text in ["", "opaque", "a.b.c", "e30.!!.x"] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
    }
}
