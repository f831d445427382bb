//! Tables and moments as `status` and `plan` print them.

use std::io::{self, Write};

use chrono::TimeDelta;

use crate::domain::Timestamp;
use crate::words::span;

/// Writes a head and rows, each column as wide as its widest cell.
pub fn write<const N: usize>(head: [&str; N], rows: &[[String; N]], out: &mut impl Write) -> io::Result<()> {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut print = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    print(head)?;
    rows.iter().try_for_each(|row| print(row.each_ref().map(String::as_str)))
}

/// A moment to the minute, in UTC.
pub fn minute(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

/// The time left until the last safe moment, from seconds.
pub fn slack(seconds: i64) -> String {
    match seconds {
        ..=0 => "none left".to_owned(),
        _ => span(TimeDelta::seconds(seconds - seconds % 60)),
    }
}
