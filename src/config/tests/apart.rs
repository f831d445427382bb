//! Many connections in one text are read one by one, and nobody can tell.

use super::*;

#[test]
fn connections_that_are_read_one_by_one_are_read_and_refused_as_in_a_text_that_is_read_as_a_whole() {
    let good = format!("{}{}[log]\nformat = \"json\"\n{}", plain(), connection(2), connection(3));
    let bad = good.replace("id2", "").replace("s3\"", "s_3\"").replace("json", "xml");
    for text in [good, bad] {
        let [apart, whole] = ["connections", "\"connections\""].map(|name| {
            let text = format!("{text}[{name}.policy]\nmode = \"overlap\"\n");
            let read = parse(&text, &[("SCIM_ROTATOR__LOG__LEVEL", "debug")]);
            let shown = |loaded: Loaded| format!("{loaded:?}");
            read.map(shown).map_err(|errors| errors.to_string())
        });
        assert_eq!(apart, whole);
    }
}

#[test]
fn a_connection_with_a_number_that_nothing_holds_is_refused_for_that() {
    let text = format!("{}[connections.policy]\nmax_age = 99999999999999999999\n{}", plain(), connection(2));
    let (key, what) = problem(&text, &[]);
    assert!(key == "connections[0]" && what.contains("number too large"), "{key}: {what}");
}
