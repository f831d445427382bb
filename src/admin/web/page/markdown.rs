//! A page of the runbook as HTML. It is ours, and still no HTML of it is taken over.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// Links between pages lead to pages here; others are shown as their text.
pub fn html(text: &str) -> String {
    let mut away = Vec::new();
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(move |event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let here = target(&dest_url);
            away.push(here.is_none());
            Some(Event::Start(Tag::Link { link_type, dest_url: here?.into(), title, id }))
        }
        Event::End(TagEnd::Link) => (!away.pop()?).then_some(Event::End(TagEnd::Link)),
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        other => Some(other),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn target(link: &str) -> Option<String> {
    let page = link.strip_suffix(".md").filter(|page| !page.contains('/'))?;
    Some(format!("/runbook/{page}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_that_are_here_and_no_html_is_taken_over() {
        assert!(html("see [it](NoVerdict.md)").contains(r#"<a href="/runbook/NoVerdict">it</a>"#));
        assert_eq!(
            html("see [that](../concepts.md) and [this](https://example.com/x.md)"),
            "<p>see that and this</p>\n"
        );
        assert!(!html("<script>alert(1)</script>\n\n<b>x</b>").contains('<') || !html("<b>x</b>").contains("<b>"));
    }
}
