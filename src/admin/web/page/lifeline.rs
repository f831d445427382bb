//! The life of a token as a picture: issued, beside the one before it, its rotation, the last safe moment, its end, and now.

use maud::{Markup, html};

use super::words;
use crate::domain::Timestamp;
use crate::engine::report::TokenReport;

/// The width of the picture, in its own units.
const WIDTH: f64 = 1000.0;
/// So much of it lies before the token and after its end, for a *now* that is later.
const MARGIN: f64 = 0.04;

/// Where moments lie.
struct Scale {
    from: Timestamp,
    seconds: f64,
}

impl Scale {
    /// From the token's first moment to its last, or to now if that is later.
    fn of(token: &TokenReport, now: Timestamp) -> Self {
        let ends = [token.expires, token.last_safe_moment, token.due, Some(now)].into_iter().flatten().max();
        let seconds = (ends.unwrap_or(now) - token.issued).as_seconds_f64().max(1.0);
        Self { from: token.issued, seconds }
    }

    fn at(&self, moment: Timestamp) -> f64 {
        let share = (moment - self.from).as_seconds_f64() / self.seconds;
        ((MARGIN + share * (1.0 - 2.0 * MARGIN)) * WIDTH).clamp(0.0, WIDTH)
    }
}

/// The picture, and under it the same in words.
pub fn picture(token: &TokenReport, now: Timestamp) -> Markup {
    let scale = Scale::of(token, now);
    let band = |class: &str, from: Timestamp, to: Timestamp| {
        let (from, to) = (scale.at(from), scale.at(to));
        html! { rect class=(class) x={ (format!("{from:.1}")) } y="14" width={ (format!("{:.1}", (to - from).max(0.0))) } height="12" {} }
    };
    let mark = |class: &str, at: Timestamp| {
        let x = format!("{:.1}", scale.at(at));
        html! { line class=(class) x1=(x) x2=(x) y1="8" y2="32" {} }
    };
    let end = token.expires.unwrap_or(now.max(token.due.unwrap_or(now)));
    let rotation = token.window.or_else(|| token.due.map(|due| (due, token.last_safe_moment.unwrap_or(due).max(due))));
    let moments = moments(token);
    let said: Vec<_> = moments.iter().map(|(_, what, at)| format!("{what} {}", words::day(*at))).collect();
    html! {
        svg.life role="img" aria-label={ "The life of the token: " (said.join(", ")) "; now " (words::day(now)) "." }
            viewBox={ "0 0 " (WIDTH) " 40" } preserveAspectRatio="none" {
            (band("alive", token.issued, end))
            @if let Some(previous) = token.previous_expires { (band("overlap", token.issued, previous.min(end))) }
            @if let Some((opens, closes)) = rotation { (band("window", opens, closes.min(end))) }
            @if let Some(safe) = token.last_safe_moment { (band("slackless", safe, end)) }
            @if let Some(safe) = token.last_safe_moment { (mark("safe", safe)) }
            @if let Some(due) = token.due { (mark("due", due)) }
            @if let Some(expires) = token.expires { (mark("end", expires)) }
            (mark("now", now))
        }
        ul.legend {
            @for (class, what, at) in &moments { li class=(class) { span.key aria-hidden="true" {} (what) " " (words::moment(*at)) } }
            li.now { span.key aria-hidden="true" {} "now" }
        }
    }
}

