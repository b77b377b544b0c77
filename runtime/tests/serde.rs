//! serde on messages: bytes as bytes, arrays of any length, bounds, ROS names.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rosidl_buffer_runtime::{
    BoundedBuffer, BoundedSequence, BoundedString, BoundedWString, Buffer, BufferError,
    BufferMessage, Storage, WString,
};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Inner {
    r#type: u8,
    in_: bool,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(package = "demo_msgs")]
struct Everything {
    data: Buffer<u8>,
    samples: BoundedBuffer<f32, 2>,
    uuid: [u8; 16],
    long: [i16; 40],
    large: Box<[u8; 70_000]>,
    inner: Vec<Inner>,
    name: BoundedString<3>,
    wide: WString,
    wides: BoundedSequence<BoundedWString<2>, 2>,
    #[ros2(string_bound = 2)]
    text: String,
}

fn everything() -> Everything {
    Everything {
        data: vec![1, 2, 255].into(),
        samples: vec![1.5].try_into().unwrap(),
        inner: vec![Inner {
            r#type: 7,
            in_: true,
        }],
        name: "päß".parse().unwrap(),
        wide: "漢".into(),
        wides: vec![BoundedWString::try_from("a").unwrap()]
            .try_into()
            .unwrap(),
        text: "ab".into(),
        ..Everything::default()
    }
}

#[test]
fn json_uses_ros_names_and_round_trips() {
    let value = serde_json::to_value(everything()).unwrap();
    assert_eq!(value["data"], json!([1, 2, 255]));
    assert_eq!(value["inner"], json!([{ "type": 7, "in": true }]));
    assert_eq!(value["wide"], json!("漢"));
    assert_eq!(
        serde_json::from_value::<Everything>(value).unwrap(),
        everything()
    );
}

#[test]
fn unpaired_surrogates_travel_as_code_units() {
    let wide = WString::from(vec![0xD800]);
    assert_eq!(serde_json::to_value(&wide).unwrap(), json!([0xD800]));
    assert_eq!(
        serde_json::from_value::<WString>(json!([0xD800])).unwrap(),
        wide
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let refuse = |field: &str, value: serde_json::Value| {
        let mut json = serde_json::to_value(everything()).unwrap();
        json[field] = value;
        serde_json::from_value::<Everything>(json)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse("samples", json!([1, 2, 3])),
        "sequence of length 3 exceeds the bound 2"
    );
    assert_eq!(
        refuse("name", json!("abcd")),
        "string of length 4 exceeds the bound 3"
    );
    assert_eq!(
        refuse("text", json!("abc")),
        "string of length 3 exceeds the bound 2"
    );
    assert_eq!(
        refuse("uuid", json!([1])),
        "1 elements where the array has 16"
    );
    assert!(refuse("data", json!([256])).contains("256"));
    let missing = serde_json::from_value::<Inner>(json!({ "in": true })).unwrap_err();
    assert_eq!(missing.to_string(), "missing field `type`");
    let twice = serde_json::from_str::<Inner>(r#"{"in": true, "in": true}"#).unwrap_err();
    assert!(
        twice.to_string().starts_with("duplicate field `in`"),
        "{twice}"
    );
    let extra = serde_json::from_value::<Inner>(json!({ "in": true, "type": 1, "new": 0 }));
    assert!(extra.is_ok(), "unknown fields are skipped: {extra:?}");
}

#[path = "common/mailbox.rs"]
#[allow(dead_code)] // only its storages are used here
mod mailbox;

/// Memory that only its backend can read, or that nobody can.
struct Far(Option<u8>);

impl Storage for Far {
    fn backend_type(&self) -> &'static str {
        "far"
    }

    fn byte_len(&self) -> usize {
        3
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        None
    }

    fn copy_to_host(&self, out: &mut [u8]) -> Result<(), BufferError> {
        out.fill(self.0.ok_or(BufferError::Backend {
            backend: "far".into(),
            operation: "copy 3 bytes to the host".into(),
            cause: "the device is gone".into(),
        })?);
        Ok(())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn buffers_in_any_memory_are_their_content() {
    let (writer, _) = mailbox::Mailbox::pair("serde");
    let json = |storage| serde_json::to_value(Buffer::<u8>::from_storage(storage).unwrap());
    assert_eq!(json(writer.store(&[4, 5])).unwrap(), json!([4, 5]));
    assert_eq!(json(Arc::new(Far(Some(6)))).unwrap(), json!([6, 6, 6]));
    let error = json(Arc::new(Far(None))).unwrap_err().to_string();
    assert!(
        error.contains("backend `far` could not copy 3 bytes to the host"),
        "{error}"
    );
}
