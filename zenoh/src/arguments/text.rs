//! What remap rules and parameter rules have in common: `left:=right`, and a node's name before the left side.

use crate::key::check_node_name;

/// The two sides of `left:=right`.
pub(super) fn split_rule(rule: &str) -> Result<(&str, &str), String> {
    let no_sign = || "there is no `:=` in it".to_owned();
    let (left, right) = rule.split_once(":=").ok_or_else(no_sign)?;
    if left.is_empty() {
        return Err("nothing stands before `:=`".to_owned());
    }
    Ok((left, right))
}

/// The node that a rule is for, if it names one, and the rest.
pub(super) fn split_node(left: &str) -> Result<(Option<&str>, &str), String> {
    let has_scheme = left.starts_with("rostopic://") || left.starts_with("rosservice://");
    let (node, rest) = match left.split_once(':') {
        Some((node, rest)) if !has_scheme => (node, rest),
        _ => return Ok((None, left)),
    };
    check_node_name(node).map_err(|error| error.to_string())?;
    Ok((Some(node), rest))
}
