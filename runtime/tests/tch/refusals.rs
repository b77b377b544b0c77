//! What cannot be a message or a tensor is refused by an error, never by a panic.

use rosidl_buffer_runtime::tensor::TensorMessage as _;
use rosidl_buffer_runtime::tensor::tch::{
    TorchError, allocate_tensor_msg, copy_to_tensor_msg, dtype, from_output_tensor_msg,
    into_tensor_msg, load_cuda, to_tensor_msg,
};
use rosidl_buffer_runtime::{BackendRegistry, Buffer};
use tch::{Device, Kind, Tensor};

use crate::{Message, backends};

#[test]
fn tensors_without_strided_memory() {
    let (backends, _shm) = backends();
    let undefined = Tensor::new();
    let refused = to_tensor_msg::<Message>(&backends, &undefined, None).unwrap_err();
    assert_eq!(refused.to_string(), "torch: the tensor is undefined");
    assert!(dtype(&undefined).is_err());
    assert!(into_tensor_msg::<Message>(&backends, undefined).is_err());

    let indices = Tensor::from_slice(&[0_i64, 1, 2, 0]).reshape([2, 2]);
    let values = Tensor::from_slice(&[1.0_f32, 2.0]);
    let sparse = Tensor::sparse_coo_tensor_indices_size(
        &indices,
        &values,
        [3, 3],
        (Kind::Float, Device::Cpu),
        false,
    );
    let text = "the tensor has no strided memory on the host or a CUDA device; `to_dense` makes a sparse one dense, `to` brings one here from elsewhere";
    let refused = to_tensor_msg::<Message>(&backends, &sparse, None).unwrap_err();
    assert_eq!(refused.to_string(), text);
    let mut message = Message::from_vec([9], vec![0.0_f32; 9]).unwrap();
    assert!(matches!(
        copy_to_tensor_msg(&sparse, &mut message),
        Err(TorchError::NotStrided)
    ));
    assert!(matches!(
        into_tensor_msg::<Message>(&backends, sparse),
        Err(TorchError::NotStrided)
    ));
}

#[test]
fn memory_that_there_is_not() {
    let (backends, _shm) = backends();
    let refused =
        allocate_tensor_msg::<Message>(&backends, [4], Kind::Float, Some("cuda_rs")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the caller asks for the backend `cuda_rs`, which is not available here; there are: cpu, shm"
    );
    for backend in ["cpu", "shm"] {
        for shape in [vec![-1], vec![i64::MAX, 3], vec![1 << 50]] {
            let refused = allocate_tensor_msg::<Message>(
                &backends,
                shape.clone(),
                Kind::Double,
                Some(backend),
            );
            assert!(
                matches!(
                    refused,
                    Err(TorchError::Tensor(_) | TorchError::Allocate(_))
                ),
                "{shape:?} in {backend}"
            );
        }
    }
    let none = BackendRegistry::new();
    let message: Message = to_tensor_msg(&none, &Tensor::from_slice(&[1_u8]), None).unwrap();
    assert_eq!(message.data.backend_type(), "cpu");
}

#[test]
fn data_that_is_not_to_be_written() {
    let mut shared = Message::from_buffer(
        rosidl_buffer_runtime::tensor::DType::U8,
        [4],
        vec![1; 4].into(),
    )
    .unwrap();
    let other = shared.clone();
    assert!(matches!(
        from_output_tensor_msg(&mut shared),
        Err(TorchError::NotWritable)
    ));
    drop(other);
    let mut output = from_output_tensor_msg(&mut shared).unwrap();
    let _ = output.fill_(3);
    drop(output);
    assert_eq!(shared.data, [3; 4]);

    let mut received = Message {
        data: Buffer::from_bytes(vec![1; 4].into()),
        ..shared.clone()
    };
    assert!(matches!(
        from_output_tensor_msg(&mut received),
        Err(TorchError::NotWritable)
    ));
    received.shape = vec![5];
    assert!(matches!(
        from_output_tensor_msg(&mut received),
        Err(TorchError::Tensor(_))
    ));
}

#[test]
fn torch_says_why_it_has_no_cuda() {
    match load_cuda() {
        Ok(()) => assert!(tch::Cuda::is_available()),
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.starts_with("torch has no CUDA here: `libtorch_cuda.so` "),
                "{text}"
            );
        }
    }
}
