//! The subscriber: computes with each tensor, where it is, and compares with the answer.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rosidl_buffer_interfaces::tensor_msgs::msg::ExperimentalTensor;
use rosidl_buffer_runtime::tensor::{DType, TensorMessage as _};
use rosidl_buffer_zenoh::{MessageInfo, SubscriptionOptions};

use crate::compute;
use crate::picture::Source;
use crate::report::Report;
use crate::{Backend, CUDA, Options};

/// How long to wait for the first tensor.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a stream may pause before it is taken as ended.
const PAUSE: Duration = Duration::from_secs(5);

/// What is wrong with a tensor; nothing if its edges are those of the picture that was sent.
fn fault(source: &Source, tensor: &ExperimentalTensor, number: u32) -> Option<String> {
    if tensor.shape != source.shape() {
        return Some(format!("unexpected shape {:?}", tensor.shape));
    }
    match (compute::edges(tensor), source.answer(number)) {
        #[expect(clippy::float_cmp, reason = "both are exact")]
        (Ok(edges), Ok(answer)) if edges == answer => None,
        (Ok(edges), Ok(answer)) => Some(format!("{edges:?} is computed, {answer:?} is right")),
        (Err(error), _) | (_, Err(error)) => Some(error.to_string()),
    }
}

/// The memory that a tensor came in, in ROS's words.
fn memory(tensor: &ExperimentalTensor) -> &str {
    match tensor.data.backend_type() {
        CUDA => "cuda",
        other => other,
    }
}

/// Time since it was published; the clock is the publisher's, which is ours on one machine.
fn latency(info: &MessageInfo) -> Duration {
    let sent = info.source_timestamp.unwrap_or(info.received_timestamp);
    let since = info.received_timestamp.duration_since(sent);
    since.unwrap_or_default()
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let source = Source::of(options)?;
    // Before there are tensors: opening what computes takes longer than a queue of them lasts.
    compute::edges(&ExperimentalTensor::zeros(DType::F32, source.shape())?)?;
    let node = options.node("tensor_subscriber")?;
    let mut accepted = SubscriptionOptions::default();
    if matches!(options.backend, Backend::Cuda | Backend::Auto) {
        accepted = accepted.acceptable_buffer_backends("any");
    }
    let subscription = node.create_subscription::<ExperimentalTensor>(&options.topic, accepted)?;
    let mut report = Report::default();
    let mut next = 0;
    while next < options.frames {
        let patience = if report.frames == 0 { PATIENCE } else { PAUSE };
        let Some(received) = subscription.recv_timeout(patience)? else {
            break;
        };
        let (tensor, info) = (received.message, received.info);
        report.arrived(latency(&info), memory(&tensor));
        // The publisher counts its messages from 1, and sends nothing but the frames in their order.
        let number = info
            .publication_sequence_number
            .and_then(|number| u32::try_from(number.checked_sub(1)?).ok());
        let fault = match number {
            None => Some("no sequence number".to_owned()),
            Some(number) if number < next || number >= options.frames => {
                Some(format!("frame {number} out of order"))
            }
            Some(number) => {
                report.lost += number - next;
                next = number + 1;
                let start = Instant::now();
                let fault = fault(&source, &tensor, number);
                report.computed(start.elapsed());
                fault
            }
        };
        if let Some(fault) = fault {
            report.wrong += 1;
            let number = number.map_or_else(|| "?".to_owned(), |number| number.to_string());
            eprintln!("frame {number}: {fault}");
        }
    }
    report.lost += options.frames - next;
    let stats = subscription.stats();
    if stats.undecodable > 0 {
        report.wrong += u32::try_from(stats.undecodable).unwrap_or(u32::MAX);
        let why = stats.last_decode_error.unwrap_or_default();
        eprintln!("{} tensors could not be decoded: {why}", stats.undecodable);
    }
    if let Some(why) = stats.last_buffer_loss {
        let lost = stats.buffers_lost;
        eprintln!("the memory of {lost} tensors was lost: {why}");
    }
    println!("{report}");
    if options.backend == Backend::Shm && (stats.buffers_lost > 0 || !report.is_all_in("shm")) {
        return Err("--backend shm, and not every tensor came in shared memory".into());
    }
    Ok(if report.wrong == 0 && report.frames > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
