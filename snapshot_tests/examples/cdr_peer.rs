//! Encodes and decodes for a program in another language: one JSON object a line in, one out.
//!
//! `{"type": "std_msgs/msg/String", "value": {"data": "hi"}}` → `{"cdr": "00010000…"}`
//! `{"type": "std_msgs/msg/String", "cdr": "00010000…"}` → `{"value": {…}}`
//! What cannot be done → `{"error": "…"}`

use std::io::{BufRead as _, Write as _};

use serde::Deserialize;
use serde_json::{Value, json};
use snapshot_tests::{find, from_hex, to_hex};

#[derive(Deserialize)]
struct Request {
    r#type: String,
    value: Option<Value>,
    cdr: Option<String>,
}

fn answer(line: &str) -> snapshot_tests::Result<Value> {
    let request: Request = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let codec = find(&request.r#type).ok_or_else(|| format!("no type {}", request.r#type))?;
    match (request.value, request.cdr) {
        (Some(value), None) => Ok(json!({ "cdr": to_hex(&(codec.encode)(value)?) })),
        (None, Some(cdr)) => Ok(json!({ "value": (codec.decode)(&from_hex(&cdr)?)? })),
        _ => Err("either `value` or `cdr` is needed".to_owned()),
    }
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({ "error": error }));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
