//! Messages that are made of pixels and points, in any memory.

use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::{
    CloudError, DType, ImageError, ImageMessage as _, PointCloudMessage as _, PointLayout,
    TensorError,
};

use crate::messages::{Cloud, Header, Image};

fn named(frame_id: &str) -> Header {
    Header {
        frame_id: frame_id.to_owned(),
    }
}

#[test]
fn images_are_filled_and_keep_their_header() {
    let mut message = Image {
        header: named("camera"),
        is_bigendian: 7,
        ..Image::default()
    };
    let rows: Vec<u8> = (0..16).collect();
    let address = rows.as_ptr();
    message.fill_image("rgb8", 2, 2, 8, rows).unwrap();
    assert_eq!(message.header.frame_id, "camera");
    let numbers = (message.height, message.width, message.step);
    assert_eq!((message.encoding.as_str(), numbers), ("rgb8", (2, 2, 8)));
    assert_eq!(message.is_bigendian, u8::from(cfg!(target_endian = "big")));
    let data = message.data.as_mut_slice().unwrap(); // nobody else has it
    assert_eq!(data.as_ptr(), address);

    message
        .fill_pixels("mono16", 1, 3, vec![1_u16, 2, 65535])
        .unwrap();
    assert_eq!((message.step, message.data.len()), (6, 6));
    let view = message.image().unwrap();
    let pixels = view.tensor().unwrap();
    assert_eq!(pixels.as_slice::<u16>().unwrap(), [1, 2, 65535]);
    assert_eq!((view.height(), view.width()), (1, 3));
}

#[test]
fn rows_and_planes_have_their_length() {
    use rosidl_buffer_runtime::tensor::Encoding;
    for (name, step, len) in [
        ("rgb8", 15, 45),
        ("rgba16", 40, 120),
        ("yuyv", 10, 30),
        ("nv12", 6, 30), // five columns are three pairs of colour
        ("nv24", 5, 45),
        ("64FC2", 80, 240),
    ] {
        let encoding = Encoding::parse(name).unwrap();
        assert_eq!(encoding.packed_step(5), Some(step), "{name}");
        assert_eq!(encoding.byte_len(3, 5, step), Some(len), "{name}");
        let mut message = Image::default();
        message
            .fill_pixels(name, 3, 5, vec![0_u8; len])
            .or_else(|_| message.fill_image(name, 3, 5, step, vec![0; len]))
            .unwrap();
        let short = message.fill_image(name, 3, 5, step, vec![0; len - 1]);
        assert!(matches!(short, Err(ImageError::TooShort { .. })), "{name}");
        assert_eq!(message.data.len(), len, "as it was");
    }
    let huge = Encoding::parse("64FC4").unwrap();
    assert_eq!(huge.packed_step(u32::MAX), None);
    let planes = Encoding::parse("nv24").unwrap();
    assert_eq!(planes.byte_len(u32::MAX, u32::MAX, u32::MAX), None);
}

#[test]
fn wrong_images_are_refused() {
    let mut message = Image::default();
    let error = message.fill_pixels("rgb8", 1, 1, vec![0_u16; 3]);
    let expected = TensorError::OtherType {
        is: DType::U8,
        asked: DType::U16,
    };
    assert_eq!(error, Err(ImageError::Tensor(expected)));
    let error = message.fill_pixels("rgb9", 1, 1, vec![0_u8; 3]);
    assert_eq!(error, Err(ImageError::Encoding("rgb9".to_owned())));
    let error = message.fill_pixels("64FC1", 1, u32::MAX, vec![0_f64; 3]);
    assert!(matches!(error, Err(ImageError::Step { .. })));
    let error = message.fill_image("rgb8", 1, 3, 8, vec![0; 9]);
    assert!(matches!(error, Err(ImageError::Step { row: 9, .. })));
    assert_eq!(message, Image::default());
}

