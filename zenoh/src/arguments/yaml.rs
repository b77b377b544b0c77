//! Parameters as YAML: the value of one, and files of many nodes' parameters.
//!
//! In: text. Out: rules in the order in which they stand, or an error with its line. What a scalar means is decided as
//! `rcl_yaml_param_parser` does it (`yes` is a bool, `010` is 8, quotes make a string); as there, aliases are refused, a list has one
//! type, and an empty one, which has none, cannot be given.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::ParameterRule;
use crate::{key::check_node_name, parameters::ParameterValue};

/// The key under which a node's parameters stand.
const PARAMETERS: &str = "ros__parameters";
const NO_VALUE: &str = "there is no value; write '' for an empty string";
/// How many mappings and lists may stand in one another.
const MAX_DEPTH: usize = 64;

/// Which nodes are meant: their full name part by part, `*` for any part, `**` for any number of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodePattern(Vec<String>);

impl NodePattern {
    /// Every node.
    pub(super) fn any() -> Self {
        Self(vec!["**".to_owned()])
    }

    /// The nodes of that name in any namespace.
    pub(super) fn anywhere(name: &str) -> Self {
        Self(vec!["**".to_owned(), name.to_owned()])
    }

    fn parse(keys: &[&str]) -> Result<Self, String> {
        let parts = keys.iter().flat_map(|key| key.split('/'));
        let parts: Vec<String> = parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        for part in parts
            .iter()
            .filter(|part| !matches!(part.as_str(), "*" | "**"))
        {
            check_node_name(part).map_err(|error| error.to_string())?;
        }
        if parts.is_empty() {
            return Err(format!("no node's name stands before {PARAMETERS}"));
        }
        Ok(Self(parts))
    }

    pub(crate) fn matches(&self, full_name: &str) -> bool {
        let name: Vec<&str> = full_name
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        matches(&self.0, &name)
    }
}

fn matches(pattern: &[String], name: &[&str]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=name.len()).any(|skipped| matches(rest, &name[skipped..]))
        }
        Some((first, rest)) => name
            .split_first()
            .is_some_and(|(part, name)| (first == "*" || first == part) && matches(rest, name)),
    }
}

/// The value of one parameter.
pub(super) fn parse_value(text: &str) -> Result<ParameterValue, String> {
    match &parse(text)?[..] {
        [document] => value(document),
        [] => Err(NO_VALUE.to_owned()),
        _ => Err("there is more than one value".to_owned()),
    }
}

/// All parameters of a file.
pub(super) fn parse_file(text: &str) -> Result<Vec<ParameterRule>, String> {
    let mut rules = Vec::new();
    for document in parse(text)? {
        let Content::Mapping(entries) = &document.content else {
            return Err(document.error("expected names of nodes, each with a colon"));
        };
        nodes(&mut Vec::new(), entries, &mut rules)?;
    }
    Ok(rules)
}

/// Goes down to `ros__parameters`; the keys on the way are the node's name.
fn nodes<'a>(
    path: &mut Vec<&'a str>,
    entries: &'a [(Item, Item)],
    rules: &mut Vec<ParameterRule>,
) -> Result<(), String> {
    for (key, item) in entries {
        let name = key.key()?;
        let Content::Mapping(inner) = &item.content else {
            return Err(item.error(&format!(
                "{name:?} has a value, but {PARAMETERS} has to come before values"
            )));
        };
        if name == PARAMETERS {
            let pattern = NodePattern::parse(path).map_err(|why| key.error(&why))?;
            parameters("", inner, &mut |name, value| {
                rules.push(ParameterRule {
                    nodes: pattern.clone(),
                    name,
                    value,
                });
            })?;
        } else {
            path.push(name);
            nodes(path, inner, rules)?;
            path.pop();
        }
    }
    Ok(())
}

/// Mappings in one another are parts of a name, with dots between them.
fn parameters(
    prefix: &str,
    entries: &[(Item, Item)],
    found: &mut impl FnMut(String, ParameterValue),
) -> Result<(), String> {
    for (key, item) in entries {
        let name = format!("{prefix}{}", key.key()?);
        match &item.content {
            Content::Mapping(inner) => parameters(&format!("{name}."), inner, found)?,
            _ => found(name, value(item)?),
        }
    }
    Ok(())
}

/// A part of a document, and the line where it begins.
struct Item {
    line: usize,
    content: Content,
}

enum Content {
    /// `plain` is without quotes, and not called a string by a tag.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Item>),
    Mapping(Vec<(Item, Item)>),
}

