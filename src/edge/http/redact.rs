//! Words of a service, made fit for a message: short, on one line, and without anything that may be a secret.

/// No longer than this, in characters.
const MAX_WORDS: usize = 300;
/// A run of token characters from this length on may be a token.
const SUSPICIOUS: usize = 20;
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
            cleaned.push_str(if self.is_secret(run) { MASK } else { run });
            let mut characters = after.chars();
            if let Some(separator) = characters.next() {
                cleaned.push(if separator.is_control() { ' ' } else { separator });
            }
            rest = characters.as_str();
        }
        let words = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
        shorten(&words, MAX_WORDS)
    }

    fn is_secret(&self, run: &str) -> bool {
        looks_like_token(run) || self.secrets.iter().any(|secret| share_a_piece(run, secret))
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

/// Long, and with letters and digits mixed: no word of a sentence, and no error code. UUIDs name requests and are kept.
fn looks_like_token(run: &str) -> bool {
    run.len() >= SUSPICIOUS
        && run.bytes().any(|b| b.is_ascii_digit())
        && run.bytes().any(|b| b.is_ascii_alphabetic())
        && uuid::Uuid::try_parse(run.trim_end_matches('.')).is_err()
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
