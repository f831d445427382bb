//! The tables `[[connections]]` of a text, taken apart: each is then read by itself, so that thousands of them are never held
//! as trees at the same time. A tree takes ten times what its text does.

use toml::de::DeTable;

/// What the tables of connections are called.
pub(super) const CONNECTIONS: &str = "connections";

/// A text without its tables of connections, and each of those.
pub(super) struct Apart<'t> {
    /// Everything else, in its order.
    pub rest: String,
    /// The text of each, which is that of a list of one table.
    pub tables: Vec<&'t str>,
}

/// Takes a text apart. None where it holds no such table, and where any of it may not mean by itself what it means in its
/// place: then it is read as a whole, which says what is wrong with it, if anything is.
pub(super) fn take(text: &str) -> Option<Apart<'_>> {
    // Nothing else can hold lines that look like headers and are none.
    if ["\"\"\"", "'''"].iter().any(|quotes| text.contains(quotes)) {
        return None;
    }
    let (mut rest, mut tables) = (String::new(), Vec::new());
    let (mut begin, mut at) = (None, 0);
    for line in text.split_inclusive('\n') {
        match header(line) {
            Some(Header::Below) | None => (),
            Some(other) => {
                tables.extend(begin.take().map(|begin| &text[begin..at]));
                begin = (other == Header::Begins).then_some(at);
            }
        }
        if begin.is_none() {
            rest.push_str(line);
        }
        at += line.len();
    }
    tables.extend(begin.map(|begin| &text[begin..]));
    let is_whole = !tables.is_empty()
        && tables.iter().all(|table| DeTable::parse(table).is_ok())
        && DeTable::parse(&rest).is_ok_and(|rest| !rest.get_ref().keys().any(|key| is_below(key.get_ref())));
    is_whole.then_some(Apart { rest, tables })
}

/// Whether a key of the rest is, or is read as, one of a connection: what merges the rest with the environment takes a key for a
/// path.
fn is_below(key: &str) -> bool {
    key.strip_prefix(CONNECTIONS).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What a line that begins with a bracket begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    /// A connection.
    Begins,
    /// A part of the connection before it.
    Below,
    /// Anything else.
    Other,
}

fn header(line: &str) -> Option<Header> {
    let name = line.trim_start().strip_prefix('[')?;
    let (is_list, name) = name.strip_prefix('[').map_or((false, name), |name| (true, name));
    Some(match name.trim_start().strip_prefix(CONNECTIONS).map(str::trim_start) {
        Some(rest) if is_list && rest.starts_with("]]") => Header::Begins,
        Some(rest) if rest.starts_with('.') => Header::Below,
        _ => Header::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, Vec<&str>)> {
        take(text).map(|apart| (apart.rest, apart.tables))
    }

    #[test]
    fn each_connection_is_taken_out_with_what_is_below_it_and_the_rest_stays_in_its_order() {
        let text = "a = 1\n [[ connections ]] # one\nn = 1\n[connections.issuer]\nk = 2\n[[connections.x]]\n[log]\nb = 2\n[[connections]]";
        let tables =
            [" [[ connections ]] # one\nn = 1\n[connections.issuer]\nk = 2\n[[connections.x]]\n", "[[connections]]"];
        assert_eq!(parts(text), Some(("a = 1\n[log]\nb = 2\n".to_owned(), tables.to_vec())));
    }

    #[test]
    fn what_may_mean_something_else_in_its_place_is_read_as_a_whole() {
        for text in [
            "a = 1",
            "a = \"\"\"\n[[connections]]\ny = 1\n[log]\n\"\"\"",
            "a = '''\n[[connections]]\ny = 1\n[log]\n'''",
            "connections = []\n[[connections]]",
            "connections.a = 1\n[[connections]]",
            "\"connections[0].name\" = \"x\"\n[[connections]]",
            "[connections.issuer]\n[[connections]]",
            "[[connections]]\n[\"connections\".issuer]",
            "[[connections]]\n[connections]",
            "[[connections]]\nl = [\n[1],\n]",
            "[[connections]]\nn = 1\nn = 2",
            "[[connections]]\nn =",
            "[a]\n[[connections]]\n[a]",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
