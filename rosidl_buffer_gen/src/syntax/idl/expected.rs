//! What is missing in a piece that the grammar refuses, in words.

use super::grammar::Rule;
use crate::diagnostic::{Code, Diagnostic};

/// The length of the first word or sign of a text, at most a line.
pub(super) fn word_length(text: &str) -> usize {
    let in_word = |character: char| character.is_alphanumeric() || character == '_';
    match text.find(|character| !in_word(character)) {
        Some(0) => text.chars().next().map_or(0, char::len_utf8),
        Some(length) => length,
        None => text.len(),
    }
}

/// The error for a piece that should be one by `rule` and is not, from `rest` on.
pub(super) fn missing(rule: Rule, rest: &str, wanted: &[Rule]) -> Diagnostic {
    let in_value = wanted.contains(&Rule::close_paren)
        || wanted.contains(&Rule::close_angle)
        || wanted.contains(&Rule::close_square)
        || wanted.contains(&Rule::value)
        || wanted.contains(&Rule::sign)
        || wanted.contains(&Rule::float);
    let is_expression = rest.starts_with(['+', '-', '*', '/', '%', '|', '^', '&', '~', '('])
        || rest.starts_with("<<")
        || rest.starts_with(">>");
    let ends_constant = rule == Rule::declaration && wanted.contains(&Rule::EOI);
    if is_expression && (in_value || ends_constant) {
        return Diagnostic::new(
            Code::Unsupported,
            "ROS 2 does not calculate constant expressions",
        )
        .help("write the result");
    }
    let end = if rule == Rule::head { "`{`" } else { "`;`" };
    let words = wanted.iter().map(|rule| match rule {
        Rule::EOI => end,
        rule => in_words(*rule),
    });
    let mut words: Vec<_> = words.collect();
    words.sort_unstable();
    words.dedup();
    let found = if rest.is_empty() { " before this" } else { "" };
    let message = match words.split_last() {
        None => "this is not understood".to_owned(),
        Some((last, [])) => format!("expected {last}{found}"),
        Some((last, others)) => format!("expected {} or {last}{found}", others.join(", ")),
    };
    let help = match rule {
        Rule::head => "a block is `module name { … };` or `struct Name { … };`",
        Rule::declaration => {
            "here are modules, structs, `const type NAME = value;` and `typedef type Name;`"
        }
        _ => "a field is `type name;`, an array `type name[3];`",
    };
    Diagnostic::new(Code::BadLine, message).help(help)
}

fn in_words(rule: Rule) -> &'static str {
    match rule {
        Rule::name | Rule::declarator => "a name",
        Rule::equals => "`=`",
        Rule::comma => "`,`",
        Rule::open_angle => "`<`",
        Rule::close_angle => "`>`",
        Rule::open_paren => "`(`",
        Rule::close_paren => "`)`",
        Rule::close_square => "`]`",
        Rule::dimension => "`[`",
        Rule::annotation => "an annotation",
        Rule::parameter => "a parameter",
        Rule::module_head | Rule::module_word => "`module`",
        Rule::struct_head | Rule::struct_word | Rule::forward => "`struct`",
        Rule::constant | Rule::const_word => "`const`",
        Rule::typedef | Rule::typedef_word => "`typedef`",
        Rule::base => "`:`",
        Rule::long_word | Rule::short_word => "`long` or `short`",
        Rule::value
        | Rule::sign
        | Rule::float
        | Rule::integer
        | Rule::hexadecimal
        | Rule::boolean
        | Rule::character
        | Rule::strings
        | Rule::string
        | Rule::wide_strings
        | Rule::wide_string => "a value",
        _ => "a type",
    }
}
