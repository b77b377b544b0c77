//! The camera: draws frames, on the GPU or in shared memory where it can, and publishes them at a steady rate.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_zenoh::{Publisher, QosProfile};

use crate::gpu::{self, Gpu};
use crate::picture::{PIXEL, Source};
use crate::ros::builtin_interfaces::msg::Time;
use crate::ros::sensor_msgs::msg::Image;
use crate::ros::std_msgs::msg::Header;
use crate::{Backend, Options};

/// How long to wait for somebody who wants the frames.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for memory where another one will do as well.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait for the viewer to give a block of memory back before a frame is sent as bytes.
const BLOCK_PATIENCE: Duration = Duration::from_millis(100);

fn now() -> Result<Time, Box<dyn Error>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Time {
        sec: i32::try_from(since.as_secs())?,
        nanosec: since.subsec_nanos(),
    })
}

/// Where frames are drawn.
struct Canvas {
    gpu: Option<Gpu>,
    shared: Option<ShmBackend>,
    /// Frames that were drawn elsewhere, because all memory of that kind was in use.
    elsewhere: u32,
}

impl Canvas {
    /// The memory that is asked for, or the best that somebody will read there.
    fn new(
        asked: Backend,
        publisher: &Publisher<Image>,
        source: &Source,
    ) -> Result<Self, Box<dyn Error>> {
        let gpu = Self::gpu(asked, publisher, source);
        let shared = match asked {
            Backend::Cpu => None,
            Backend::Shm => {
                let shared = ShmBackend::shared()?;
                if !publisher.wait_for_backend("shm", PATIENCE) {
                    return Err("the subscriber cannot be reached with shared memory: it runs on another host, as another \
                                user, or with --backend cpu"
                        .into());
                }
                Some(shared)
            }
            Backend::Cuda | Backend::Auto => ShmBackend::shared()
                .ok()
                .filter(|_| gpu.is_some() || publisher.wait_for_backend("shm", SHORT_PATIENCE)),
        };
        Ok(Self {
            gpu,
            shared,
            elsewhere: 0,
        })
    }

    fn gpu(asked: Backend, publisher: &Publisher<Image>, source: &Source) -> Option<Gpu> {
        let backends = publisher.node().context().backends();
        let patience = match asked {
            Backend::Cpu | Backend::Shm => return None,
            Backend::Auto if !backends.contains(gpu::BACKEND) => return None,
            Backend::Auto => SHORT_PATIENCE,
            Backend::Cuda => PATIENCE / 4,
        };
        let gpu = if publisher.wait_for_backend(gpu::BACKEND, patience) {
            Gpu::new(source)
        } else {
            Err("the subscriber cannot be reached with memory of this GPU".into())
        };
        gpu.inspect_err(|error| {
            if asked == Backend::Cuda {
                eprintln!("camera: no frames on the GPU, the next best memory is used: {error}");
            }
        })
        .ok()
    }

    fn draw(&mut self, source: &Source, number: u32) -> Buffer<u8> {
        if let Some(gpu) = &self.gpu {
            match gpu.draw(number) {
                Ok(frame) => return frame,
                Err(error) if self.elsewhere == 0 => {
                    eprintln!("frame {number} is not drawn on the GPU: {error}");
                }
                Err(_) => {}
            }
            self.elsewhere += 1;
        }
        if let Some(shared) = &self.shared {
            match shared.allocate(source.frame_len(), BLOCK_PATIENCE) {
                Ok(mut block) => {
                    source.draw(number, &mut block);
                    return block.into_buffer();
                }
                Err(error) if self.elsewhere == 0 => {
                    eprintln!("frame {number} is sent as bytes: {error}");
                }
                Err(_) => {}
            }
            if self.gpu.is_none() {
                self.elsewhere += 1;
            }
        }
        Buffer::from(source.frame(number))
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let source = match &options.input {
        Some(path) => Source::open(path)?,
        None => Source::drawn(options.width, options.height),
    };
    let (width, height) = source.size();
    let node = options.node("camera_publisher")?;
    let publisher = node.create_publisher::<Image>(&options.topic, QosProfile::default())?;
    if !publisher.wait_for_subscription(PATIENCE) {
        return Err(format!(
            "nobody subscribed to {} within {} s",
            publisher.topic_name(),
            PATIENCE.as_secs()
        )
        .into());
    }
    let mut canvas = Canvas::new(options.backend, &publisher, &source)?;
    let start = Instant::now();
    for number in 0..options.frames {
        let data = canvas.draw(&source, number);
        if options.rate > 0.0 {
            let due = start + Duration::from_secs_f64(f64::from(number) / options.rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let header = Header {
            stamp: now()?,
            frame_id: options.frame_id(),
        };
        let step = u32::try_from(width as usize * PIXEL)?;
        publisher.publish(&Image {
            header,
            height,
            width,
            encoding: "rgb8".to_owned(),
            is_bigendian: 0,
            step,
            data,
        })?;
    }
    if let Some(gpu) = &canvas.gpu {
        gpu.finish()?;
    }
    if canvas.elsewhere > 0 {
        eprintln!(
            "{} frames found no such memory and were drawn elsewhere",
            canvas.elsewhere
        );
    }
    let fallbacks = publisher.stats().fallbacks;
    for (reason, count) in &fallbacks {
        eprintln!("{count} frames drawn in such memory were sent as bytes: {reason:?}");
    }
    let all_shared = canvas.elsewhere == 0 && fallbacks.is_empty();
    if options.backend == Backend::Shm && !all_shared {
        return Err("--backend shm, and not every frame was sent in shared memory".into());
    }
    Ok(ExitCode::SUCCESS)
}
