//! Encodings by real ROS 2 nodes (rclpy on Cyclone DDS): `data/cdr_vectors.jsonl`.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use serde_json::Value;
use snapshot_tests::{codecs, find, from_hex, markers, to_hex};

#[derive(Deserialize)]
struct Vector {
    r#type: String,
    hash: String,
    seed: u32,
    value: Value,
    cdr: String,
}

fn vectors() -> Vec<Vector> {
    include_str!("../data/cdr_vectors.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn values_become_the_bytes_of_ros_and_bytes_its_values() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 452);
    let mut wrong = Vec::new();
    for vector in vectors {
        let codec =
            find(&vector.r#type).unwrap_or_else(|| panic!("{} was not generated", vector.r#type));
        let label = format!("{} seed {}", vector.r#type, vector.seed);
        assert_eq!((codec.hash)().to_string(), vector.hash, "{label}");
        let bytes = from_hex(&vector.cdr).unwrap();
        match (codec.encode)(vector.value.clone()) {
            Ok(ours) if ours == bytes => {}
            Ok(ours) => wrong.push(format!(
                "{label}: ours {} ROS {}",
                to_hex(&ours),
                vector.cdr
            )),
            Err(error) => wrong.push(format!("{label}: {error}")),
        }
        match (codec.decodes_to)(&bytes, vector.value) {
            Ok(true) => {}
            Ok(false) => wrong.push(format!("{label}: decodes to another value")),
            Err(error) => wrong.push(format!("{label}: {error}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn default_values_are_those_of_ros() {
    for vector in vectors().into_iter().filter(|vector| vector.seed == 0) {
        let codec = find(&vector.r#type).unwrap();
        assert_eq!(
            to_hex(&(codec.encode_default)().unwrap()),
            vector.cdr,
            "{}",
            vector.r#type
        );
    }
}

#[test]
fn big_endian_encodings_of_the_same_values_are_read() {
    // Every number of the little-endian vectors is turned round by walking the type description.
    let mut turned = 0;
    for vector in vectors() {
        let codec = find(&vector.r#type).unwrap();
        let bytes = from_hex(&vector.cdr).unwrap();
        let big = snapshot_tests::big_endian::turn(&(codec.describe)(), &bytes);
        assert!(
            (codec.decodes_to)(&big, vector.value).unwrap(),
            "{} seed {}",
            vector.r#type,
            vector.seed
        );
        turned += usize::from(big[4..] != bytes[4..]);
    }
    assert!(turned > 200, "only {turned} vectors differ by byte order");
}

#[test]
fn views_show_the_values_and_the_errors_of_decoding() {
    for vector in vectors() {
        let codec = find(&vector.r#type).unwrap();
        let bytes = from_hex(&vector.cdr).unwrap();
        let big = snapshot_tests::big_endian::turn(&(codec.describe)(), &bytes);
        for bytes in [&bytes, &big] {
            (codec.try_view)(bytes).unwrap();
            for len in (0..bytes.len()).step_by(3).chain([bytes.len()]) {
                if let Err(difference) = (codec.check_view)(&bytes[..len]) {
                    let label = format!("{} seed {}", vector.r#type, vector.seed);
                    panic!("{label}, first {len} bytes: {difference}");
                }
            }
        }
    }
}

#[test]
fn the_description_that_the_derive_builds_has_the_hash_that_the_generator_wrote() {
    for codec in codecs() {
        let described = (codec.describe)().type_hash();
        assert_eq!(described, (codec.hash)(), "{}", codec.name);
        assert_eq!(described.to_string(), codec.golden_hash, "{}", codec.name);
    }
    for marker in markers() {
        let described = (marker.describe)().type_hash();
        assert_eq!(described, (marker.hash)(), "{}", marker.name);
        assert_eq!(described.to_string(), marker.golden_hash, "{}", marker.name);
    }
    assert_eq!(codecs().len() + markers().len(), 520);
}

#[test]
fn a_message_with_every_feature_survives_the_wire_and_json() {
    use rosidl_buffer_runtime::{GeneratedMessage, Message, cdr};
    use snapshot_tests::ros::feature_msgs::msg::Everything;

    let message = Everything::default();
    assert_eq!((message.octet, message.letter, message.f32), (5, 65, 1.5));
    assert!(message.f64.is_nan());
    assert_eq!(message.names, ["a", "b,c"]);
    assert_eq!(
        (
            message.some_octets.to_vec().unwrap(),
            message.data.to_vec().unwrap()
        ),
        (vec![1, 2], vec![1, 2, 3])
    );
    assert_eq!(Everything::NAME, "\"a \"name\"\twith");
    assert_eq!(
        Everything::type_description().type_hash().to_string(),
        Everything::TYPE_HASH
    );

    let message = Everything {
        f64: 0.5,
        ..message
    };
    assert_eq!(
        cdr::decode::<Everything>(&cdr::encode(&message).unwrap()).unwrap(),
        message
    );
    let json = serde_json::to_value(&message).unwrap();
    assert_eq!(
        (&json["type"], &json["self"]),
        (&0.into(), &0.into()),
        "names as ROS has them"
    );
    assert_eq!(serde_json::from_value::<Everything>(json).unwrap(), message);
}
