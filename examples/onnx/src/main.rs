//! A tensor in shared memory as the input of ONNX Runtime, which reads the elements where they lie.
//!
//! Shape and slice are all that the crate `ort` asks for, so nothing of ours stands between. The library is opened at run time:
//! `ORT_DYLIB_PATH` names it, else the system's is taken. `edges_onnx.py` made the model: for each of three channels the sum of what is
//! left above zero of four times each inner element less its four neighbours. For a tensor on a GPU that crate has
//! `TensorRefMut::from_raw`, which takes the address of a read handle.

use std::error::Error;

use ort::session::Session;
use ort::value::TensorRef;
use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};

const ROWS: usize = 48;
const COLUMNS: usize = 64;

/// Row-major, three channels; whole numbers, with which `f32` calculates exactly.
fn element(channel: usize, row: usize, column: usize) -> u16 {
    u16::try_from((row * row + column * (channel + 3)) % 251).unwrap_or_default()
}

fn picture() -> Vec<u8> {
    let rows = (0..3).flat_map(|channel| (0..ROWS).map(move |row| (channel, row)));
    let elements = rows.flat_map(|(channel, row)| {
        (0..COLUMNS).map(move |column| f32::from(element(channel, row, column)))
    });
    elements.flat_map(f32::to_ne_bytes).collect()
}

/// What the model has to say, in whole numbers.
fn answer(channel: usize) -> f64 {
    let inner = (1..ROWS - 1).flat_map(|row| (1..COLUMNS - 1).map(move |column| (row, column)));
    let edges = inner.map(|(row, column)| {
        let around = [
            element(channel, row - 1, column),
            element(channel, row + 1, column),
            element(channel, row, column - 1),
            element(channel, row, column + 1),
        ];
        (4 * element(channel, row, column)).saturating_sub(around.iter().sum())
    });
    edges.map(f64::from).sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let library = std::env::var_os("ORT_DYLIB_PATH").unwrap_or("libonnxruntime.so".into());
    ort::init_from(&library)
        .map_err(|error| format!("cannot open {}: {error}", library.display()))?
        .commit();
    let mut session = Session::builder()?.commit_from_memory(include_bytes!("../edges.onnx"))?;

    // As a subscription hands it out; a node's messages come in such memory without a line of code.
    let data = ShmBackend::shared()?.to_buffer(&picture())?;
    let shape = [1, 3, i64::try_from(ROWS)?, i64::try_from(COLUMNS)?];
    let message = ExperimentalTensor::from_buffer(DType::F32, shape, data)?;

    let view = message.tensor()?;
    let input = TensorRef::from_array_view((view.shape(), view.as_slice::<f32>()?))?;
    let bytes = view.bytes().ok_or("the host does not see the elements")?;
    let is_in_place = input.data_ptr().addr() == bytes.as_ptr().addr();
    let outputs = session.run(ort::inputs![input])?;
    let (_, edges) = outputs["edges"].try_extract_tensor::<f64>()?;

    let right: Vec<_> = (0..3).map(answer).collect();
    println!(
        "onnx: backend={} edges={edges:?} right={right:?} in_place={is_in_place}",
        message.data.backend_type()
    );
    if edges == right && is_in_place {
        Ok(())
    } else {
        Err("the answer is wrong, or the elements were copied".into())
    }
}
