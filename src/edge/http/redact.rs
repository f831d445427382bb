//! Words of a service, made fit for a message: short, on one line, and without anything that may be a secret.

use std::borrow::Cow;

/// No longer than this, in characters: Key Vault tells at length who was refused what.
const MAX_WORDS: usize = 700;
/// A run of token characters from this length on may be a token.
const SUSPICIOUS: usize = 20;
/// A word with a number at its end is no longer than this without the number.
const LONGEST_WORD: usize = 12;
/// A piece of a known secret of this length gives it away.
const PIECE: usize = 12;
const MASK: &str = "[redacted]";

/// Cleans words. Knows the secrets of the request at hand, which an answer may echo.
#[derive(Default)]
pub struct Redactor<'a> {
    secrets: Vec<&'a str>,
}

impl std::fmt::Debug for Redactor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl<'a> Redactor<'a> {
    /// Takes out whatever looks like a token, and every piece of `secrets`.
    pub fn new(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        Self { secrets: secrets.into_iter().collect() }
    }

    /// The words, on one line, cut, and without secrets.
    pub fn clean(&self, words: &str) -> String {
        // Cut only after masking: half a secret is no longer recognized.
        let mut cleaned = String::new();
        let mut rest = words;
        while !rest.is_empty() && cleaned.len() < 4 * MAX_WORDS {
            let end = rest.find(|c: char| !is_token_character(c)).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            cleaned.push_str(&self.shown(run));
            let mut characters = after.chars();
            if let Some(separator) = characters.next() {
                cleaned.push(if separator.is_control() { ' ' } else { separator });
            }
            rest = characters.as_str();
        }
        let words = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
        shorten(&words, MAX_WORDS)
    }

    /// A run as it may be shown. Of an address or an Azure resource each step is judged by itself, and of `name=value` the
    /// value: what a refusal names (who was refused, and what) is the very evidence. Anything else stands or falls as a
    /// whole, since base64 has slashes and equals signs as well.
    fn shown<'r>(&self, run: &'r str) -> Cow<'r, str> {
        if self.secrets.iter().any(|secret| share_a_piece(run, secret)) {
            return MASK.into();
        }
        if !looks_like_token(run) || run.split(['/', '=']).all(is_harmless) {
            return run.into();
        }
        let step = |step| if is_harmless(step) { step } else { MASK };
        if run.starts_with("//") || run.starts_with("/subscriptions/") {
            return run.split('/').map(step).collect::<Vec<_>>().join("/").into();
        }
        match run.split_once('=') {
            Some((name, value)) if is_name(name) => format!("{name}={}", step(value)).into(),
            _ => MASK.into(),
        }
    }
}

/// The first `most` characters, with an ellipsis where something is missing.
pub fn shorten(words: &str, most: usize) -> String {
    match words.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=%".contains(c)
}

/// Long, and with letters and digits mixed: no word of a sentence, and no error code.
fn looks_like_token(run: &str) -> bool {
    run.len() >= SUSPICIOUS && run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Of which no secret is made: a UUID with its hyphens (they name requests, tenants and identities), or words and numbers
/// with dots, hyphens and underlines between them, as in the names of hosts and resources. A word may end in a number.
fn is_harmless(piece: &str) -> bool {
    let piece = piece.trim_end_matches('.');
    let is_uuid = piece.len() == 36 && uuid::Uuid::try_parse(piece).is_ok();
    is_uuid || piece.split(['-', '_', '.']).all(is_word)
}

fn is_word(word: &str) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = word.len() - letters.len();
    let is_plain = letters.bytes().all(|b| b.is_ascii_alphabetic());
    is_plain && (letters.is_empty() || digits == 0 || (digits <= 3 && letters.len() <= LONGEST_WORD))
}

/// What may stand before an equals sign.
fn is_name(name: &str) -> bool {
    (2..SUSPICIOUS).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'-')
}