/// What the picture shows, in its order.
fn moments(token: &TokenReport) -> Vec<(&'static str, &'static str, Timestamp)> {
    let mut moments = vec![("alive", "issued", token.issued)];
    let mut add = |class, what, at: Option<Timestamp>| moments.extend(at.map(|at| (class, what, at)));
    add("overlap", "the token before it lives until", token.previous_expires);
    add("window", "window opens", token.window.map(|(opens, _)| opens));
    add("window", "window closes", token.window.map(|(_, closes)| closes));
    add("due", "rotation", token.due);
    add("safe", "last safe moment", token.last_safe_moment);
    add("end", "expires", token.expires);
    moments.sort_by_key(|(.., at)| *at);
    moments
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn token() -> TokenReport {
        let token = serde_json::json!({
            "id": "0123456789ab", "stage": "proven", "issued": day(0), "expires": day(100), "due": day(70),
            "last_safe_moment": day(90),
        });
        serde_json::from_value(token).unwrap()
    }

    #[test]
    fn moments_lie_in_their_order_and_within_the_picture_even_after_the_tokens_end() {
        for now in [day(-5), day(50), day(300)] {
            let scale = Scale::of(&token(), now);
            let places = [day(0), day(70), day(90), day(100)].map(|at| scale.at(at));
            assert!(places.is_sorted(), "{places:?}");
            assert!(places.iter().chain([&scale.at(now)]).all(|x| (0.0..=WIDTH).contains(x)), "{places:?}");
        }
    }

    #[test]
    fn the_picture_says_in_words_what_it_shows() {
        let picture = picture(&token(), day(50)).into_string();
        let said = "issued 1 Jan 1970, rotation 12 Mar 1970, last safe moment 1 Apr 1970, expires 11 Apr 1970; now 20 Feb 1970.";
        assert!(picture.contains(said), "{picture}");
    }

    #[test]
    fn a_token_without_a_known_end_is_drawn_too() {
        let token = TokenReport { expires: None, last_safe_moment: None, due: None, ..token() };
        assert!(picture(&token, day(50)).into_string().contains("issued 1 Jan 1970"));
    }

    /// Where the band of this class lies, from and to, in days.
    fn band(picture: &str, class: &str, token: &TokenReport, now: Timestamp) -> Option<(i64, i64)> {
        let (_, band) = picture.split_once(&format!("<rect class=\"{class}\""))?;
        let number = |name: &str| -> f64 {
            let (_, value) = band.split_once(&format!(" {name}=\"")).unwrap();
            value.split_once('"').unwrap().0.parse().unwrap()
        };
        let scale = Scale::of(token, now);
        let nearest =
            |x: f64| (0..200).min_by(|a, b| (scale.at(day(*a)) - x).abs().total_cmp(&(scale.at(day(*b)) - x).abs()));
        let (x, width) = (number("x"), number("width"));
        Some((nearest(x)?, nearest(x + width)?))
    }

    #[test]
    fn the_token_before_it_lies_beside_it_until_its_own_end_and_the_window_from_its_opening_to_its_close() {
        let token = TokenReport { previous_expires: Some(day(20)), window: Some((day(69), day(72))), ..token() };
        let drawn = picture(&token, day(50)).into_string();
        assert_eq!(band(&drawn, "overlap", &token, day(50)), Some((0, 20)));
        assert_eq!(band(&drawn, "window", &token, day(50)), Some((69, 72)));
        assert_eq!(band(&drawn, "slackless", &token, day(50)), Some((90, 100)));
        let said = "issued 1 Jan 1970, the token before it lives until 21 Jan 1970, window opens 11 Mar 1970, rotation 12 Mar \
                    1970, window closes 14 Mar 1970, last safe moment 1 Apr 1970";
        assert!(drawn.contains(said), "{drawn}");
        let long = TokenReport { previous_expires: Some(day(150)), window: Some((day(95), day(110))), ..token };
        let drawn = picture(&long, day(50)).into_string();
        let bands = ["overlap", "window"].map(|class| band(&drawn, class, &long, day(50)));
        assert_eq!(bands, [Some((0, 100)), Some((95, 100))], "nothing is drawn past the token's own end");
    }

    #[test]
    fn without_a_window_the_rotation_may_be_from_when_it_is_due_until_the_last_safe_moment_and_nothing_overlaps() {
        let drawn = picture(&token(), day(50)).into_string();
        assert_eq!(band(&drawn, "window", &token(), day(50)), Some((70, 90)));
        assert_eq!(band(&drawn, "overlap", &token(), day(50)), None);
        assert!(!drawn.contains("window opens") && !drawn.contains("the token before it"), "{drawn}");
    }
}
