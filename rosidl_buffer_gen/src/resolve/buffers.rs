//! Which fields are kept in buffers: `uint8[]` and `char[]` always, others as the settings say.

use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::{BasicType, Field, FieldType, Interfaces, Placement, Storage, ValueType},
};

pub(super) fn decide(
    interfaces: &mut Interfaces,
    patterns: &[String],
    diagnostics: &mut Diagnostics,
) {
    let mut uses = vec![Use::default(); patterns.len()];
    for message in interfaces.messages.values_mut() {
        let placement = interfaces.packages.get(message.name.package());
        let is_emitted = placement == Some(&Placement::Emitted);
        for field in &mut message.fields {
            if is_buffer_by_itself(field) {
                field.storage = Storage::Buffer;
            }
            if patterns.is_empty() || !is_emitted {
                continue;
            }
            let path = format!("{}.{}", message.name, field.name);
            for (pattern, used) in patterns.iter().zip(&mut uses) {
                if matches(pattern, &path) {
                    used.matched = true;
                    if may_be_buffer(field) {
                        used.decided = true;
                        field.storage = Storage::Buffer;
                    }
                }
            }
        }
    }
    for (pattern, used) in patterns.iter().zip(uses) {
        let message = match used {
            Use { decided: true, .. } => continue,
            Use { matched: true, .. } => {
                format!("`{pattern}` matches no field that can be kept in a buffer")
            }
            Use { .. } => {
                format!("`{pattern}` matches no field of the packages that are generated")
            }
        };
        diagnostics.push(Diagnostic::new(Code::BadPattern, message).help(
            "a pattern is like `sensor_msgs/msg/LaserScan.ranges`, `my_package/**` or `*/msg/*.data`; a buffer holds a sequence of numbers",
        ));
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Use {
    matched: bool,
    decided: bool,
}

fn is_buffer_by_itself(field: &Field) -> bool {
    let bytes = [BasicType::Uint8, BasicType::Char].map(ValueType::Basic);
    matches!(&field.field_type, FieldType::UnboundedSequence(item) if bytes.contains(item))
}

fn may_be_buffer(field: &Field) -> bool {
    match &field.field_type {
        FieldType::UnboundedSequence(item) | FieldType::BoundedSequence(item, _) => {
            matches!(item, ValueType::Basic(basic) if *basic != BasicType::Boolean)
        }
        FieldType::Single(_) | FieldType::Array(..) => false,
    }
}

/// Whether the pattern stands for the path. Quadratic at worst, whatever the pattern is.
fn matches(pattern: &str, path: &str) -> bool {
    let path = path.as_bytes();
    // Entry `n`: the pattern read so far stands for the first `n` bytes of the path.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    let mut pattern = pattern.as_bytes();
    while let Some((&first, rest)) = pattern.split_first() {
        pattern = rest;
        if first == b'*' {
            let everything = rest.first() == Some(&b'*');
            if everything {
                pattern = &rest[1..];
            }
            for index in 0..path.len() {
                let passes = everything || path[index] != b'/';
                reach[index + 1] |= reach[index] && passes;
            }
        } else {
            for index in (0..path.len()).rev() {
                reach[index + 1] = reach[index] && path[index] == first;
            }
            reach[0] = false;
        }
    }
    reach[path.len()]
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let path = "sensor_msgs/msg/Image.data";
        for pattern in [
            path,
            "sensor_msgs/msg/Image.*",
            "sensor_msgs/**",
            "*/msg/*.data",
            "**.data",
            "**",
            "*/*/*",
            "sensor*/msg/Im*e.d*a",
            "s**a",
        ] {
            assert!(matches(pattern, path), "{pattern}");
        }
        for pattern in [
            "",
            "*",
            "sensor_msgs/*",
            "*.data",
            "sensor_msgs/msg/Image",
            "**x",
            "sensor_msgs/msg/Image.dat",
        ] {
            assert!(!matches(pattern, path), "{pattern}");
        }
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
    }
}
