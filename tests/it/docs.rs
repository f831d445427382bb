//! The documentation holds together: whatever a page links in this repository is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn markdown_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = entries.flat_map(|path| if path.is_dir() { markdown_below(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The pages that people read: those beside README.md, and all below docs/ and deploy/.
fn pages() -> Vec<PathBuf> {
    let beside = fs::read_dir(root()).expect("the repository").map(|entry| entry.expect("an entry").path());
    let beside = beside.filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "md"));
    let below = ["docs", "deploy"].iter().flat_map(|folder| markdown_below(&root().join(folder)));
    beside.chain(below).collect()
}

/// The text without what stands in blocks of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).expect("a page");
    text.split("```").step_by(2).collect()
}

/// Where the links and pictures of a text lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|after| Some(after.split_once(')')?.0))
}

/// What a heading is called in a link, where Markdown is hosted.
fn anchors(page: &Path) -> BTreeSet<String> {
    let anchor = |heading: &str| {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(*c, ' ' | '-' | '_'));
        kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
    };
    let text = prose(page);
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    headings.map(anchor).collect()
}

#[test]
fn every_link_within_the_documentation_leads_somewhere() {
    let mut followed = 0;
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&prose(&page)).filter(|link| !link.contains("://")) {
            followed += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            let is_there = target.exists() && (anchor.is_empty() || anchors(&target).contains(anchor));
            if !is_there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 100, "only {followed} links were found");
}

#[test]
fn every_guide_stands_in_the_index() {
    let index = fs::read_to_string(root().join("docs/README.md")).expect("the index");
    for guide in fs::read_dir(root().join("docs")).expect("the guides") {
        let name = guide.expect("a guide").file_name().to_string_lossy().into_owned();
        let is_page = name.ends_with(".md") && name != "README.md";
        assert!(!is_page || index.contains(&format!("]({name})")), "{name} is not in docs/README.md");
    }
}
