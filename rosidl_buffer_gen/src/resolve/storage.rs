//! How large values are in memory: which arrays are too large for the stack, which messages are plain.

use std::collections::HashMap;

use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    load::{Loaded, LoadedMessage},
    model::{Field, FieldType, Interfaces, Storage, ValueType},
    name::InterfaceName,
};

/// An array that takes more bytes than this is kept on the heap.
const MAX_INLINE: u64 = 64 * 1024;

/// An array that takes more bytes than this is refused; Rust has no type for much larger ones.
const MAX_ARRAY: u64 = (1 << 31) - 1;

/// What strings, vectors and their bounded kin take.
const VECTOR: u64 = 24;
/// What a buffer takes, about.
const BUFFER: u64 = 48;
const POINTER: u64 = 8;

/// Size, alignment, and whether there are only numbers in it.
#[derive(Debug, Clone, Copy)]
struct Layout {
    size: u64,
    align: u64,
    is_plain: bool,
}

impl Layout {
    const fn pointing(size: u64) -> Self {
        Self {
            size,
            align: POINTER,
            is_plain: false,
        }
    }
}

/// Goes through the messages in their order, so that what a message contains is known before it.
pub(super) fn decide(interfaces: &mut Interfaces, loaded: &Loaded, diagnostics: &mut Diagnostics) {
    let mut known = HashMap::new();
    for name in &interfaces.order {
        let Some(message) = interfaces.messages.get_mut(name) else {
            continue;
        };
        let mut whole = Layout {
            size: 0,
            align: 1,
            is_plain: !message.fields.is_empty(),
        };
        for field in &mut message.fields {
            let layout = layout(field, &known);
            if layout.size > MAX_ARRAY {
                let text = format!(
                    "the array `{}` takes {} bytes, too many for Rust",
                    field.name, layout.size
                );
                let diagnostic = Diagnostic::new(Code::BadBound, text);
                match loaded.messages.get(name) {
                    Some(parsed) => diagnostics
                        .push_with(&parsed.source, || at_field(diagnostic, parsed, &field.name)),
                    None => diagnostics.push(diagnostic),
                }
            }
            let layout =
                if matches!(field.field_type, FieldType::Array(..)) && layout.size > MAX_INLINE {
                    field.storage = Storage::Boxed;
                    Layout::pointing(POINTER)
                } else {
                    layout
                };
            whole.size = whole
                .size
                .next_multiple_of(layout.align)
                .saturating_add(layout.size);
            whole.align = whole.align.max(layout.align);
            whole.is_plain &= layout.is_plain;
        }
        whole.size = whole.size.next_multiple_of(whole.align);
        if whole.size > MAX_ARRAY {
            let text = format!(
                "the message {name} takes {} bytes, too many for Rust",
                whole.size
            );
            diagnostics.push(Diagnostic::new(Code::BadBound, text));
            whole.size = MAX_ARRAY;
        }
        message.is_plain = whole.is_plain;
        known.insert(name.clone(), whole);
    }
}

fn layout(field: &Field, known: &HashMap<InterfaceName, Layout>) -> Layout {
    match &field.field_type {
        FieldType::Single(value) => value_layout(value, known),
        FieldType::Array(item, length) => {
            let item = value_layout(item, known);
            Layout {
                // A message without fields takes no memory here, but a byte on the wire.
                size: item.size.max(1).saturating_mul(*length),
                ..item
            }
        }
        FieldType::BoundedSequence(..) | FieldType::UnboundedSequence(_) => {
            Layout::pointing(if field.storage == Storage::Buffer {
                BUFFER
            } else {
                VECTOR
            })
        }
    }
}

fn value_layout(value: &ValueType, known: &HashMap<InterfaceName, Layout>) -> Layout {
    match value {
        ValueType::Basic(basic) => Layout {
            size: basic.size(),
            align: basic.size(),
            // Not every byte is a truth value.
            is_plain: basic.range().is_some() || basic.size() > 1,
        },
        // A message that is not known is in a cycle, or its file is wrong: there were errors.
        ValueType::Namespaced(name) => known
            .get(name)
            .copied()
            .unwrap_or(Layout::pointing(POINTER)),
        _ => Layout::pointing(VECTOR),
    }
}

fn at_field(diagnostic: Diagnostic, parsed: &LoadedMessage, field: &str) -> Diagnostic {
    let mut fields = parsed.tree.fields.iter();
    match fields.find(|found| found.name.text == field) {
        Some(found) => diagnostic.at(&parsed.source, found.field_type.span.clone(), ""),
        None => diagnostic,
    }
}
