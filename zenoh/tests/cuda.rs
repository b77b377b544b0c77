//! Frames in GPU memory from one process to others: to a reader on the same GPU as they are, to others on the host in shared
//! memory, as bytes where that is asked for. Without a GPU: what a context does that asks for one.
//!
//! The test binary starts itself again; what the other processes do is an ignored test. `bench/gpu` takes it to a machine that
//! has a GPU; elsewhere the tests say why they skip.
#![cfg(all(target_os = "linux", feature = "cuda"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::{
    Frame, SOON, Text, builder, domain, eventually,
    process::{Process, is_other_process},
    text,
};
use rosidl_buffer_runtime::{
    BackendRegistry, Buffer,
    cuda::{AccessError, CudaBackend, CudaStream},
    shm::ShmBackend,
};
use rosidl_buffer_zenoh::{Context, Fallback, Node, QosProfile, SubscriptionOptions};

const CUDA: &str = "cuda_rs";
/// Nothing is dropped on the way when the machine is busy.
const ALL: QosProfile = QosProfile::system_default().keep_all();
/// More than fits in one packet, and no whole number of pages.
const LEN: usize = 3_000_001;
const FRAMES: u32 = 30;
/// The number of a frame that asks the viewers to end.
const END: u32 = u32::MAX;
/// What a viewer accepts.
const ACCEPTS: &str = "ROSIDL_BUFFER_ZENOH_ACCEPTS";

fn content(number: u32) -> Vec<u8> {
    let step = number.wrapping_mul(7) | 1;
    (0u32..)
        .map(|at| (at.wrapping_mul(step) >> 3).to_le_bytes()[0])
        .take(LEN)
        .collect()
}

/// The other process: says of each frame which memory it came in and whether it is the one that was sent.
#[test]
#[ignore = "the other process of the tests below"]
fn viewer_process() {
    if !is_other_process() {
        return;
    }
    let accepts = std::env::var(ACCEPTS).unwrap();
    // Only those who take GPU memory open the GPU.
    let mut context = Context::builder();
    if accepts == "any" {
        context = context.cuda();
    }
    let node = context.build().unwrap().create_node("viewer").unwrap();
    let answers = node.create_publisher::<Text>("answers", ALL).unwrap();
    let options = SubscriptionOptions::from(ALL).acceptable_buffer_backends(&accepts);
    let frames = node
        .create_subscription::<Frame>("frames", options)
        .unwrap();
    while let Some(received) = frames.recv_timeout(3 * SOON).unwrap() {
        let Frame { number, data } = received.message;
        if number == END {
            let stats = frames.stats();
            assert_eq!((stats.undecodable, stats.buffers_lost), (0, 0), "{stats:?}");
            return;
        }
        let fine = data.to_vec().unwrap() == content(number);
        let answer = format!("{accepts} {number} {} {fine}", data.backend_type());
        answers.publish(&text(answer)).unwrap();
    }
    panic!("nobody asked for the end");
}

