//! The viewer: receives frames, compares each with the one that was drawn, keeps the last as a PNG.

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rosidl_buffer_zenoh::{MessageInfo, Node, SubscriptionOptions};

use crate::gpu::{self, Gpu};
use crate::picture::{PIXEL, Source, save};
use crate::report::Report;
use crate::ros::sensor_msgs::msg::Image;
use crate::{Backend, Options, Role};

/// How long to wait for the first frame.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a stream may pause before it is taken as ended.
const PAUSE: Duration = Duration::from_secs(5);

/// Compares frames with those that were drawn, where they are.
struct Judge {
    source: Source,
    /// Where the node takes frames on a GPU.
    gpu: Option<Gpu>,
}

impl Judge {
    /// Made before there are frames: compiling kernels takes longer than a queue of them lasts.
    fn new(source: Source, node: &Node) -> Self {
        let there = node.context().backends().contains(gpu::BACKEND);
        let gpu = there.then(|| Gpu::new(&source)).and_then(|gpu| {
            gpu.inspect_err(|error| eprintln!("camera: frames are compared on the host: {error}"))
                .ok()
        });
        Self { source, gpu }
    }

    /// What is wrong with a frame; nothing if it is the one that was sent.
    fn fault(&mut self, image: &Image, number: u32) -> Option<String> {
        let (width, height) = self.source.size();
        let layout = (
            image.width,
            image.height,
            image.encoding.as_str(),
            image.step as usize,
        );
        if layout != (width, height, "rgb8", width as usize * PIXEL) {
            return Some(format!("unexpected layout {layout:?}"));
        }
        let compared = match &mut self.gpu {
            Some(gpu) if image.data.backend_type() == gpu::BACKEND => {
                gpu.wrong_pixels(&image.data, number).map(differ)
            }
            _ => self.on_the_host(image, number),
        };
        compared.unwrap_or_else(|error| Some(error.to_string()))
    }

    fn on_the_host(&self, image: &Image, number: u32) -> Result<Option<String>, Box<dyn Error>> {
        let (pixels, expected) = (image.data.host()?, self.source.frame(number));
        if pixels.len() != expected.len() {
            let (got, want) = (pixels.len(), expected.len());
            return Ok(Some(format!("{got} bytes, {want} expected")));
        }
        let differs = |(got, want): &(&[u8], &[u8])| got != want;
        let pairs = pixels.chunks(PIXEL).zip(expected.chunks(PIXEL));
        Ok(differ(u32::try_from(pairs.filter(differs).count())?))
    }
}

fn differ(wrong: u32) -> Option<String> {
    (wrong > 0).then(|| format!("{wrong} pixels differ"))
}

/// The memory that a frame came in, in ROS's words.
fn memory(image: &Image) -> &str {
    match image.data.backend_type() {
        gpu::BACKEND => "cuda",
        other => other,
    }
}

/// Time since the frame was stamped; the clock is the publisher's, which is ours on one machine.
fn latency(image: &Image, info: &MessageInfo) -> Duration {
    let stamp = &image.header.stamp;
    let sent = UNIX_EPOCH + Duration::new(u64::from(stamp.sec.unsigned_abs()), stamp.nanosec);
    info.received_timestamp
        .duration_since(sent)
        .unwrap_or_default()
}

/// Shows how far it is: one line that changes on a terminal, a line each second elsewhere.
struct Progress {
    terminal: bool,
    shown: Instant,
}

impl Progress {
    fn show(&mut self, report: &Report, of: u32) {
        let every = Duration::from_millis(if self.terminal { 100 } else { 1000 });
        if self.shown.elapsed() < every && report.frames < of {
            return;
        }
        self.shown = Instant::now();
        let (start, end) = if self.terminal {
            ("\r", "")
        } else {
            ("", "\n")
        };
        eprint!(
            "{start}{} of {of} frames, {} lost, {} corrupt{end}",
            report.frames, report.lost, report.corrupt
        );
        let _ = std::io::stderr().flush(); // a terminal that cannot be flushed shows less, no more
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    debug_assert_eq!(options.role, Some(Role::Subscriber));
    let source = match &options.input {
        Some(path) => Source::open(path)?,
        None => Source::drawn(options.width, options.height),
    };
    let node = options.node("camera_subscriber")?;
    let mut judge = Judge::new(source, &node);
    let mut accepted = SubscriptionOptions::default();
    if matches!(options.backend, Backend::Cuda | Backend::Auto) {
        accepted = accepted.acceptable_buffer_backends("any");
    }
    let subscription = node.create_subscription::<Image>(&options.topic, accepted)?;
    let mut report = Report::default();
    let mut last = None;
    let mut next = 0;
    let mut progress = Progress {
        terminal: std::io::stderr().is_terminal(),
        shown: Instant::now(),
    };
    while next < options.frames {
        let patience = if last.is_none() { PATIENCE } else { PAUSE };
        let Some(received) = subscription.recv_timeout(patience)? else {
            break;
        };
        let (image, info) = (received.message, received.info);
        if image.header.frame_id != options.frame_id() {
            continue; // another pair on the same topic
        }
        // The publisher counts its messages from 1, and sends nothing but the frames in their order.
        let number = info
            .publication_sequence_number
            .and_then(|number| u32::try_from(number.checked_sub(1)?).ok());
        report.arrived(image.data.len(), latency(&image, &info), memory(&image));
        let fault = match number {
            None => Some("no sequence number".to_owned()),
            Some(number) if number < next || number >= options.frames => {
                Some(format!("frame {number} out of order"))
            }
            Some(number) => {
                report.lost += number - next;
                next = number + 1;
                judge.fault(&image, number)
            }
        };
        if let Some(fault) = fault {
            report.corrupt += 1;
            eprintln!(
                "frame {}: {fault}",
                number.map_or_else(|| "?".to_owned(), |number| number.to_string())
            );
        }
        last = Some(image);
        progress.show(&report, options.frames);
    }
    report.lost += options.frames - next;
    if progress.terminal {
        eprintln!();
    }
    let stats = subscription.stats();
    if stats.undecodable > 0 {
        report.corrupt += u32::try_from(stats.undecodable).unwrap_or(u32::MAX);
        eprintln!(
            "{} frames could not be decoded: {}",
            stats.undecodable,
            stats.last_decode_error.unwrap_or_default()
        );
    }
    if let Some(why) = stats.last_buffer_loss {
        eprintln!(
            "the memory of {} frames was lost: {why}",
            stats.buffers_lost
        );
    }
    if let Some(image) = last {
        save(
            &options.output,
            &image.data.host()?,
            image.width,
            image.height,
        )?;
        eprintln!("last frame: {}", options.output.display());
    }
    println!("{report}");
    if options.backend == Backend::Shm && (stats.buffers_lost > 0 || !report.is_all_in("shm")) {
        return Err("--backend shm, and not every frame came in shared memory".into());
    }
    Ok(if report.corrupt == 0 && report.frames > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
