//! A reader on the same host without the device: the frame is copied once into shared host memory, which it maps.

use std::sync::Arc;
use std::time::Duration;

use rosidl_buffer_runtime::BufferBackend as _;
use rosidl_buffer_runtime::cuda::CudaBackend;
use rosidl_buffer_runtime::shm::ShmBackend;

use crate::gpu::word;
use crate::link::{End, Frame, Link, now, shm_from_words, shm_to_words};
use crate::other::{Other, WRITER_CORE, pin, unpin};
use crate::side::Side;
use crate::{quantile, sorted};

const MB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(20);

pub fn bytes() {
    println!(
        "\n## Reader on this host without the device (µs, from the start of publishing, the frame written, until it can read the bytes)\n"
    );
    println!("| MB | p50 | p99 | max | GB/s | wrong |");
    println!("|---|---|---|---|---|---|");
    for mb in [1, 4, 16, 64, 256] {
        unpin();
        let other = Other::start("bytes");
        let shm = ShmBackend::builder().max_bytes(4 << 30).build().unwrap();
        let side = Side::with(CudaBackend::builder().host_pool(Arc::new(shm.clone()))).unwrap();
        other.link.say(End::Writer, &shm.backend_metadata());
        let reader = other.link.hear(End::Reader);
        assert!(shm.wait_for_reader(&reader, SOON));
        pin(WRITER_CORE);
        let (mut times, mut wrong) = (Vec::new(), 0);
        for number in 0..100 {
            let buffer = side.write(mb * MB, number, Duration::ZERO).unwrap();
            side.stream.synchronize().unwrap();
            let start = now();
            let host = buffer
                .storage()
                .unwrap()
                .host_storage()
                .expect("there is a pool");
            let descriptor = shm
                .describe(host.as_ref(), &reader)
                .unwrap()
                .expect("connected");
            other.link.publish(&Frame {
                number,
                start,
                words: shm_to_words(&descriptor),
            });
            while other.link.consumed.get() != number + 1 {
                std::hint::spin_loop();
            }
            times.push(other.link.marks[0].get() - start);
            wrong += other.link.marks[1].get();
        }
        assert!(other.end().success());
        let times = sorted(times.into_iter().skip(10));
        let p50 = quantile(&times, 0.5);
        println!(
            "| {mb} | **{p50:.0}** | {:.0} | {:.0} | {:.1} | {wrong} |",
            quantile(&times, 0.99),
            quantile(&times, 1.0),
            (mb * MB) as f64 / p50 / 1e3
        );
    }
    unpin();
}

pub fn read(link: &Link) {
    let shm = ShmBackend::new().unwrap();
    link.say(End::Reader, &shm.backend_metadata());
    shm.connect(&link.hear(End::Writer), SOON).unwrap();
    for taken in 0.. {
        let frame = loop {
            if let Some(frame) = link.next(taken) {
                break frame;
            }
            if link.stop.get() == 1 {
                return;
            }
            std::hint::spin_loop();
        };
        let read = shm.read(&shm_from_words(&frame.words)).unwrap();
        link.marks[0].set(now());
        let right = read.chunks_exact(4).zip(0..).all(|(bytes, index)| {
            u32::from_ne_bytes(bytes.try_into().unwrap()) == word(index, frame.number)
        });
        link.marks[1].set(u64::from(!right));
        drop(read);
        link.consumed.set(taken + 1);
    }
}