/// The GPU of the tests, or why there is none.
fn gpu() -> Option<(CudaBackend, CudaStream)> {
    match CudaBackend::shared() {
        Ok(cuda) => {
            let stream = cuda.new_stream().unwrap();
            Some((cuda, stream))
        }
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

#[test]
fn a_context_that_asks_for_the_gpu_has_it_where_there_is_one() {
    let there = CudaBackend::shared().is_ok();
    let plain = builder(domain(1)).build().unwrap();
    assert_eq!(plain.backends().names().collect::<Vec<_>>(), ["shm"]);
    let asks = builder(domain(1)).cuda().build().unwrap();
    let expected: &[&str] = if there { &[CUDA, "shm"] } else { &["shm"] };
    assert_eq!(asks.backends().names().collect::<Vec<_>>(), expected);

    // Either way frames arrive, in memory that the host reads unless more is asked for.
    let node = asks.create_node("test").unwrap();
    let publisher = node.create_publisher::<Frame>("frames", ALL).unwrap();
    let frames = node.create_subscription::<Frame>("frames", ALL).unwrap();
    assert!(publisher.wait_for_subscription(SOON));
    let data = content(1).into();
    publisher.publish(&Frame { number: 1, data }).unwrap();
    let received = frames.recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!(received.data.as_slice().unwrap(), content(1));
}

#[test]
fn each_reader_gets_a_frame_on_the_gpu_in_the_best_memory_that_it_takes() {
    let Some((cuda, stream)) = gpu() else {
        return;
    };
    let domain = domain(2);
    let context = Context::builder().domain_id(domain).cuda().build().unwrap();
    let node = context.create_node("camera").unwrap();
    let publisher = node.create_publisher::<Frame>("frames", ALL).unwrap();
    let answers = node.create_subscription::<Text>("answers", ALL).unwrap();
    let readers = [("any", CUDA), ("shm", "shm"), ("cpu", "cpu")];
    let viewers =
        readers.map(|(accepts, _)| Process::start("viewer_process", domain, &[(ACCEPTS, accepts)]));
    eventually("all viewers are known", || {
        publisher.subscription_count() == 3 && answers.publisher_count() == 3
    });
    assert!(publisher.wait_for_backend(CUDA, SOON));
    assert!(publisher.wait_for_backend("shm", SOON));

    for number in 0..FRAMES {
        let data = cuda.to_buffer(&content(number), &stream).unwrap();
        assert_eq!(data.backend_type(), CUDA);
        publisher.publish(&Frame { number, data }).unwrap();
    }
    let mut came: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for _ in 0..3 * FRAMES {
        let answer = answers.recv_timeout(3 * SOON).unwrap();
        let answer = answer.expect("an answer to each frame").message.data;
        let words: Vec<&str> = answer.split(' ').collect();
        let number = words[1].parse().unwrap();
        let expected = readers.iter().find(|(accepts, _)| *accepts == words[0]);
        assert_eq!(words[2..], [expected.unwrap().1, "true"], "{answer}");
        came.entry(words[0].to_owned()).or_default().push(number);
    }
    for (reader, numbers) in came {
        assert_eq!(numbers, (0..FRAMES).collect::<Vec<_>>(), "{reader}");
    }

    let data = Buffer::from(vec![0; 8]);
    publisher.publish(&Frame { number: END, data }).unwrap();
    viewers.into_iter().for_each(Process::finish);
    let stats = publisher.stats();
    assert_eq!(stats.described.get(CUDA), Some(&FRAMES.into()), "{stats:?}");
    assert_eq!(
        stats.described.get("shm"),
        Some(&FRAMES.into()),
        "{stats:?}"
    );
    assert_eq!(
        stats.fallbacks,
        BTreeMap::from([(Fallback::NotAccepted, FRAMES.into())]),
        "{stats:?}"
    );
    eventually("all blocks are free again", || {
        let stats = cuda.stats();
        (stats.pending, stats.held, stats.blocks_free) == (0, 0, stats.blocks)
    });
}

#[test]
fn a_frame_is_copied_to_the_host_once_however_many_want_it_there() {
    if gpu().is_none() {
        return;
    }
    // Memory of this test's own, so that its numbers are not another's.
    let shm = ShmBackend::new().unwrap();
    let pool = Arc::new(shm.clone());
    let cuda = CudaBackend::builder().host_pool(pool).build().unwrap();
    let stream = cuda.new_stream().unwrap();
    let mut backends = BackendRegistry::new();
    backends.register(Arc::new(shm.clone())).unwrap();
    backends.register(Arc::new(cuda.clone())).unwrap();
    let domain = domain(3);
    let context = Context::builder().domain_id(domain).backends(backends);
    let node = context.build().unwrap().create_node("camera").unwrap();
    let publisher = node.create_publisher::<Frame>("frames", ALL).unwrap();
    let answers = node.create_subscription::<Text>("answers", ALL).unwrap();
    let viewers = [(); 3].map(|()| Process::start("viewer_process", domain, &[(ACCEPTS, "shm")]));
    // In this context as well, in the same memory and as bytes.
    let here = ["shm", "cpu"];
    let frames = here.map(|accepts| {
        let options = SubscriptionOptions::from(ALL).acceptable_buffer_backends(accepts);
        node.create_subscription::<Frame>("frames", options)
            .unwrap()
    });
    eventually("all viewers are known", || {
        publisher.subscription_count() == 5 && answers.publisher_count() == 3
    });
    eventually("all viewers are connected", || shm.stats().readers == 3);
    for number in 0..FRAMES {
        let data = cuda.to_buffer(&content(number), &stream).unwrap();
        publisher.publish(&Frame { number, data }).unwrap();
        for _ in 0..3 {
            let answer = answers.recv_timeout(3 * SOON).unwrap();
            let answer = answer.expect("an answer to each frame").message.data;
            assert_eq!(answer, format!("shm {number} shm true"));
        }
        for (frames, memory) in frames.iter().zip(here) {
            let frame = frames.recv_timeout(3 * SOON).unwrap().unwrap().message;
            assert_eq!((frame.number, frame.data.backend_type()), (number, memory));
            assert_eq!(frame.data.as_slice(), Some(&content(number)[..]));
        }
    }
    assert_eq!(shm.stats().allocated, u64::from(FRAMES));
    let data = Buffer::from(vec![0; 8]);
    publisher.publish(&Frame { number: END, data }).unwrap();
    viewers.into_iter().for_each(Process::finish);
}

#[test]
fn a_loan_lies_on_the_gpu_if_somebody_takes_it_there() {
    let Some((cuda, stream)) = gpu() else {
        return;
    };
    let domain = domain(6);
    let context = Context::builder().domain_id(domain).cuda().build().unwrap();
    let node = context.create_node("camera").unwrap();
    let publisher = node.create_publisher::<Frame>("frames", ALL).unwrap();
    let answers = node.create_subscription::<Text>("answers", ALL).unwrap();
    let data: fn(&mut Frame) -> &mut Buffer<u8> = |frame| &mut frame.data;
    let mut loan = publisher.borrow_loaned_message();
    let nobody = loan.allocate_on_device(data, LEN, &cuda, &stream).unwrap();
    assert!(nobody.is_none());
    drop(loan);

    let readers = ["any", "shm"];
    let viewers =
        readers.map(|accepts| Process::start("viewer_process", domain, &[(ACCEPTS, accepts)]));
    eventually("all viewers are known", || {
        publisher.subscription_count() == 2 && answers.publisher_count() == 2
    });
    assert!(publisher.wait_for_backend(CUDA, SOON));
    assert!(publisher.wait_for_backend("shm", SOON));
    for number in 0..FRAMES {
        let mut loan = publisher.borrow_loaned_message();
        loan.number = number;
        let write = loan.allocate_on_device(data, LEN, &cuda, &stream).unwrap();
        let mut write = write.expect("a viewer takes it");
        let too_much = write.copy_from_slice(&vec![0; LEN + 1]);
        assert!(matches!(too_much, Err(AccessError::TooLong { .. })));
        write.copy_from_slice(&content(number)).unwrap();
        write.finish().unwrap();
        loan.publish().unwrap();
        let mut came: Vec<String> = readers
            .map(|_| {
                let answer = answers.recv_timeout(3 * SOON).unwrap();
                answer.expect("an answer to each frame").message.data
            })
            .into();
        came.sort();
        let expected = [
            format!("any {number} {CUDA} true"),
            format!("shm {number} shm true"),
        ];
        assert_eq!(came, expected);
    }

    let data = Buffer::from(vec![0; 8]);
    publisher.publish(&Frame { number: END, data }).unwrap();
    viewers.into_iter().for_each(Process::finish);
}

#[test]
fn a_backend_that_a_context_does_not_have_is_named_in_the_error() {
    let node = Node::builder("viewer")
        .domain_id(domain(4))
        .build()
        .unwrap();
    let options = SubscriptionOptions::from(ALL).acceptable_buffer_backends(CUDA);
    let error = node.create_subscription::<Frame>("frames", options);
    let said = error.unwrap_err().to_string();
    assert!(
        said.contains(CUDA) && said.contains("ContextBuilder::cuda"),
        "{said}"
    );
}