#[test]
fn clouds_are_made_of_points() {
    let mut message = Cloud {
        header: named("lidar"),
        ..Cloud::default()
    };
    let points = vec![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let address = points.as_ptr().addr();
    message.fill_points(["x", "y", "z"], points, true).unwrap();
    assert_eq!(message.header.frame_id, "lidar");
    assert!(message.is_dense);
    assert_eq!((message.height, message.width), (1, 2));
    assert_eq!((message.point_step, message.row_step), (12, 24));
    assert_eq!(message.data.as_slice().unwrap().as_ptr().addr(), address);
    let cloud = message.cloud().unwrap();
    let read = cloud.points::<f32, 2>(["z", "x"]).unwrap();
    assert!(read.eq([[3.0, 1.0], [6.0, 4.0]]));
}

#[test]
fn fields_are_written_into_any_memory() {
    let layout = PointLayout::xyz_rgb()
        .with_field("ring", 28, DType::U16, 1)
        .unwrap();
    assert_eq!(layout.point_step(), 32);
    let mut bytes = vec![0xEE; layout.byte_len(4).unwrap()];
    let places = (0..4_u8).map(|at| [f32::from(at), 0.5, -1.0]);
    assert_eq!(layout.write(&mut bytes, ["x", "y", "z"], places), Ok(4));
    let rings = [[7_u16], [8], [9]];
    assert_eq!(layout.write(&mut bytes, ["ring"], rings), Ok(3));

    let mut message = Cloud::default();
    message
        .fill_cloud(&layout, 2, 2, Buffer::from(bytes), false)
        .unwrap();
    let offsets: Vec<_> = message.columns.iter().map(|field| field.offset).collect();
    assert_eq!(offsets, [0, 4, 8, 16, 28]);
    let cloud = message.cloud().unwrap();
    let x = cloud.points::<f32, 1>(["x"]).unwrap();
    assert!(x.flatten().eq([0.0, 1.0, 2.0, 3.0]));
    let ring = cloud.points::<u16, 1>(["ring"]).unwrap();
    assert!(ring.flatten().eq([7, 8, 9, 0xEEEE]));
    assert!(!message.is_dense);
}

#[test]
fn wrong_points_are_refused() {
    let shown = |error: CloudError| error.to_string();
    let refused = PointLayout::packed(&[("x", DType::F32), ("t", DType::U64)]).unwrap_err();
    assert_eq!(
        shown(refused),
        "field `t` cannot be uint64: sensor_msgs/PointField has integers of up to 32 bits, float32 and float64"
    );
    let refused = PointLayout::packed(&[("x", DType::F32), ("x", DType::U8)]).unwrap_err();
    assert_eq!(shown(refused), "there is a field `x` already");
    let refused = PointLayout::xyz().with_field("far", u32::MAX, DType::U8, 1);
    assert!(matches!(refused, Err(CloudError::OutsidePoint { .. })));
    let refused = PointLayout::xyz().with_point_step(11);
    assert!(matches!(refused, Err(CloudError::OutsidePoint { .. })));
    let layout = PointLayout::xyz().with_point_step(12).unwrap();

    let mut bytes = [0; 30];
    let write = layout.write(&mut bytes, ["w"], [[1.0_f32]]);
    assert!(matches!(write, Err(CloudError::NoField(_))));
    let write = layout.write(&mut bytes, ["x"], [[1.0_f64]]);
    assert!(matches!(write, Err(CloudError::Tensor { .. })));
    let write = layout.write(&mut bytes, ["z"], [[1.0_f32]; 3]);
    assert_eq!(write, Err(CloudError::NoRoom { points: 2 }));
    assert_eq!(
        bytes[20..24],
        1.0_f32.to_ne_bytes(),
        "those with room are there"
    );

    let mut message = Cloud::default();
    let refused = message.fill_cloud(&layout, 1, 3, bytes.to_vec(), true);
    assert!(matches!(refused, Err(CloudError::TooShort { .. })));
    let refused = message.fill_cloud(&layout, 1, u32::MAX, bytes.to_vec(), true);
    assert!(matches!(refused, Err(CloudError::RowStep { .. })));
    assert_eq!(message, Cloud::default());
}
