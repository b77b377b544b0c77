//! Any numbers in any message: what a view says is what the slow reference says, and nothing panics.

use proptest::prelude::*;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::{
    DType, ImageMessage as _, Layout, PointCloudMessage as _, PointFieldMessage as _,
};

use crate::messages::{Cloud, Column, Header, Image};
use crate::reference::check;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn dtype() -> impl Strategy<Value = DType> {
    let any = (any::<u8>(), any::<u8>(), any::<u16>());
    let any = any.prop_map(|(code, bits, lanes)| DType { code, bits, lanes });
    let usual = prop::sample::select(vec![DType::U8, DType::I16, DType::F32, DType::F64]);
    let vectors = (0_u8..19, 0_u8..18, 0_u16..4);
    let vectors = vectors.prop_map(|(code, bits, lanes)| DType { code, bits, lanes });
    prop_oneof![6 => usual, 2 => vectors, 1 => any]
}

/// Small numbers mostly, so that most tensors fit; else the ones where arithmetic ends.
fn number(small: i64) -> impl Strategy<Value = i64> {
    prop_oneof![
        200 => 0..small,
        2 => any::<i64>(),
        1 => prop::sample::select(vec![-1, i64::MAX, i64::MIN, 1 << 31, 1 << 32, 1 << 61, (1 << 62) + 1]),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_view_is_what_the_reference_says(
        dtype in dtype(),
        (shape, strides) in (0_usize..5).prop_flat_map(|rank| (
            prop::collection::vec(number(5), rank),
            prop_oneof![
                2 => prop::collection::vec(number(9), rank),
                1 => Just(Vec::new()),
                // A permutation of the strides of a compact tensor is made below.
                1 => Just(vec![-7; rank]),
                1 => prop::collection::vec(number(3), 0..5),
            ],
        )),
        order in any::<u64>(),
        offset in prop_oneof![40 => 0_u64..20, 1 => any::<u64>(), 1 => Just(u64::MAX)],
        data in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let mut strides = strides;
        if strides.first() == Some(&-7) {
            let mut inner = 1_i64;
            for axis in 0..strides.len() {
                let axis = (axis + order as usize % strides.len()) % strides.len();
                strides[axis] = inner;
                inner = inner.saturating_mul(shape[axis]).max(0);
            }
        }
        let layout = Layout { dtype, shape: &shape, strides: &strides, byte_offset: offset };
        check(layout, &Buffer::from(data));
    }

    #[test]
    fn an_image_is_read_or_refused(
        height in 0_u32..9,
        width in prop_oneof![20 => 0_u32..9, 1 => any::<u32>()],
        encoding in prop_oneof![
            20 => "(rgb8|bgra16|mono8|mono16|bayer_rggb16|yuyv|nv12|nv21|nv24|16UC2|32FC1|64FC)",
            1 => "(8|16|32|64)(U|S|F)C[0-9]{0,12}",
            1 => ".*",
        ],
        is_bigendian: bool,
        step in prop_oneof![20 => 0_u32..99, 1 => any::<u32>()],
        data in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let message = Image {
            header: Header::default(),
            height,
            width,
            encoding,
            is_bigendian: is_bigendian.into(),
            step,
            data: data.clone().into(),
        };
        let Ok(image) = message.image() else { return Ok(()) };
        for number in 0..3 {
            let Ok(view) = image.plane(number) else { continue };
            let channels = image.encoding().channels() as usize;
            let size = usize::from(image.encoding().bit_depth() / 8);
            let [rows, columns, _] = *view.shape() else { panic!() };
            let step = step as usize;
            let (start, step, channels) = match (number, message.encoding.as_str()) {
                (0, _) => (0, step, channels),
                (1, "nv24") => (step * height as usize, step * 2, 2),
                (1, _) => (step * height as usize, step, 2),
                _ => panic!("no encoding has more than two planes"),
            };
            let view = view.reinterpret([DType::U8, DType::U16, DType::U32, DType::U64][size.ilog2() as usize])?;
            for row in 0..rows as usize {
                for column in 0..columns as usize {
                    for channel in 0..channels {
                        let at = start + row * step + (column * channels + channel) * size;
                        let mut bytes = data[at..at + size].to_vec();
                        if is_bigendian {
                            bytes.reverse();
                        }
                        bytes.resize(8, 0);
                        let index = [row, column, channel];
                        let value = match size {
                            1 => u64::from(view.elements::<u8>()?.get(index).unwrap()),
                            2 => u64::from(view.elements::<u16>()?.get(index).unwrap()),
                            4 => u64::from(view.elements::<u32>()?.get(index).unwrap()),
                            _ => view.elements::<u64>()?.get(index).unwrap(),
                        };
                        prop_assert_eq!(value, u64::from_le_bytes(bytes.try_into().unwrap()));
                    }
                }
            }
        }
    }

    #[test]
    fn a_cloud_is_read_or_refused(
        height in 0_u32..5,
        width in prop_oneof![20 => 0_u32..9, 1 => any::<u32>()],
        columns in prop::collection::vec(
            ("[xyz]", prop_oneof![9 => 0_u32..30, 1 => any::<u32>()], 0_u8..10, prop_oneof![9 => 0_u32..4, 1 => any::<u32>()]),
            0..4,
        ),
        is_bigendian: bool,
        point_step in prop_oneof![20 => 0_u32..40, 1 => any::<u32>()],
        more in 0_u32..20,
        data in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let columns = columns.into_iter().map(|(name, offset, datatype, count)| Column { name, offset, datatype, count });
        let message = Cloud {
            header: Header::default(),
            height,
            width,
            columns: columns.collect(),
            is_bigendian,
            point_step,
            row_step: width.wrapping_mul(point_step).wrapping_add(more),
            data: data.clone().into(),
            is_dense: true,
        };
        let Ok(cloud) = message.cloud() else { return Ok(()) };
        for name in ["x", "y", "z"] {
            let Ok(field) = cloud.field(name) else { continue };
            let column = message.columns.iter().find(|column| column.name == name).unwrap().parts();
            let view = field.tensor()?;
            prop_assert_eq!(view.shape(), [i64::from(height), i64::from(width), i64::from(column.count.max(1))]);
            prop_assert!(column.offset < point_step);
            if column.datatype != 4 {
                continue;
            }
            let mut points = cloud.points::<u16, 1>([name])?;
            prop_assert_eq!(points.len(), height as usize * width as usize);
            for row in 0..height as usize {
                for at in 0..width as usize {
                    let place = row * message.row_step as usize + at * point_step as usize + column.offset as usize;
                    let bytes = [data[place], data[place + 1]];
                    let value = if is_bigendian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
                    prop_assert_eq!(points.next(), Some([value]));
                    prop_assert_eq!(view.elements::<u16>()?.get([row, at, 0]), Some(value));
                }
            }
            prop_assert_eq!(points.next(), None);
        }
    }
}
