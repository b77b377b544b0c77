//! CDR: ours beside plain memory copies and beside `cdr-encoding` on the same types (through serde, bytes as bytes), and
//! views beside decoding, each with the same work done on what was read.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml --bin cdr`

use std::hint::black_box;
use std::time::Duration;

use byteorder::LittleEndian;
use bytes::Bytes;
use rosidl_buffer_bench::median;
use rosidl_buffer_interfaces::geometry_msgs::msg::TransformStamped;
use rosidl_buffer_interfaces::sensor_msgs::msg::{Image, Imu, PointCloud2, PointField};
use rosidl_buffer_interfaces::tf2_msgs::msg::TFMessage;
use rosidl_buffer_runtime::{Message, View, cdr};
use serde::Serialize;
use serde::de::DeserializeOwned;

const RUNS: usize = 41;

fn row(name: &str, bytes: usize, time: Duration, base: Duration) {
    let rate = bytes as f64 / time.as_secs_f64() / 1e9;
    let ratio = time.as_secs_f64() / base.as_secs_f64();
    println!(
        "| {name} | {bytes} | {:.3} | {rate:.1} | {ratio:.2} |",
        time.as_secs_f64() * 1e6
    );
}

fn compare<M: Message + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    name: &str,
    message: &M,
) {
    let encoded = cdr::encode(message).unwrap();
    let payload = Bytes::from(encoded.clone());
    let theirs = cdr_encoding::to_vec::<M, LittleEndian>(message).unwrap();
    assert_eq!(theirs, encoded[4..], "both sides write the same body");
    assert_eq!(cdr::decode::<M>(&encoded).unwrap(), *message);

    let mut out = vec![0u8; encoded.len()];
    let copy = median(RUNS, || {
        black_box(&mut out).copy_from_slice(black_box(&encoded))
    });
    let mut reused = Vec::new();
    let encode = median(RUNS, || {
        cdr::encode_into(black_box(message), black_box(&mut reused)).unwrap()
    });
    let fresh = median(RUNS, || {
        drop(black_box(cdr::encode(black_box(message)).unwrap()))
    });
    let decode = median(RUNS, || {
        drop(black_box(cdr::decode::<M>(black_box(&encoded)).unwrap()))
    });
    let borrowed = median(RUNS, || {
        drop(black_box(
            cdr::decode_payload::<M>(black_box(payload.clone())).unwrap(),
        ))
    });
    let fresh_copy = median(RUNS, || drop(black_box(black_box(&encoded).to_vec())));
    let their_encode = median(RUNS, || {
        drop(black_box(
            cdr_encoding::to_vec::<M, LittleEndian>(black_box(message)).unwrap(),
        ));
    });
    let their_decode = median(RUNS, || {
        drop(black_box(
            cdr_encoding::from_bytes::<M, LittleEndian>(black_box(&encoded[4..])).unwrap(),
        ));
    });
    let len = encoded.len();
    row(
        &format!("{name}: copy into memory that is there"),
        len,
        copy,
        copy,
    );
    row(
        &format!("{name}: encode into memory that is there"),
        len,
        encode,
        copy,
    );
    row(
        &format!("{name}: copy into fresh memory"),
        len,
        fresh_copy,
        fresh_copy,
    );
    row(
        &format!("{name}: encode into fresh memory"),
        len,
        fresh,
        fresh_copy,
    );
    row(&format!("{name}: decode, copied"), len, decode, fresh_copy);
    row(
        &format!("{name}: decode, borrowed"),
        len,
        borrowed,
        fresh_copy,
    );
    row(
        &format!("{name}: cdr-encoding writes"),
        len,
        their_encode,
        fresh_copy,
    );
    row(
        &format!("{name}: cdr-encoding reads"),
        len,
        their_decode,
        fresh_copy,
    );
}

