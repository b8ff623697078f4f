//! As much JSON as the programs print.

use std::fmt::{Display, Write};

pub fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => write!(quoted, "\\u{:04x}", c as u32).expect("a String takes all"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Values that are JSON already; the names need no escapes.
pub fn object<V: Display>(fields: impl IntoIterator<Item = (&'static str, V)>) -> String {
    let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

pub fn array<V: Display>(values: impl IntoIterator<Item = V>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("[{}]", values.join(","))
}
