//! A message of a tensor, an image, a cloud or a compressed image: one byte says which, the rest is the payload. What a tensor says is
//! compared with the slow reference of the runtime's tests, and it comes back from DLPack as it was; images and clouds are read to the end; depth that can be decompressed is
//! compressed once more and comes back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosidl_buffer_runtime::cdr;
use rosidl_buffer_runtime::tensor::{
    CompressedImageMessage as _, Compression, DType, DlTensor, ImageMessage as _,
    PointCloudMessage as _, TensorMessage as _, TensorView,
};

use messages::{Cloud, CompressedImage, Image, Tensor};

#[path = "../../runtime/tests/tensor/messages.rs"]
#[allow(dead_code)]
mod messages;
#[path = "../../runtime/tests/tensor/reference.rs"]
mod reference;

/// The limit for compressed images, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Each element as bits, and the last one.
fn read(view: TensorView<'_>) -> usize {
    assert!(view.byte_range().end <= view.buffer().len());
    let last = view.len().saturating_sub(1);
    let count = match view.dtype().item_size().unwrap() {
        1 => {
            let elements = view
                .reinterpret(DType::U8)
                .unwrap()
                .elements::<u8>()
                .unwrap();
            assert_eq!(elements.iter().nth(last).is_some(), !view.is_empty());
            elements.iter().take(4096).count()
        }
        2 => view
            .reinterpret(DType::U16)
            .unwrap()
            .elements::<u16>()
            .unwrap()
            .iter()
            .take(4096)
            .count(),
        4 => view
            .reinterpret(DType::U32)
            .unwrap()
            .elements::<u32>()
            .unwrap()
            .iter()
            .take(4096)
            .count(),
        _ => view
            .reinterpret(DType::U64)
            .unwrap()
            .elements::<u64>()
            .unwrap()
            .iter()
            .take(4096)
            .count(),
    };
    assert_eq!(count, view.len().min(4096));
    count
}

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, payload)) = bytes.split_first() else {
        return;
    };
    match pick % 4 {
        0 => {
            let Ok(message) = cdr::decode::<Tensor>(payload) else {
                return;
            };
            let (layout, data) = message.parts();
            reference::check(layout, data);
            let Ok(view) = message.tensor() else { return };
            let Ok(tensor) = DlTensor::from_view(&view) else {
                return;
            };
            // SAFETY: of `into_raw`, used once; the data is never written.
            let back = unsafe { DlTensor::from_raw(tensor.into_raw()) }.unwrap();
            let back: Tensor = back.into_message().unwrap();
            let seen = back.tensor().unwrap();
            assert_eq!((seen.dtype(), seen.shape()), (view.dtype(), view.shape()));
            assert_eq!(
                seen.bytes(),
                if view.is_empty() {
                    Some(&[][..])
                } else {
                    view.bytes()
                }
            );
        }
        1 => {
            let Ok(message) = cdr::decode::<Image>(payload) else {
                return;
            };
            let Ok(image) = message.image() else { return };
            for number in 0..2 {
                if let Ok(plane) = image.plane(number) {
                    read(plane);
                }
            }
        }
        3 => {
            let Ok(mut message) = cdr::decode::<CompressedImage>(payload) else {
                return;
            };
            let mut image = Image::default();
            if message.decompress_within(&mut image, MOST_BYTES).is_err() {
                assert_eq!(image, Image::default());
                return;
            }
            assert!(image.data.len() as u64 <= MOST_BYTES);
            let view = image.image().unwrap();
            read(view.tensor().unwrap());
            let Some(codec) = message.compressed_format().unwrap().depth_codec() else {
                return;
            };
            if image.encoding == "32FC1" {
                return; // the inverse of an inverse is not always what it was
            }
            let depth = Compression::Depth {
                codec,
                max: f32::MAX,
                quantization: 1.0,
            };
            if message.compress(&view, depth).is_ok() {
                let mut back = Image::default();
                message.decompress_within(&mut back, MOST_BYTES).unwrap();
                assert_eq!(back.data, image.data);
            }
        }
        _ => {
            let Ok(message) = cdr::decode::<Cloud>(payload) else {
                return;
            };
            let Ok(cloud) = message.cloud() else { return };
            for field in cloud.fields() {
                let Ok(field) = cloud.field(field.name) else {
                    continue;
                };
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