/// Reading the same from a decoded message and from a view; `owned` and `viewed` have to agree.
fn read<M: Message, R: PartialEq + std::fmt::Debug>(
    name: &str,
    message: &M,
    owned: impl Fn(&M) -> R,
    viewed: impl Fn(View<'_, M>) -> R,
) {
    let encoded = cdr::encode(message).unwrap();
    assert_eq!(viewed(cdr::view::<M>(&encoded).unwrap()), owned(message));
    let payload = Bytes::from(encoded.clone());
    let copied = median(RUNS, || {
        drop(black_box(owned(
            &cdr::decode::<M>(black_box(&encoded)).unwrap(),
        )))
    });
    let borrowed = median(RUNS, || {
        drop(black_box(owned(
            &cdr::decode_payload::<M>(black_box(payload.clone())).unwrap(),
        )));
    });
    let view = median(RUNS, || {
        drop(black_box(viewed(
            cdr::view::<M>(black_box(&encoded)).unwrap(),
        )))
    });
    for (how, time) in [
        ("decode, copied", copied),
        ("decode, borrowed", borrowed),
        ("view", view),
    ] {
        let ratio = copied.as_secs_f64() / time.as_secs_f64();
        println!(
            "| {name}: {how} | {} | {:.3} | {ratio:.1} |",
            encoded.len(),
            time.as_secs_f64() * 1e6
        );
    }
}

fn views() {
    println!("\n| what is read | bytes | median µs | times as fast as decode, copied |");
    println!("|---|---|---|---|");
    let mut image = Image {
        width: 1920,
        height: 1080,
        encoding: "rgb8".into(),
        data: vec![7; 6_220_800].into(),
        ..Image::default()
    };
    image.header.frame_id = "camera_link".into();
    read(
        "image 6.2 MB, header",
        &image,
        |image| {
            (
                image.header.stamp.sec,
                image.header.frame_id.len(),
                image.width,
            )
        },
        |image| {
            (
                image.header.stamp.sec,
                image.header.frame_id.len(),
                image.width,
            )
        },
    );
    let field = |name: &str, offset| PointField {
        name: name.into(),
        offset,
        datatype: 7,
        count: 1,
    };
    let cloud = PointCloud2 {
        height: 1,
        width: 100_000,
        fields: vec![
            field("x", 0),
            field("y", 4),
            field("z", 8),
            field("intensity", 12),
        ],
        point_step: 16,
        row_step: 1_600_000,
        data: vec![7; 1_600_000].into(),
        ..PointCloud2::default()
    };
    read(
        "cloud 1.6 MB, fields",
        &cloud,
        |cloud| {
            (
                cloud
                    .fields
                    .iter()
                    .find(|field| field.name == "z")
                    .map(|field| field.offset),
                cloud.data.len(),
            )
        },
        |cloud| {
            (
                cloud
                    .fields
                    .iter()
                    .find(|field| field.name == "z")
                    .map(|field| field.offset),
                cloud.data.len(),
            )
        },
    );
    let transform = |index: i32| {
        let mut transform = TransformStamped {
            child_frame_id: format!("joint_{index}"),
            ..TransformStamped::default()
        };
        transform.header.frame_id = "base_link".into();
        transform.transform.translation.x = f64::from(index);
        transform
    };
    read(
        "20 transforms, one looked for",
        &TFMessage {
            transforms: (0..20).map(transform).collect(),
        },
        |tf| {
            tf.transforms
                .iter()
                .find(|tf| tf.child_frame_id == "joint_15")
                .map(|tf| tf.transform.translation.x)
        },
        |tf| {
            tf.transforms
                .iter()
                .find(|tf| tf.child_frame_id == "joint_15")
                .map(|tf| tf.transform.translation.x)
        },
    );
}

fn main() {
    println!("| what | bytes | median µs | GB/s | ratio to the copy |");
    println!("|---|---|---|---|---|");
    let mut imu = Imu::default();
    imu.header.frame_id = "imu_link".into();
    compare("Imu", &imu);
    let transform = TransformStamped {
        child_frame_id: "base_link_child".into(),
        ..TransformStamped::default()
    };
    compare(
        "20 transforms",
        &TFMessage {
            transforms: vec![transform; 20],
        },
    );
    for (name, width, height) in [
        ("image 64 KB", 160, 136),
        ("image 6.2 MB", 1920, 1080),
        ("image 64 MB", 5120, 4167),
    ] {
        let data: Vec<u8> = (0..width * height * 3).map(|i| i as u8).collect();
        compare(
            name,
            &Image {
                width,
                height,
                encoding: "rgb8".into(),
                data: data.into(),
                ..Image::default()
            },
        );
    }
    views();
}
