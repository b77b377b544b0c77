//! The viewer: receives frames, compares each with the one that was drawn, keeps the last as a PNG.

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rosidl_buffer_zenoh::{MessageInfo, QosProfile};

use crate::picture::{PIXEL, Source, save};
use crate::report::Report;
use crate::ros::sensor_msgs::msg::Image;
use crate::{Backend, Options, Role};

/// How long to wait for the first frame.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a stream may pause before it is taken as ended.
const PAUSE: Duration = Duration::from_secs(5);

/// What is wrong with a frame; nothing if it is the one that was sent.
fn fault(image: &Image, number: u32, source: &Source) -> Option<String> {
    let (width, height) = source.size();
    let layout = (
        image.width,
        image.height,
        image.encoding.as_str(),
        image.step as usize,
    );
    if layout != (width, height, "rgb8", width as usize * PIXEL) {
        return Some(format!("unexpected layout {layout:?}"));
    }
    let pixels = match image.data.host() {
        Ok(pixels) => pixels,
        Err(error) => return Some(error.to_string()),
    };
    let expected = source.frame(number);
    if pixels.len() != expected.len() {
        return Some(format!(
            "{} bytes, {} expected",
            pixels.len(),
            expected.len()
        ));
    }
    let wrong = pixels
        .iter()
        .zip(&expected)
        .position(|(got, want)| got != want)?;
    Some(format!("byte {wrong} differs"))
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
    let subscription = node.create_subscription::<Image>(&options.topic, QosProfile::default())?;
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
        report.arrived(
            image.data.len(),
            latency(&image, &info),
            image.data.backend_type(),
        );
        let fault = match number {
            None => Some("no sequence number".to_owned()),
            Some(number) if number < next || number >= options.frames => {
                Some(format!("frame {number} out of order"))
            }
            Some(number) => {
                report.lost += number - next;
                next = number + 1;
                fault(&image, number, &source)
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
