//! A reader on another GPU: it reads in place over the link between the two, or has a copy made in its own memory, or, without
//! access to the writer's GPU, gets frames through shared host memory. Beside them a reader on the writer's GPU.

use std::sync::Arc;
use std::time::Duration;

use rosidl_buffer_runtime::cuda::{CudaBackend, Device, ReadHandle, driver_calls};
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::{Buffer, BufferBackend as _};

use crate::gpu::Gpu;
use crate::link::{End, Link, WORDS, from_words, shm_from_words, shm_to_words};
use crate::other::{Other, WRITER_CORE, pin, unpin};
use crate::ours::OurPublisher;
use crate::round::{Frames, Publisher, Result, Subscriber, Times, publish};
use crate::side::{Side, builder, place};
use crate::warm::warm;
use crate::{count, median, quantile};

const MB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Same,
    Map,
    Copy,
    Host,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Same, "same GPU, in place"),
    (Way::Map, "other GPU, in place"),
    (Way::Copy, "other GPU, copied"),
    (Way::Host, "other GPU, through the host"),
];

pub fn peers() {
    let devices = Device::all().unwrap();
    let [here, there, ..] = &devices[..] else {
        println!("\nskipped: a reader on another GPU needs a second one");
        return;
    };
    let rounds = count(3, 1);
    println!(
        "\n## Reader on another GPU, lock-step at full rate (µs; median of {rounds} runs, range of their p50)\n"
    );
    println!(
        "| MB | reader | host part p50 | p99 | max | all words compared p50 / p99 | GB/s | calls per frame | frames/s | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for mb in [1, 4, 16, 64, 256] {
        for (way, what) in WAYS {
            let frames = Frames::new(mb * MB, count(if mb == 256 { 400 } else { 1000 }, 200));
            let results: Vec<Result> = (0..rounds).map(|_| run(way, here, there, frames)).collect();
            row(mb, what, &results);
        }
    }
}

fn row(mb: usize, what: &str, results: &[Result]) {
    let middle = |of: &dyn Fn(&Result) -> f64| median(results.iter().map(of).collect());
    let share = |share: f64, of: fn(&Times) -> u64| {
        middle(&|result: &Result| quantile(&warm(result, of), share))
    };
    let host: fn(&Times) -> u64 = |times| times.host;
    let verified: fn(&Times) -> u64 = |times| times.verified;
    let (p50, low, high) = share(0.5, host);
    let compared = share(0.5, verified).0;
    println!(
        "| {mb} | {what} | **{p50:.2}** ({low:.2}–{high:.2}) | {:.1} | {:.0} | {compared:.0} / {:.0} | {:.1} | {:.2} | {:.0} | {} |",
        share(0.99, host).0,
        share(1.0, host).0,
        share(0.99, verified).0,
        (mb * MB) as f64 / compared / 1e3,
        middle(&|result| result.calls).0,
        middle(&|result| result.times.len() as f64 / result.seconds).0,
        results.iter().map(|result| result.wrong).sum::<u64>(),
    );
}

fn run(way: Way, here: &Device, there: &Device, frames: Frames) -> Result {
    unpin();
    let (role, at) = match way {
        Way::Same => ("ours", here),
        Way::Map => ("ours", there),
        Way::Copy => ("copy", there),
        Way::Host => ("host", there),
    };
    let other = Other::start_with(role, &[place(at)]);
    let gpu = Gpu::on(here);
    let result = if way == Way::Host {
        let mut publisher = HostPublisher::new(here, &other.link);
        measure(&mut publisher, &gpu, &other, frames)
    } else {
        let side = Side::with(CudaBackend::builder().device(here.uuid())).unwrap();
        let mut publisher = OurPublisher::new(side, &other.link);
        measure(&mut publisher, &gpu, &other, frames)
    };
    assert!(other.end().success());
    unpin();
    result
}

fn measure(publisher: &mut impl Publisher, gpu: &Gpu, other: &Other, frames: Frames) -> Result {
    other.wait_until_ready();
    pin(WRITER_CORE);
    publish(publisher, gpu, &other.link, frames)
}

