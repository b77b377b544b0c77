//! Which fields are kept in buffers: `uint8[]` and `char[]` always, others as the settings say.

use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::{BasicType, Field, FieldType, Interfaces, Placement, Storage, ValueType},
    pattern::matches,
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
