//! The camera: draws frames and publishes them at a steady rate.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_zenoh::{Node, QosProfile};

use crate::Options;
use crate::picture::{PIXEL, Source};
use crate::ros::builtin_interfaces::msg::Time;
use crate::ros::sensor_msgs::msg::Image;
use crate::ros::std_msgs::msg::Header;

/// How long to wait for somebody who wants the frames.
const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> Result<Time, Box<dyn Error>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Time {
        sec: i32::try_from(since.as_secs())?,
        nanosec: since.subsec_nanos(),
    })
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let source = match &options.input {
        Some(path) => Source::open(path)?,
        None => Source::drawn(options.width, options.height),
    };
    let (width, height) = source.size();
    let node = Node::builder("camera_publisher").build()?;
    let publisher = node.create_publisher::<Image>(&options.topic, QosProfile::default())?;
    if !publisher.wait_for_subscription(PATIENCE) {
        return Err(format!(
            "nobody subscribed to {} within {} s",
            publisher.topic_name(),
            PATIENCE.as_secs()
        )
        .into());
    }
    let start = Instant::now();
    for number in 0..options.frames {
        let data = Buffer::from(source.frame(number));
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
    Ok(ExitCode::SUCCESS)
}
