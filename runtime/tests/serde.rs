//! serde on messages: bytes as bytes, arrays of any length, bounds, ROS names.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used)]

use rosidl_buffer_runtime::{
    BoundedBuffer, BoundedSequence, BoundedString, BoundedWString, Buffer, BufferMessage, WString,
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
