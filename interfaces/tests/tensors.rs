//! Tensors, images and clouds of this crate have the accessors of the runtime.
#![allow(clippy::unwrap_used)]

use rosidl_buffer_interfaces::sensor_msgs::msg::{CompressedImage, Image, PointCloud2, PointField};
use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
use rosidl_buffer_runtime::cdr;
use rosidl_buffer_runtime::tensor::{
    CompressedImageMessage as _, DepthCodec, ImageMessage as _, PointCloudMessage as _,
    TensorMessage as _,
};

#[test]
fn tensors_images_and_clouds_have_accessors() {
    let tensor = ExperimentalTensor::from_vec([2, 1], vec![1.0_f32, 2.0]).unwrap();
    let received: ExperimentalTensor = cdr::decode(&cdr::encode(&tensor).unwrap()).unwrap();
    assert_eq!((received.dtype_code, received.dtype_bits), (2, 32));
    let elements = received.tensor().unwrap().elements::<f32>().unwrap();
    assert_eq!(elements.get([1, 0]), Some(2.0));

    let image = Image {
        height: 1,
        width: 2,
        encoding: "mono8".to_owned(),
        step: 2,
        data: vec![3, 4].into(),
        ..Default::default()
    };
    let pixels = image.image().unwrap();
    assert_eq!(pixels.tensor().unwrap().as_slice::<u8>().unwrap(), [3, 4]);

    let compressed = CompressedImage {
        format: "16UC1; compressedDepth rvl".to_owned(),
        ..Default::default()
    };
    let format = compressed.compressed_format().unwrap();
    assert_eq!(format.depth_codec(), Some(DepthCodec::Rvl));

    let cloud = PointCloud2 {
        height: 1,
        width: 1,
        fields: vec![PointField {
            name: "intensity".to_owned(),
            datatype: PointField::UINT8,
            count: 1,
            ..Default::default()
        }],
        point_step: 1,
        row_step: 1,
        data: vec![5].into(),
        ..Default::default()
    };
    let mut points = cloud
        .cloud()
        .unwrap()
        .points::<u8, 1>(["intensity"])
        .unwrap();
    assert_eq!(points.next(), Some([5]));
}