impl Item {
    fn error(&self, why: &str) -> String {
        format!("line {}: {why}", self.line)
    }

    fn key(&self) -> Result<&str, String> {
        match &self.content {
            Content::Scalar { text, .. } if !text.is_empty() => Ok(text),
            _ => Err(self.error("a name is expected before the colon")),
        }
    }
}

fn value(item: &Item) -> Result<ParameterValue, String> {
    let items = match &item.content {
        Content::Scalar { text, plain } => return scalar(item, text, *plain),
        Content::Mapping(_) => return Err(item.error("a mapping is no parameter's value")),
        Content::Sequence(items) => items,
    };
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        match &item.content {
            Content::Scalar { text, plain } => values.push(scalar(item, text, *plain)?),
            _ => return Err(item.error("a list's items are plain values")),
        }
    }
    let first = values.first().ok_or_else(|| {
        item.error(
            "an empty list has no type: leave the parameter out, or declare it with an empty list",
        )
    })?;
    let expected = first.parameter_type();
    let list = match first {
        ParameterValue::Bool(_) => all(values).map(ParameterValue::BoolArray),
        ParameterValue::Integer(_) => all(values).map(ParameterValue::IntegerArray),
        ParameterValue::Double(_) => all(values).map(ParameterValue::DoubleArray),
        _ => all(values).map(ParameterValue::StringArray),
    };
    list.ok_or_else(|| {
        item.error(&format!(
            "the first item is of type {expected}, so all items have to be (2 is an integer, 2.0 a double, '2' a string)"
        ))
    })
}

/// The values, if they are all of one type.
fn all<T: TryFrom<ParameterValue>>(values: Vec<ParameterValue>) -> Option<Vec<T>> {
    values
        .into_iter()
        .map(|value| T::try_from(value).ok())
        .collect()
}

fn scalar(item: &Item, text: &str, plain: bool) -> Result<ParameterValue, String> {
    if !plain {
        return Ok(ParameterValue::String(text.to_owned()));
    }
    if text.is_empty() {
        return Err(item.error(NO_VALUE));
    }
    Ok(match text {
        "Y" | "y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            ParameterValue::Bool(true)
        }
        "N" | "n" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            ParameterValue::Bool(false)
        }
        _ => integer(text)
            .map(ParameterValue::Integer)
            .or_else(|| double(text).map(ParameterValue::Double))
            .unwrap_or_else(|| ParameterValue::String(text.to_owned())),
    })
}

/// As C reads integers: `0x` for hexadecimal, a leading `0` for octal.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn double(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

/// The documents of `text`, nothing interpreted.
fn parse(text: &str) -> Result<Vec<Item>, String> {
    let mut events = Events(Parser::new_from_str(text));
    let mut documents = Vec::new();
    while let Some((event, span)) = events.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => break,
            event => documents.push(item(&mut events, event, span, 0)?),
        }
    }
    Ok(documents)
}

struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, String> {
        let wrong = |error: ScanError| format!("line {}: {}", error.marker().line(), error.info());
        self.0.next_event().transpose().map_err(wrong)
    }

    fn next_in(&mut self, line: usize) -> Result<(Event<'a>, Span), String> {
        let end = || format!("line {line}: what begins here does not end");
        self.next()?.ok_or_else(end)
    }
}

fn item(
    events: &mut Events<'_>,
    event: Event<'_>,
    span: Span,
    depth: usize,
) -> Result<Item, String> {
    let line = span.start.line();
    if depth > MAX_DEPTH {
        return Err(format!("line {line}: more than {MAX_DEPTH} levels"));
    }
    let content = match event {
        Event::Scalar(text, style, _, tag) => {
            let is_string = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
            Content::Scalar {
                text: text.into_owned(),
                plain: style == ScalarStyle::Plain && !is_string,
            }
        }
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next_in(line)? {
                    (Event::SequenceEnd, _) => break Content::Sequence(items),
                    (event, span) => items.push(item(events, event, span, depth + 1)?),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut entries = Vec::new();
            loop {
                let key = match events.next_in(line)? {
                    (Event::MappingEnd, _) => break Content::Mapping(entries),
                    (event, span) => item(events, event, span, depth + 1)?,
                };
                let (event, span) = events.next_in(line)?;
                entries.push((key, item(events, event, span, depth + 1)?));
            }
        }
        Event::Alias(_) => {
            return Err(format!(
                "line {line}: aliases are not supported, as in rcl: write the value again"
            ));
        }
        _ => return Err(format!("line {line}: a value is expected")),
    };
    Ok(Item { line, content })
}