fn share_a_piece(run: &str, secret: &str) -> bool {
    let (run, secret) = (run.as_bytes(), secret.as_bytes());
    let piece = PIECE.min(secret.len()).max(4);
    run.windows(piece).any(|part| secret.windows(piece).any(|window| window == part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_taken_out_and_words_codes_and_request_ids_stay() {
        let clean = |words: &str| Redactor::default().clean(words);
        assert_eq!(clean("token eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE4 refused"), "token [redacted] refused");
        assert_eq!(clean("key=\"A1b2C3d4E5f6G7h8I9j0\""), "key=\"[redacted]\"");
        let code = "SystemForCrossDomainIdentityManagementCredentialValidationFailure";
        assert_eq!(clean(code), code);
        let id = "see 3f2504e0-4f89-11d3-9a0c-0305e82c3301.";
        assert_eq!(clean(id), id);
    }

    #[test]
    fn what_hides_in_base64_in_hex_in_an_address_or_behind_a_name_is_taken_out() {
        let clean = |words: &str| Redactor::default().clean(words);
        for secret in [
            "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE4MDAwMDAwMDB9.c2lnbmF0dXJl-X_1",
            "eyJhbGciOiJSUzI1NiJ9",
            "Ab3dEfgh/1jKlmNop/Qr5tUvwx==",
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ9/b3BlbnNlc2FtZQ==",
            "kX9-7dPq2Wz_vB4nM8sTfG6hJ1yRc",
            "Jq5~wrong.secret-Yt73_mBnZx",
            "0123456789abcdef0123456789abcdef",
            "5d41402abc4b2a76b9719d911017c592ae2d8d5e",
        ] {
            assert_eq!(clean(secret), MASK);
            assert_eq!(clean(&format!("token={secret}")), format!("token={MASK}"), "{secret}");
            let address = clean(&format!("https://x.test/hook/{secret}"));
            assert!(address.starts_with("https://x.test/hook/[redacted]"), "{address}");
            for piece in secret.split(['/', '=']).filter(|piece| piece.len() > 3) {
                assert!(!address.contains(piece), "{address}");
            }
        }
    }

    /// To the letter of public reports, with other ids.
    #[test]
    fn who_was_refused_what_by_azure_stays_whole() {
        let role = "Caller is not authorized to perform action on resource. If role assignments, deny assignments or role \
                    definitions were changed recently, please observe propagation time. Caller: \
                    appid=04b07795-8ddb-461a-bbee-02f9e1bf7b46;oid=207e277f-a838-4c61-940a-950b06cd1cc8;\
                    iss=https://sts.windows.net/43dc75e3-499a-40cd-891a-ba9f8e445365/ Action: \
                    'Microsoft.KeyVault/vaults/secrets/readMetadata/action' Resource: \
                    '/subscriptions/f95180d7-b5fc-49c8-a9a7-5b3ee0d8ffc6/resourcegroups/rg-scim-prod-weu-01/providers/\
                    microsoft.keyvault/vaults/contoso-kv2/secrets/greenlake-scim-token' Assignment: (not found) \
                    DecisionReason: 'DeniedWithNoValidRBAC' Vault: contoso-kv2;location=westeurope";
        let issuer = "AADSTS700211: No matching federated identity record found for presented assertion issuer \
                      'https://eastus2.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/\
                      c0ffee00-86f1-41af-91ab-2d7cd011db47/'. Please check your federated identity credential Subject, \
                      Audience and Issuer against the presented assertion. \
                      https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation";
        let policy = "The user, group or application 'appid=04b07795-8ddb-461a-bbee-02f9e1bf7b46;\
                      oid=207e277f-a838-4c61-940a-950b06cd1cc8;iss=https://sts.windows.net/\
                      43dc75e3-499a-40cd-891a-ba9f8e445365/' does not have secrets get permission on key vault \
                      'contoso;location=westeurope'. For help resolving this issue, please see \
                      https://go.microsoft.com/fwlink/?linkid=2125287";
        for words in [role, issuer, policy] {
            assert_eq!(Redactor::default().clean(words), words);
        }
    }

    #[test]
    fn a_known_secret_is_taken_out_whatever_it_looks_like() {
        let cleaned = Redactor::new(["correct-horse-battery"]).clean("no: <correct-horse-batt> \"battery\"");
        assert_eq!(cleaned, "no: <[redacted]> \"battery\"");
    }

    #[test]
    fn words_come_out_on_one_line_and_cut() {
        let cleaned = Redactor::default().clean(&format!("a\r\n b\t{}", "word ".repeat(200)));
        assert!(cleaned.starts_with("a b word"));
        assert_eq!(cleaned.chars().count(), MAX_WORDS + 1);
        assert!(cleaned.ends_with('…'));
    }
}
