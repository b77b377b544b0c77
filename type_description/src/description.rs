//! The values a type description is made of, as in `type_description_interfaces`.

use crate::{TypeHash, json, text};

/// A type together with every type it refers to, directly or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeDescription {
    /// The type itself.
    pub type_description: IndividualTypeDescription,
    /// All types it refers to, sorted by name, each once, without the type itself.
    pub referenced_type_descriptions: Vec<IndividualTypeDescription>,
}

/// One type: its name and its fields in the order of the source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndividualTypeDescription {
    /// The full name, such as `sensor_msgs/msg/Image`.
    pub type_name: String,
    /// The fields. An empty message has the one field
    /// `structure_needs_at_least_one_member` of type `uint8`.
    pub fields: Vec<Field>,
}

/// A field of a type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    /// The name as in the interface file.
    pub name: String,
    /// The type.
    pub field_type: FieldType,
    /// The default value as ROS 2 writes it (`True`, `-50`, `(1, 2)`), empty if there is none.
    /// It is not part of the type hash.
    pub default_value: String,
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldType {
    /// A number of [`type_id`](crate::type_id).
    pub type_id: u8,
    /// `N` of `T[N]` and `T[<=N]`, else 0.
    pub capacity: u64,
    /// `N` of `string<=N` and `wstring<=N`, else 0.
    pub string_capacity: u64,
    /// The full name of the message that the field holds, or is an array or sequence of; else empty.
    pub nested_type_name: String,
}

/// The text that a type was made from, as `type_description_interfaces/msg/TypeSource` has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeSource {
    /// The full name, such as `sensor_msgs/msg/Image`.
    pub type_name: String,
    /// How the text is written: `msg`, `srv`, `action`, `idl`; `implicit` for a type that has no file of its own.
    pub encoding: String,
    /// The whole file; empty if the encoding is `implicit`.
    pub raw_file_contents: String,
}

impl TypeDescription {
    /// Puts a type and the types it refers to together.
    ///
    /// `referenced` may come in any order and name a type more than once: it is sorted by name,
    /// and of several with one name the first is kept. The type itself is left out of it.
    pub fn new(
        type_description: IndividualTypeDescription,
        referenced: impl IntoIterator<Item = IndividualTypeDescription>,
    ) -> Self {
        let mut referenced: Vec<_> = referenced
            .into_iter()
            .filter(|other| other.type_name != type_description.type_name)
            .collect();
        referenced.sort_by(|a, b| a.type_name.cmp(&b.type_name));
        referenced.dedup_by(|later, earlier| later.type_name == earlier.type_name);
        Self {
            type_description,
            referenced_type_descriptions: referenced,
        }
    }

    /// The canonical text whose SHA-256 is the type hash: one line of JSON without default values.
    pub fn hash_text(&self) -> String {
        text::hash_text(self)
    }

    /// The JSON file that ROS 2 installs for the type (`share/<package>/msg/<Name>.json`), byte for byte:
    /// the description with default values, and the hash of each type in it.
    pub fn hashed_json(&self) -> String {
        json::hashed_json(self)
    }

    /// The RIHS01 hash of the type.
    pub fn type_hash(&self) -> TypeHash {
        TypeHash::of_text(&self.hash_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(type_name: &str) -> IndividualTypeDescription {
        IndividualTypeDescription {
            type_name: type_name.to_owned(),
            fields: Vec::new(),
        }
    }

    #[test]
    fn references_are_sorted_unique_and_without_the_type_itself() {
        let description = TypeDescription::new(
            named("b/msg/Top"),
            [
                named("c/msg/Z"),
                named("a/msg/B"),
                named("c/msg/Z"),
                named("a/msg/A"),
                named("b/msg/Top"),
            ],
        );
        let names: Vec<_> = description
            .referenced_type_descriptions
            .iter()
            .map(|referenced| referenced.type_name.as_str())
            .collect();
        assert_eq!(names, ["a/msg/A", "a/msg/B", "c/msg/Z"]);
    }
}
