//! Messages of two interface packages to bytes and back, an image in shared memory among them, and the type hashes of all.

use std::time::Duration;

use buffer_probe_msgs_buffer::{
    action::Move,
    msg::{ByteLike, Nested},
    srv::{Blob, Blob_Request},
};
use rosidl_buffer_runtime::{Action, GeneratedService, Message, Service, cdr, shm::ShmBackend};
use sensor_msgs_buffer::msg::{Image, PointCloud2};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut pixels = ShmBackend::shared()?.allocate(640 * 480, Duration::from_secs(10))?;
    pixels.fill(7);
    let image = Image {
        height: 480,
        width: 640,
        step: 640,
        encoding: "mono8".to_owned(),
        data: pixels.into_buffer(),
        ..Image::default()
    };
    println!("image in {}", image.data.backend_type());
    say(&image)?;
    say(&PointCloud2::default())?;
    say(&ByteLike::default())?;
    say(&Nested::default())?;
    say(&Blob_Request::default())?;
    println!("{} {}", Blob::TYPE_NAME, Blob::TYPE_HASH);
    println!("{} {}", Move::TYPE_NAME, <Move as Action>::type_hash());
    Ok(())
}

fn say<M: Message + PartialEq>(message: &M) -> Result<(), Box<dyn std::error::Error>> {
    let read: M = cdr::decode(&cdr::encode(message)?)?;
    if read != *message {
        return Err(format!("{} changed on its way", M::TYPE_NAME).into());
    }
    println!("{} {}", M::TYPE_NAME, M::type_hash());
    Ok(())
}
