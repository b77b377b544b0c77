//! Torch and DLPack: the same memory both ways, a copy where it is only to be read.

use std::sync::mpsc::channel;
use std::thread;

use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::tensor::tch::{TorchError, from_dlpack, into_dlpack, view_dlpack};
use rosidl_buffer_runtime::tensor::{DType, DlDevice, DlTensor, TensorError, TensorMessage as _};
use tch::{Device, IndexOp as _, Kind, Tensor};

use crate::types::{KINDS, sample};
use crate::{Message, address, bytes, data_address};

#[test]
fn every_kind_goes_there_and_back_in_place() {
    for (kind, code, bits) in KINDS {
        let tensor = sample(kind);
        let (place, expected) = (address(&tensor), bytes(&tensor));
        let shared = into_dlpack(tensor).unwrap();
        let dtype = shared.dtype();
        assert_eq!((dtype.code, dtype.bits, dtype.lanes), (code, bits, 1));
        assert_eq!(
            (shared.device(), shared.is_read_only()),
            (DlDevice::CPU, false)
        );
        assert_eq!((shared.data_address(), shared.shape()[0]), (place, 2));
        let back = from_dlpack(shared).unwrap();
        assert_eq!(bytes(&back), expected, "{kind:?}");
        assert_eq!(address(&back) == place, kind != Kind::Bool, "{kind:?}");
    }
}

#[test]
fn a_message_is_viewed_or_copied_and_goes_with_the_last_tensor() {
    let (gone, goes) = channel();
    let data = Buffer::from_owner((0..48).collect::<Vec<u8>>(), move |_| {
        gone.send(thread::current().id()).unwrap();
    });
    let mut message = Message::from_buffer(DType::I32, [2, 3], data).unwrap();
    (message.strides, message.byte_offset) = (vec![1, 2], 4);
    let place = data_address(&message) + 4;
    let copy = from_dlpack(DlTensor::from_message(&message).unwrap()).unwrap();
    assert_ne!(address(&copy), place);
    // SAFETY: it is only read.
    let view = unsafe { view_dlpack(DlTensor::from_message(&message).unwrap()) }.unwrap();
    assert_eq!((address(&view), view.stride()), (place, vec![1, 2]));
    assert!(view.equal(&copy));
    let part = view.i(1);
    drop((message, view));
    assert!(goes.try_recv().is_err());
    let last = thread::spawn(move || {
        drop(part);
        thread::current().id()
    });
    assert_eq!(goes.recv().unwrap(), last.join().unwrap());
    assert!(goes.recv().is_err()); // once
}

#[test]
fn memory_of_our_own_is_written_by_torch_in_place() {
    let message = Message::from_buffer(DType::F32, [4], vec![0; 16].into()).unwrap();
    let place = data_address(&message);
    let (layout, data) = message.parts();
    let (shape, dtype, data) = (layout.shape.to_vec(), layout.dtype, data.clone());
    drop(message);
    let layout = rosidl_buffer_runtime::tensor::Layout {
        dtype,
        shape: &shape,
        strides: &[],
        byte_offset: 0,
    };
    let owned = DlTensor::from_owned(layout, data).unwrap();
    let mut tensor = from_dlpack(owned).unwrap();
    assert_eq!(address(&tensor), place);
    let _ = tensor.fill_(1.0);
    assert_eq!(tensor.sum(Kind::Float).double_value(&[]).to_string(), "4");
}

#[test]
fn a_few_bytes_do_not_take_all_memory_and_unaligned_ones_are_refused() {
    let mut message = Message::from_buffer(DType::U8, [1], vec![7].into()).unwrap();
    (message.shape, message.strides) = (vec![1 << 40], vec![0]);
    let refused = from_dlpack(DlTensor::from_message(&message).unwrap());
    assert!(matches!(
        refused,
        Err(TorchError::Tensor(TensorError::Repeated { .. }))
    ));
    // Aligned for DLPack, by the parts, is not always so for torch.
    let mut message = Message::from_buffer(DType::F64, [6], vec![0; 48].into()).unwrap();
    (message.dtype_code, message.dtype_bits, message.shape) = (5, 128, vec![2]);
    message.byte_offset = if data_address(&message).is_multiple_of(16) {
        8
    } else {
        0
    };
    let refused = from_dlpack(DlTensor::from_message(&message).unwrap());
    assert!(matches!(refused, Err(TorchError::Unaligned(_))));
}

#[test]
fn what_torch_shares_or_cannot_describe_is_refused() {
    let tensor = Tensor::ones([4], (Kind::Float, Device::Cpu));
    let _part = tensor.i(..2);
    assert!(matches!(into_dlpack(tensor), Err(TorchError::Shared)));
    assert!(into_dlpack(Tensor::new()).is_err());
    let lanes = DType {
        lanes: 4,
        ..DType::U8
    };
    let (gone, goes) = channel();
    let data = Buffer::from_owner(vec![0_u8; 8], move |_| gone.send(()).unwrap());
    let message = Message::from_buffer(lanes, [2], data).unwrap();
    let refused = from_dlpack(DlTensor::from_message(&message).unwrap());
    assert!(matches!(refused, Err(TorchError::Torch(_))));
    drop(message);
    goes.recv().unwrap();
    assert!(goes.recv().is_err()); // once
}
