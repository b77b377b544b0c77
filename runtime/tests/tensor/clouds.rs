//! `sensor_msgs/PointCloud2`.

use rosidl_buffer_runtime::tensor::{CloudError, PointCloudMessage as _, TensorError};

use crate::messages::{Cloud, Column, Header};

fn column(name: &str, offset: u32, datatype: u8, count: u32) -> Column {
    Column {
        name: name.to_owned(),
        offset,
        datatype,
        count,
    }
}

/// Two rows of two points of 15 bytes, each row with 3 bytes behind it: x and y as `f32`, a `u16` that is not aligned, four `u8`.
fn cloud() -> Cloud {
    let mut data = Vec::new();
    for row in 0..2_u8 {
        for at in 0..2_u8 {
            data.extend(f32::from(10 * row + at).to_le_bytes());
            data.push(0xAA);
            data.extend(f32::from(row).to_le_bytes());
            data.extend(u16::from(at).to_le_bytes());
            data.extend([1, 2, 3, at]);
        }
        data.extend([0xBB; 3]);
    }
    Cloud {
        header: Header::default(),
        height: 2,
        width: 2,
        columns: vec![
            column("x", 0, 7, 1),
            column("y", 5, 7, 0), // as 1
            column("ring", 9, 4, 1),
            column("rgba", 11, 2, 4),
            column("x", 4, 2, 1), // the first counts
        ],
        is_bigendian: false,
        point_step: 15,
        row_step: 33,
        data: data.into(),
        is_dense: true,
    }
}

#[test]
fn fields_are_tensors_and_points_an_iterator() {
    let message = cloud();
    let view = message.cloud().unwrap();
    assert_eq!(view.fields().count(), 5);
    let points = view.points::<f32, 2>(["x", "y"]).unwrap();
    assert_eq!(points.len(), 4);
    assert!(points.eq([[0.0, 0.0], [1.0, 0.0], [10.0, 1.0], [11.0, 1.0]]));
    assert!(
        view.points::<u16, 1>(["ring"])
            .unwrap()
            .flatten()
            .eq([0, 1, 0, 1])
    );

    let rgba = view.field("rgba").unwrap();
    let rgba = rgba.tensor().unwrap();
    assert_eq!(rgba.shape(), [2, 2, 4]);
    assert_eq!(rgba.elements::<u8>().unwrap().get([1, 1, 3]), Some(1));
    let x = view.field("x").unwrap();
    assert_eq!(x.tensor().unwrap().byte_stride(1), Some(15));
}

#[test]
fn numbers_may_be_in_the_other_order() {
    let mut message = cloud();
    message.is_bigendian = true;
    let view = message.cloud().unwrap();
    assert!(
        view.points::<u16, 1>(["ring"])
            .unwrap()
            .flatten()
            .eq([0, 256, 0, 256])
    );
    let ring = view.field("ring").unwrap();
    assert!(
        ring.tensor()
            .unwrap()
            .elements::<u16>()
            .unwrap()
            .iter()
            .eq([0, 256, 0, 256])
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let change = |change: fn(&mut Cloud)| {
        let mut message = cloud();
        change(&mut message);
        message
    };
    let error = |message: &Cloud, field: &str| {
        message
            .cloud()
            .unwrap()
            .field(field)
            .unwrap_err()
            .to_string()
    };
    assert!(matches!(
        change(|c| c.row_step = 29).cloud(),
        Err(CloudError::RowStep { .. })
    ));
    assert!(matches!(
        change(|c| c.height = 3).cloud(),
        Err(CloudError::TooShort { available: 66, .. })
    ));
    assert!(matches!(
        change(|c| c.width = u32::MAX).cloud(),
        Err(CloudError::RowStep { .. })
    ));
    assert_eq!(error(&cloud(), "z"), "the points have no field `z`");
    let message = change(|c| c.columns[0].datatype = 9);
    assert_eq!(
        error(&message, "x"),
        "field `x` has datatype 9; sensor_msgs/PointField has 1 to 8"
    );
    let message = change(|c| c.columns[3].count = 5);
    assert_eq!(
        error(&message, "rgba"),
        "field `rgba` ends behind the point, whose `point_step` is 15"
    );
    let message = change(|c| c.columns[3].count = u32::MAX);
    assert!(matches!(
        message.cloud().unwrap().field("rgba"),
        Err(CloudError::OutsidePoint { .. })
    ));
    let message = cloud();
    let other = message
        .cloud()
        .unwrap()
        .points::<f64, 1>(["x"])
        .unwrap_err();
    assert!(matches!(
        other,
        CloudError::Tensor {
            cause: TensorError::OtherType { .. },
            ..
        }
    ));

    let empty = change(|c| (c.width, c.height, c.row_step, c.data) = (0, 1, 0, Vec::new().into()));
    let view = empty.cloud().unwrap();
    assert_eq!(view.points::<u16, 1>(["ring"]).unwrap().next(), None);
    assert!(view.field("rgba").unwrap().tensor().unwrap().is_empty());
}
