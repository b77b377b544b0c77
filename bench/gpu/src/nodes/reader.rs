//! The nodes that read: one whose GPU compares every word of every frame, and one beside it that looks at them on the host.

use std::time::Duration;

use rosidl_buffer_interfaces::sensor_msgs::msg::Image;
use rosidl_buffer_runtime::Buffer;
use rosidl_buffer_runtime::cuda::CudaBackend;
use rosidl_buffer_zenoh::{Subscription, SubscriptionOptions};

use crate::gpu::{word, words};
use crate::link::{Link, now};
use crate::memory::Device;
use crate::{LEN, TOPIC, VERIFIED, WATCHED, WRONG, node, qos};

const PATIENCE: Duration = Duration::from_secs(20);

fn subscribe(accepts: &str) -> Subscription<Image> {
    let node = node("reader", accepts);
    let options = SubscriptionOptions::from(qos()).acceptable_buffer_backends(accepts);
    node.create_subscription(TOPIC, options).unwrap()
}

/// The frames until the writer is through, each with its number.
fn frames<'a>(
    subscription: &'a Subscription<Image>,
    link: &'a Link,
) -> impl Iterator<Item = (u32, Buffer<u8>)> + 'a {
    std::iter::from_fn(|| {
        loop {
            if let Some(received) = subscription
                .recv_timeout(Duration::from_millis(50))
                .unwrap()
            {
                let image = received.message;
                return Some((image.header.stamp.nanosec, image.data));
            }
            if link.stop.get() == 1 {
                return None;
            }
        }
    })
}

/// Takes every frame in the memory that is meant, and has the GPU compare it.
pub fn read(accepts: &str, link: &Link) {
    let device = Device::new(LEN);
    let (stream, cuda) = (&device.stream, CudaBackend::shared().unwrap());
    let subscription = subscribe(accepts);
    for (number, data) in frames(&subscription, link) {
        assert_eq!(data.backend_type(), accepts, "frame {number}");
        device.gpu.reset();
        let check = |address| {
            device
                .gpu
                .check(stream.handle(), address, LEN, number.into())
                .unwrap()
        };
        if let Some(bytes) = data.as_slice().filter(|_| accepts == "cpu") {
            device.upload(bytes);
            check(device.address);
        } else {
            let read = cuda.from_input_buffer(&data, stream).unwrap();
            check(read.address());
        }
        let right = device.gpu.answer(stream.handle(), PATIENCE).unwrap();
        link.marks[VERIFIED].set(now());
        link.marks[WRONG].add(u64::from(right != Some(words(LEN).into())));
        assert_eq!(link.consumed.get(), u64::from(number), "a frame was lost");
        link.consumed.set(u64::from(number) + 1);
    }
}

/// Compares every word of the frames that come through in time, on the host.
pub fn watch(accepts: &str, link: &Link) {
    let subscription = subscribe(accepts);
    for (number, data) in frames(&subscription, link) {
        assert_eq!(data.backend_type(), accepts, "frame {number}");
        let words = data
            .as_slice()
            .unwrap()
            .chunks_exact(4)
            .map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        let right = data.len() == LEN
            && words
                .zip(0..)
                .all(|(found, index)| found == word(index, number.into()));
        link.marks[WRONG].add(u64::from(!right));
        link.marks[WATCHED].add(1);
    }
}
