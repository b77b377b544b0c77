//! Tensors of messages on the host: what a view costs, and what DLPack costs beyond it, in time and in allocations, for
//! tensors of any size.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml --bin tensor`

use std::hint::black_box;

use rosidl_buffer_bench::{Counting, allocations, median};
use rosidl_buffer_interfaces::sensor_msgs::msg::{Image, PointCloud2, PointField};
use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::{
    DType, DlTensor, ImageMessage as _, PointCloudMessage as _, TensorMessage as _,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RUNS: usize = 41;
const CALLS: u64 = 1000;

/// One line: the median of a call, and how often it asks for memory.
fn row(what: &str, bytes: usize, mut call: impl FnMut()) {
    call();
    let before = allocations();
    (0..CALLS).for_each(|_| call());
    let allocated = (allocations() - before) as f64 / CALLS as f64;
    let time = median(RUNS, call);
    println!(
        "| {what} | {bytes} | {:.0} | {allocated} |",
        time.as_secs_f64() * 1e9
    );
}

fn tensors(place: &str, bytes: usize, data: Buffer<u8>) {
    let width = i64::try_from(bytes / 4 / 32).unwrap();
    let message = ExperimentalTensor::from_buffer(DType::F32, [1, 8, 4, width], data).unwrap();
    let view = message.tensor().unwrap();
    row(&format!("{place}: view"), bytes, || {
        drop(black_box(black_box(&message).tensor()))
    });
    row(
        &format!("{place}: view to DLPack, and back by its deleter"),
        bytes,
        || {
            drop(black_box(DlTensor::from_view(black_box(&view)).unwrap()));
        },
    );
    row(
        &format!("{place}: message to DLPack to message"),
        bytes,
        || {
            let tensor = DlTensor::from_message(black_box(&message)).unwrap();
            // SAFETY: of `into_raw`, used once; nobody writes the data.
            let tensor = unsafe { DlTensor::from_raw(black_box(tensor.into_raw())) }.unwrap();
            drop(black_box(
                tensor.into_message::<ExperimentalTensor>().unwrap(),
            ));
        },
    );
}

fn main() {
    println!("| what | bytes of the tensor | median ns | allocations |\n|---|---|---|---|");
    row("an allocation of 168 bytes, for comparison", 168, || {
        drop(black_box(Vec::<u8>::with_capacity(168)))
    });
    let shm = ShmBackend::new().unwrap();
    for bytes in [1 << 10, 1 << 20, 64 << 20] {
        tensors("vector", bytes, vec![7; bytes].into());
        tensors(
            "shared memory",
            bytes,
            shm.to_buffer(&vec![7; bytes]).unwrap(),
        );
    }
    let bytes = 1920 * 1080 * 3;
    let image = Image {
        width: 1920,
        height: 1080,
        encoding: "rgb8".into(),
        step: 5760,
        data: vec![7; bytes].into(),
        ..Image::default()
    };
    row("image: view of its pixels", bytes, || {
        assert!(black_box(&image).image().unwrap().tensor().is_ok())
    });
    row("image: to DLPack, and back by its deleter", bytes, || {
        let image = black_box(&image).image().unwrap();
        drop(black_box(
            DlTensor::from_view(&image.tensor().unwrap()).unwrap(),
        ));
    });
    let fields = ["x", "y", "z", "intensity"].iter().zip([0, 4, 8, 12]);
    let fields = fields.map(|(name, offset)| PointField {
        name: (*name).to_owned(),
        offset,
        datatype: PointField::FLOAT32,
        count: 1,
    });
    let cloud = PointCloud2 {
        height: 1,
        width: 100_000,
        fields: fields.collect(),
        point_step: 16,
        row_step: 1_600_000,
        data: vec![7; 1_600_000].into(),
        ..PointCloud2::default()
    };
    row(
        "cloud: one field to DLPack, and back by its deleter",
        1_600_000,
        || {
            let cloud = black_box(&cloud).cloud().unwrap();
            let field = cloud.field("z").unwrap();
            drop(black_box(
                DlTensor::from_view(&field.tensor().unwrap()).unwrap(),
            ));
        },
    );
}
