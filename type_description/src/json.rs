//! A type description as the JSON file that ROS 2 installs beside each interface.
//!
//! The members and their order are those of `rosidl_generator_type_description`, the layout is that of
//! Python's `json.dumps` with an indentation of two: the text is equal to the installed file's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use crate::{IndividualTypeDescription, TypeDescription, text::push_string};

/// The text of the file, without a line break at its end.
pub(crate) fn hashed_json(description: &TypeDescription) -> String {
    let mut out = String::with_capacity(4096);
    out.push_str("{\n  \"type_description_msg\": {\n    \"type_description\": ");
    push_individual(&mut out, &description.type_description, 4);
    out.push_str(",\n    \"referenced_type_descriptions\": ");
    push_list(
        &mut out,
        &description.referenced_type_descriptions,
        4,
        push_individual,
    );
    out.push_str("\n  },\n  \"type_hashes\": ");
    push_list(
        &mut out,
        &hashed(description),
        2,
        |out, description, indent| {
            let hash = description.type_hash().to_string();
            let name = &description.type_description.type_name;
            push_object(out, indent, |out, line| {
                push_member(out, line, 0, "type_name", name);
                push_member(out, line, 1, "hash_string", &hash);
            });
        },
    );
    out.push_str("\n}");
    out
}

/// The type and each type that it refers to, with what that refers to.
fn hashed(description: &TypeDescription) -> Vec<TypeDescription> {
    let referenced = &description.referenced_type_descriptions;
    let by_name: BTreeMap<_, _> = referenced
        .iter()
        .map(|individual| (individual.type_name.as_str(), individual))
        .collect();
    let with_references = |individual: &IndividualTypeDescription| {
        let mut reached = BTreeSet::new();
        let mut queue = vec![individual];
        while let Some(next) = queue.pop() {
            for field in &next.fields {
                let target = by_name.get(field.field_type.nested_type_name.as_str());
                if let Some(target) = target
                    && reached.insert(target.type_name.as_str())
                {
                    queue.push(target);
                }
            }
        }
        let reached = reached.iter().map(|name| by_name[name].clone());
        TypeDescription::new(individual.clone(), reached)
    };
    std::iter::once(description.clone())
        .chain(referenced.iter().map(with_references))
        .collect()
}

fn push_individual(out: &mut String, individual: &IndividualTypeDescription, indent: usize) {
    push_object(out, indent, |out, line| {
        push_member(out, line, 0, "type_name", &individual.type_name);
        let _ = write!(out, ",{line}\"fields\": ");
        push_list(out, &individual.fields, indent + 2, |out, field, indent| {
            let field_type = &field.field_type;
            push_object(out, indent, |out, line| {
                push_member(out, line, 0, "name", &field.name);
                let _ = write!(out, ",{line}\"type\": ");
                push_object(out, indent + 2, |out, line| {
                    let _ = write!(
                        out,
                        "{line}\"type_id\": {},{line}\"capacity\": {},{line}\"string_capacity\": {}",
                        field_type.type_id, field_type.capacity, field_type.string_capacity
                    );
                    push_member(
                        out,
                        line,
                        1,
                        "nested_type_name",
                        &field_type.nested_type_name,
                    );
                });
                push_member(out, line, 1, "default_value", &field.default_value);
            });
        });
    });
}

/// The members get what starts each of their lines.
fn push_object(out: &mut String, indent: usize, members: impl FnOnce(&mut String, &str)) {
    out.push('{');
    members(out, &format!("\n{}", " ".repeat(indent + 2)));
    let _ = write!(out, "\n{}}}", " ".repeat(indent)); // writing into a String cannot fail
}

fn push_member(out: &mut String, line: &str, index: usize, name: &str, value: &str) {
    if index > 0 {
        out.push(',');
    }
    let _ = write!(out, "{line}\"{name}\": ");
    push_string(out, value);
}

fn push_list<T>(
    out: &mut String,
    items: &[T],
    indent: usize,
    push: impl Fn(&mut String, &T, usize),
) {
    if items.is_empty() {
        out.push_str("[]");
        return;
    }
    for (index, item) in items.iter().enumerate() {
        out.push(if index == 0 { '[' } else { ',' });
        let _ = write!(out, "\n{}", " ".repeat(indent + 2));
        push(out, item, indent + 2);
    }
    let _ = write!(out, "\n{}]", " ".repeat(indent));
}
