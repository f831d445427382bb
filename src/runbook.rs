//! The runbook: a page for each reason and each alert, the files of docs/runbook, carried along in the binary.

/// Every page by its name, in the order of their names. `README` is the index.
pub const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/runbook.rs"));

/// The index.
pub const INDEX: &str = "README";

/// The Markdown of a page.
pub fn page(name: &str) -> Option<&'static str> {
    PAGES.iter().find(|(page, _)| *page == name).map(|(_, text)| *text)
}

/// The names of pages that somebody may have meant by `name`: upper and lower case, and hyphens, make no difference.
pub fn like(name: &str) -> impl Iterator<Item = &'static str> {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(name);
    let names = PAGES.iter().map(|(page, _)| *page).filter(|page| *page != INDEX);
    names.filter(move |page| strsim::jaro_winkler(&plain(page), &wanted) > 0.85)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_its_name_and_suggested_by_what_is_like_it() {
        assert!(page("NoVerdict").is_some() && page("noverdict").is_none());
        assert!(like("no-verdict").any(|page| page == "NoVerdict"));
        assert!(like("NoVerdct").any(|page| page == "NoVerdict"));
        assert_eq!(like("zebra").count(), 0);
    }
}
