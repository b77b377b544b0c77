//! ROS 2 type descriptions and RIHS01 type hashes.
//!
//! In goes what an interface consists of: names, field types, capacities. Out comes the canonical
//! text and its SHA-256, the type hash with which ROS 2 nodes tell whether they mean the same type.
//! Nothing is parsed or looked up here: the generator and the derive bring the descriptions.
//!
//! ```
//! use rosidl_type_description::{Field, FieldType, IndividualTypeDescription, TypeDescription, type_id};
//!
//! let string = IndividualTypeDescription {
//!     type_name: "std_msgs/msg/String".to_owned(),
//!     fields: vec![Field {
//!         name: "data".to_owned(),
//!         field_type: FieldType { type_id: type_id::STRING, ..FieldType::default() },
//!         default_value: String::new(),
//!     }],
//! };
//! assert_eq!(
//!     TypeDescription::new(string, []).type_hash().to_string(),
//!     "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
//! );
//! ```
#![forbid(unsafe_code)]

mod description;
mod hash;
mod json;
pub mod python;
mod text;
pub mod type_id;

pub use description::{Field, FieldType, IndividualTypeDescription, TypeDescription, TypeSource};
pub use hash::{ParseTypeHashError, TypeHash};
