//! A report as it is kept: its JSON with the words that stand in every report, and its moments, in a byte or a few. Of ten
//! thousand connections reports are what is largest.

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::Timestamp;
use crate::engine::Report;

/// Stand for a moment, of whole seconds or not: in JSON no byte is as small as this.
const MOMENT: u8 = 0x00;
const WHOLE_MOMENT: u8 = 0x01;
/// Stand for the words, one after the other. The first 30 are too small for JSON, the others for UTF-8 too large.
const CODES: [u8; 41] = {
    let mut codes = [0; 41];
    let mut at = 0;
    while at < 41 {
        #[expect(clippy::cast_possible_truncation, reason = "41 at most")]
        let byte = at as u8;
        codes[at] = if byte < 30 { 2 + byte } else { 0xF5 + (byte - 30) };
        at += 1;
    }
    codes
};
/// What stands in nearly every report. Of two that begin alike the longer one is first.
const WORDS: [&str; 41] = [
    "{\"connection\":\"",
    "\",\"seen_at\":\"",
    "\",\"standing\":{\"kind\":\"idle\",\"action\":\"wait\",\"reason\":\"",
    "\",\"standing\":{\"kind\":\"",
    "\",\"action\":\"",
    "\",\"reason\":\"",
    "\",\"next\":\"",
    "\"},\"token\":{\"id\":\"",
    "\",\"stage\":\"",
    "\",\"issued\":\"",
    "\",\"expires\":\"",
    "\",\"expiry_source\":\"",
    "\",\"wanted\":\"",
    "\",\"window\":[\"",
    "\",\"due\":\"",
    "\",\"due_reason\":\"",
    "\",\"previous_expires\":\"",
    "\",\"last_safe_moment\":\"",
    "\",\"slack_seconds\":",
    ",\"provisioned\":\"",
    "\",\"confirmed\":\"",
    "\",\"proven\":\"",
    "\"},\"job\":{\"id\":\"",
    "\",\"state\":\"Active\",\"quarantine\":null,\"last_cycle\":\"",
    "\",\"state\":\"",
    "\",\"quarantine\":",
    "\",\"last_cycle_ended\":\"",
    "\",\"last_success_ended\":\"",
    "\"},\"last_action\":null,\"recent\":[{\"at\":\"",
    "\"},\"last_action\":",
    "{\"at\":\"",
    "\",\"what\":\"",
    ",\"succeeded\":true",
    ",\"took_seconds\":",
    ",\"recent\":[",
    ",\"warnings\":[]}",
    ",\"warnings\":[",
    ",\"last_cycle\":",
    "NearingExpiry",
    "Succeeded",
    "null",
];

/// A report, in a third of its JSON.
#[derive(Clone, Debug)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    /// None of what cannot be told as JSON.
    pub fn of(report: &impl Serialize) -> Option<Self> {
        to_raw_value(report).ok().map(|raw| Self(pack(raw.get()).into()))
    }

    /// The report.
    pub fn read(&self) -> Option<Report> {
        serde_json::from_str(&self.text()?).ok()
    }

    /// Its JSON.
    pub fn json(&self) -> Option<Box<RawValue>> {
        RawValue::from_string(self.text()?).ok()
    }

    fn text(&self) -> Option<String> {
        unpack(&self.0)
    }
}

fn pack(json: &str) -> Vec<u8> {
    let (mut packed, mut rest) = (Vec::with_capacity(json.len() / 2), json);
    while let Some(first) = rest.chars().next() {
        let word = WORDS.iter().zip(CODES).find(|(word, _)| rest.starts_with(**word));
        if let Some((word, code)) = word {
            packed.push(code);
            rest = &rest[word.len()..];
        } else if let Some((moment, length)) = moment(rest) {
            let nanos = moment.timestamp_subsec_nanos();
            packed.push(if nanos == 0 { WHOLE_MOMENT } else { MOMENT });
            packed.extend(moment.timestamp().to_be_bytes().into_iter().skip(3));
            packed.extend(nanos.to_be_bytes().into_iter().filter(|_| nanos != 0));
            rest = &rest[length..];
        } else {
            packed.extend(rest[..first.len_utf8()].bytes());
            rest = &rest[first.len_utf8()..];
        }
    }
    packed
}

fn unpack(packed: &[u8]) -> Option<String> {
    let (mut json, mut rest) = (Vec::with_capacity(packed.len() * 3), packed);
    while let [first, after @ ..] = rest {
        rest = after;
        if let Some((word, _)) = WORDS.iter().zip(CODES).find(|(_, code)| code == first) {
            json.extend(word.bytes());
        } else if matches!(*first, MOMENT | WHOLE_MOMENT) {
            let number = |bytes: &[u8]| bytes.iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
            let (seconds, after) = rest.split_at_checked(5)?;
            let (nanos, after) = after.split_at_checked(if *first == MOMENT { 4 } else { 0 })?;
            let moment = Timestamp::from_timestamp(number(seconds), u32::try_from(number(nanos)).ok()?)?;
            json.extend(told(moment).bytes());
            rest = after;
        } else {
            json.push(*first);
        }
    }
    String::from_utf8(json).ok()
}

/// The moment that stands here, and in how many bytes; none unless it is told again as it stands here, and from seconds of five
/// bytes.
fn moment(text: &str) -> Option<(Timestamp, usize)> {
    let (digits, rest) = text.split_at_checked(4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !rest.starts_with('-') {
        return None;
    }
    let length = text.find('Z')? + 1;
    let moment = text[..length].parse::<Timestamp>().ok()?;
    let fits = (0..1 << 40).contains(&moment.timestamp());
    (fits && told(moment) == text[..length]).then_some((moment, length))
}

fn told(moment: Timestamp) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_packed_comes_out_as_it_was() {
        let odd = [
            "",
            "2026-11-30T13:40:00Z",
            "2026-11-30T13:40:00.120Z 2026-11-30T13:40:00.123456789Z",
            "2026-11-30T13:40:00.12Z 1969-12-31T23:59:59Z 2026-13-30T13:40:00Z 2026-11-30T23:59:60Z 2026-11",
            "12 ü €\u{10FFFF} 2026-11-30T13:40:00 no end",
            "20262026-11-30T13:40:00Z",
        ];
        for text in odd.iter().chain(&WORDS).copied().chain([WORDS.concat().as_str()]) {
            assert_eq!(unpack(&pack(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn every_word_and_every_moment_is_kept_in_few_bytes() {
        for (word, code) in WORDS.iter().zip(CODES) {
            assert_eq!(pack(word), [code], "{word} is hidden by one before it");
        }
        assert_eq!(pack("2026-11-30T13:40:00Z").len(), 6);
        assert_eq!(pack("2026-11-30T13:40:00.123456789Z").len(), 10);
        let codes: std::collections::BTreeSet<_> = CODES.into_iter().chain([MOMENT, WHOLE_MOMENT]).collect();
        assert_eq!(codes.len(), CODES.len() + 2, "no two are the same");
        assert!(codes.iter().all(|code| *code < 0x20 || *code > 0xF4), "none stands in JSON");
    }
}