/// Frames are copied to shared host memory, which is described.
struct HostPublisher {
    ours: OurPublisher,
    shm: ShmBackend,
    reader: String,
}

impl HostPublisher {
    fn new(device: &Device, link: &Link) -> Self {
        let shm = ShmBackend::builder().max_bytes(4 << 30).build().unwrap();
        let builder = CudaBackend::builder().device(device.uuid());
        let side = Side::with(builder.host_pool(Arc::new(shm.clone()))).unwrap();
        link.say(End::Writer, &shm.backend_metadata());
        let reader = link.hear(End::Reader);
        assert!(shm.wait_for_reader(&reader, SOON));
        Self {
            ours: OurPublisher::with_reader(side, String::new()),
            shm,
            reader,
        }
    }
}

impl Publisher for HostPublisher {
    fn begin(&mut self, len: usize) -> u64 {
        self.ours.begin(len)
    }

    fn record(&mut self) {
        self.ours.record();
    }

    fn describe(&mut self) -> [u64; WORDS] {
        let host = self.ours.storage().host_storage().expect("there is a pool");
        let descriptor = self.shm.describe(host.as_ref(), &self.reader).unwrap();
        shm_to_words(&descriptor.expect("connected"))
    }

    fn finish(&mut self) {
        self.ours.finish();
    }

    fn stream(&self) -> usize {
        self.ours.stream()
    }

    fn blocks(&self) -> usize {
        self.shm.stats().blocks
    }

    fn block_of(&self, words: &[u64; WORDS]) -> u64 {
        words[4]
    }

    fn calls(&self) -> u64 {
        driver_calls()
    }
}

/// Copies shared host memory to its device.
pub struct HostSubscriber {
    side: Side,
    shm: ShmBackend,
    read: Option<ReadHandle>,
}

impl HostSubscriber {
    pub fn new(link: &Link) -> Self {
        let side = Side::with(builder().peer_access(false)).expect("a device");
        let shm = ShmBackend::new().unwrap();
        link.say(End::Reader, &shm.backend_metadata());
        shm.connect(&link.hear(End::Writer), SOON).unwrap();
        let read = None;
        Self { side, shm, read }
    }

    pub fn device(&self) -> &Device {
        self.side.stream.device()
    }
}

impl Subscriber for HostSubscriber {
    fn take(&mut self, words: &[u64; WORDS], _len: usize) -> u64 {
        let storage = self.shm.from_descriptor(shm_from_words(words)).unwrap();
        let buffer = Buffer::<u8>::from_storage(storage).unwrap();
        let Side { cuda, stream, .. } = &self.side;
        let read = cuda.from_input_buffer(&buffer, stream).unwrap();
        self.read.insert(read).address()
    }

    fn release(&mut self) {
        self.read = None;
    }

    fn stream(&self) -> usize {
        self.side.stream.handle()
    }

    fn calls(&self) -> u64 {
        driver_calls()
    }
}

/// Copies from the other device.
pub struct CopySubscriber {
    side: Side,
    read: Option<ReadHandle>,
}

impl CopySubscriber {
    pub fn new(side: Side, link: &Link) -> Self {
        side.join(link);
        Self { side, read: None }
    }
}

impl Subscriber for CopySubscriber {
    fn take(&mut self, words: &[u64; WORDS], _len: usize) -> u64 {
        let Side { cuda, stream, .. } = &self.side;
        let storage = cuda.from_descriptor(from_words(words)).unwrap();
        let buffer = Buffer::<u8>::from_storage(storage).unwrap();
        let read = cuda.copy_input_buffer(&buffer, stream).unwrap();
        self.read.insert(read).address()
    }

    fn release(&mut self) {
        self.read = None;
    }

    fn stream(&self) -> usize {
        self.side.stream.handle()
    }

    fn calls(&self) -> u64 {
        driver_calls()
    }
}
