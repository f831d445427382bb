//! Blots out, in a line that is about to be shown, whatever may be a secret.
//!
//! The line may be broken TOML, so this reads no grammar: it looks for a key that names a secret and hides what follows
//! it. To hide too much is fine; the length is hidden as well.

use std::ops::Range;

/// What stands in place of hidden text.
const BLOT: &str = "…";

/// Whether a key of this name holds a secret, or looks as if somebody thought that it should.
pub(super) fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["secret", "passw", "token", "bearer", "assertion"].iter().any(|part| key.contains(part))
        || key.split(['_', '-', '.']).any(|word| ["auth", "credential", "key", "pwd", "sig"].contains(&word))
}

/// The line without its secrets, and the place of `mark` (bytes) in what is left.
pub(super) fn blot(line: &str, mark: Range<usize>) -> (String, Range<usize>) {
    let mut out = String::new();
    let mut at = 0;
    let (mut start, mut end) = (None, None);
    let mut copy = |upto: usize, at: &mut usize, out: &mut String, hide: bool| {
        for (edge, place) in [(mark.start, &mut start), (mark.end, &mut end)] {
            if place.is_none() && (*at..upto).contains(&edge) {
                *place = Some(out.len() + if hide { 0 } else { edge - *at });
            }
        }
        out.push_str(if hide { BLOT } else { &line[*at..upto] });
        *at = upto;
    };
    for hidden in hidden(line) {
        copy(hidden.start, &mut at, &mut out, false);
        copy(hidden.end, &mut at, &mut out, true);
    }
    copy(line.len(), &mut at, &mut out, false);
    let start = start.unwrap_or(out.len());
    let end = end.unwrap_or(out.len()).max(start);
    (out, start..end)
}

/// The spans to hide, in order and apart.
fn hidden(line: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut starts = vec![line.len() - line.trim_start().len()];
    let mut value_ends = 0;
    for (equals, _) in line.match_indices('=') {
        let key = line[..equals].trim_end().trim_end_matches(['"', '\'']);
        let key = key.rsplit(|c: char| !c.is_alphanumeric() && !"_-.".contains(c)).next().unwrap_or_default();
        let rest = line[equals + 1..].trim_start();
        let from = line.len() - rest.len();
        let length = value_length(rest);
        if equals >= value_ends && !rest.starts_with('{') {
            starts.push(from);
            value_ends = from + if rest.starts_with(['"', '\'']) { length } else { 0 };
        }
        let value = &rest[..length];
        let hides = names_a_secret(key)
            || names_a_person(key) && !is_harmless_id(value)
            || names_a_url(key) && may_let_in(value);
        if hides && !rest.starts_with(['{', '[']) && !rest.is_empty() {
            spans.push(from..from + length);
        }
    }
    // What stands before an `@` may be a user name and a password, whatever characters those have.
    for (at, _) in line.match_indices('@') {
        let start = starts.iter().rev().find(|start| **start <= at).copied().unwrap_or_default();
        let value =
            line[start..at].trim_start_matches(|c: char| c == '[' || c == '"' || c == '\'' || c.is_whitespace());
        let value = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or(value);
        spans.push(at - value.len()..at);
    }
    spans.sort_by_key(|span| span.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => apart.push(span),
        }
    }
    apart
}

/// Whether the value of this key says who somebody is, or by what: where it does not look like that, it may be what they log
/// in with.
fn names_a_person(key: &str) -> bool {
    key.to_ascii_lowercase()
        .split(['_', '-', '.'])
        .any(|word| ["id", "user", "username", "certificate"].contains(&word))
}

fn is_harmless_id(value: &str) -> bool {
    let text = value.trim_matches(['"', '\'']);
    ["/", "./", "../"].iter().any(|path| text.starts_with(path)) || uuid::Uuid::try_parse(text).is_ok()
}

fn names_a_url(key: &str) -> bool {
    key.to_ascii_lowercase().split(['_', '-', '.']).any(|word| ["url", "uri", "webhook", "hook"].contains(&word))
}

/// Whether this may be the URL of a webhook, whose path or query is what lets somebody in: no path of a service's API has so long a
/// piece.
fn may_let_in(value: &str) -> bool {
    !is_harmless_id(value) && value.split(['/', '?', '&', '=']).any(|piece| piece.len() >= 20 && !piece.contains('.'))
}

