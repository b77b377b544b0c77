//! A message of a tensor, an image or a cloud: one byte says which, the rest is the payload. What a tensor says is compared with
//! the slow reference of the runtime's tests; images and clouds are read to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosidl_buffer_runtime::cdr;
use rosidl_buffer_runtime::tensor::{
    DType, ImageMessage as _, PointCloudMessage as _, TensorMessage as _, TensorView,
};

use messages::{Cloud, Image, Tensor};

#[path = "../../runtime/tests/tensor/messages.rs"]
#[allow(dead_code)]
mod messages;
#[path = "../../runtime/tests/tensor/reference.rs"]
mod reference;

/// Each element as bits, and the last one.
fn read(view: TensorView<'_>) -> usize {
    assert!(view.byte_range().end <= view.buffer().len());
    let last = view.len().saturating_sub(1);
    let count = match view.dtype().item_size().unwrap() {
        1 => {
            let elements = view.reinterpret(DType::U8).unwrap().elements::<u8>().unwrap();
            assert_eq!(elements.iter().nth(last).is_some(), !view.is_empty());
            elements.iter().take(4096).count()
        }
        2 => view.reinterpret(DType::U16).unwrap().elements::<u16>().unwrap().iter().take(4096).count(),
        4 => view.reinterpret(DType::U32).unwrap().elements::<u32>().unwrap().iter().take(4096).count(),
        _ => view.reinterpret(DType::U64).unwrap().elements::<u64>().unwrap().iter().take(4096).count(),
    };
    assert_eq!(count, view.len().min(4096));
    count
}

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, payload)) = bytes.split_first() else {
        return;
    };
    match pick % 3 {
        0 => {
            let Ok(message) = cdr::decode::<Tensor>(payload) else { return };
            let (layout, data) = message.parts();
            reference::check(layout, data);
        }
        1 => {
            let Ok(message) = cdr::decode::<Image>(payload) else { return };
            let Ok(image) = message.image() else { return };
            for number in 0..2 {
                if let Ok(plane) = image.plane(number) {
                    read(plane);
                }
            }
        }
        _ => {
            let Ok(message) = cdr::decode::<Cloud>(payload) else { return };
            let Ok(cloud) = message.cloud() else { return };
            for field in cloud.fields() {
                let Ok(field) = cloud.field(field.name) else { continue };
                read(field.tensor().unwrap());
            }
            let points = message.height as usize * message.width as usize;
            if let Ok(all) = cloud.points::<f32, 2>(["x", "y"]) {
                assert_eq!(all.len(), points);
                assert_eq!(all.take(4096).count(), points.min(4096));
            }
        }
    }
});