/// How far a value goes: a quoted one to its closing quote, a bare one to the next comma or brace, a broken one to the end.
fn value_length(rest: &str) -> usize {
    let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'');
    if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
        return rest.len();
    }
    let Some(quote) = quote else {
        return rest.find([',', '}']).map_or(rest.len(), |at| rest[..at].trim_end().len());
    };
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blotted(line: &str) -> String {
        blot(line, 0..1).0
    }

    #[test]
    fn the_value_of_a_key_that_names_a_secret_is_hidden_whole_or_broken() {
        assert_eq!(blotted(r#"client_secret = "hun,ter}2" # x"#), "client_secret = … # x");
        assert_eq!(blotted(r#"client_secret = "hunter2"#), "client_secret = …");
        assert_eq!(blotted("password = hunter2"), "password = …");
        assert_eq!(blotted(r#""clientSecret"='a"b', url = "x""#), r#""clientSecret"=…, url = "x""#);
        assert_eq!(blotted(r#"a = { api_key = "k\"ey", b = 1 }"#), "a = { api_key = …, b = 1 }");
        assert_eq!(blotted("auth = \"\"\"multi"), "auth = …");
        assert_eq!(blotted("x = \"https://a.example/w?v=1&sig=Zq81\""), "x = \"https://a.example/w?v=1&sig=…");
    }

    #[test]
    fn the_url_of_a_webhook_is_hidden_and_that_of_a_service_is_not() {
        for key in ["url", "url_file", "webhook"] {
            assert_eq!(
                blotted(&format!("{key} = \"https://hc.example/8f14e45f-ceea-467f-9c3b-1d2f\"")),
                format!("{key} = …")
            );
        }
        for line in [
            "url = \"https://sps.us1.greenlake-hpe.com/v1alpha1\"",
            "tenant_url = \"https://sps.us1.greenlake-hpe.com/v1alpha1/scimproxy?aadOptscim062020\"",
            "url_file = \"/run/credentials/scim-rotator.service/the-webhook-of-the-operators\"",
        ] {
            assert_eq!(blotted(line), line);
        }
    }

    #[test]
    fn user_names_and_passwords_in_a_url_are_hidden_whatever_characters_they_have() {
        let table = [
            (r#"url = "https://me:pw@x.test/p""#, r#"url = "https://…@x.test/p""#),
            (r#"proxy = "svc:pw@x.test:3128""#, r#"proxy = "…@x.test:3128""#),
            (r#"proxy = "http:svc:pw@x.test:3128""#, r#"proxy = "…@x.test:3128""#),
            (r#"proxy = "http://svc:p/w@x.test:3128""#, r#"proxy = "http://…@x.test:3128""#),
            (r#"proxy = "http://svc:p w, q@x.test:3128""#, r#"proxy = "http://…@x.test:3128""#),
            (r#"proxy = "http://svc:p@w=q@x.test:3128""#, r#"proxy = "http://…@x.test:3128""#),
            (r#"issuer = { url = "http://svc:p=w@x", b = "c" }"#, r#"issuer = { url = "http://…@x", b = "c" }"#),
            (r#"no_proxy = ["a.test", "svc:pw@x"]"#, r#"no_proxy = ["…@x"]"#),
            // Broken: without quotes, with one too many or too few, or going on from the line before.
            ("proxy = http://svc:p,w x@x.test", "proxy = http://…@x.test"),
            (r#"proxy = "http://svc:p"w@x.test""#, r#"proxy = "http://…@x.test""#),
            (r#"proxy = "http://svc:pw@x.test"#, r#"proxy = "http://…@x.test"#),
            (r#"    "svc:pw@x.test","#, r#"    "…@x.test","#),
            ("proxy http://svc:pw@x.test", "…@x.test"),
        ];
        for (line, shown) in table {
            assert_eq!(blotted(line), shown);
        }
    }

    #[test]
    fn a_name_or_an_id_that_may_be_what_somebody_logs_in_with_is_hidden() {
        let id = r#"client_id = "8f14e45f-ceea-467f-9c3b-1d2f3a4b5c6d", kind = "x""#;
        assert_eq!(blotted(id), id);
        assert_eq!(blotted(r#"client_id = "Jq8~hunter2x", kind = "x""#), r#"client_id = …, kind = "x""#);
        assert_eq!(blotted(r#"proxy_user = "svc:hunter2x""#), "proxy_user = …");
        assert_eq!(blotted("tenant_id = hunter2x"), "tenant_id = …");
        for line in [r#"resource_id = "/subscriptions/x""#, r#"certificate_file = "./x.pem""#] {
            assert_eq!(blotted(line), line);
        }
        assert_eq!(blotted(r#"certificate_file = "hunter2x""#), "certificate_file = …");
    }

    #[test]
    fn a_line_without_secrets_is_left_alone() {
        let line = r#"auth = { kind = "glcs" }, authority = "http://x""#;
        assert_eq!(blotted(line), line);
    }

    #[test]
    fn the_mark_moves_with_the_text() {
        let line = r#"token = "0123456789", mode = 7"#;
        let (text, mark) = blot(line, 29..30);
        assert_eq!(text, "token = …, mode = 7");
        assert_eq!(&text[mark], "7");
        let (text, mark) = blot(line, 8..20);
        assert_eq!(&text[mark], "…");
    }
}
