//! iceoryx2: a publish-subscribe service of byte slices, with a place in the file system of its own.

use std::{
    hint::spin_loop,
    thread,
    time::{Duration, Instant},
};

use iceoryx2::{
    config::Config,
    node::{Node, NodeBuilder},
    port::{publisher::Publisher as Port, subscriber::Subscriber},
    prelude::{AllocationStrategy, FileName, Path, SemanticString as _, SignalHandlingMode, ipc},
    sample_mut::SampleMut,
    service::port_factory::{PortFactory as _, publish_subscribe::PortFactory},
};
use rosidl_buffer_bench::Slot;

use crate::pair;

type Service = PortFactory<ipc::Service, [u8], ()>;

fn service() -> (Node<ipc::Service>, Service) {
    let mut config = Config::default();
    // Both sides have the same parent, and only they.
    let name = format!("bench_{}_", std::os::unix::process::parent_id());
    let root = std::env::temp_dir().join(&name);
    config
        .global
        .set_root_path(&Path::new(root.to_str().unwrap().as_bytes()).unwrap());
    config.global.prefix = FileName::new(name.as_bytes()).unwrap();
    let node = NodeBuilder::new()
        .config(&config)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()
        .unwrap();
    let service = node
        .service_builder(&"frames".try_into().unwrap())
        .publish_subscribe::<[u8]>()
        .max_publishers(1)
        .max_subscribers(1)
        .subscriber_max_buffer_size(2)
        .subscriber_max_borrowed_samples(2)
        .history_size(0)
        .enable_safe_overflow(false)
        .open_or_create()
        .unwrap();
    (node, service)
}

fn eventually(mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the other side did not come"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

pub struct Writer {
    port: Port<ipc::Service, [u8], ()>,
    prepared: Option<SampleMut<ipc::Service, [u8], ()>>,
    service: Service,
    _node: Node<ipc::Service>,
}

impl Writer {
    pub fn new(len: usize) -> Self {
        let (node, service) = service();
        let port = service
            .publisher_builder()
            .initial_max_slice_len(len)
            .max_loaned_samples(2)
            .allocation_strategy(AllocationStrategy::Static)
            .create()
            .unwrap();
        eventually(|| service.dynamic_config().number_of_subscribers() == 1);
        Self {
            port,
            prepared: None,
            service,
            _node: node,
        }
    }
}

impl pair::Write for Writer {
    fn prepare(&mut self, number: u64, len: usize) {
        let sample = self.port.loan_slice_uninit(len).unwrap();
        // SAFETY: any bytes are bytes; the segment was zeroed by the kernel.
        let mut sample = unsafe { sample.assume_init() };
        pair::mark(sample.payload_mut(), number);
        self.prepared = Some(sample);
    }

    fn send(&mut self, _number: u64, _slot: &Slot) {
        assert_eq!(self.prepared.take().unwrap().send().unwrap(), 1);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The service's files go with the last one, which is then this side.
        eventually(|| self.service.dynamic_config().number_of_subscribers() == 0);
    }
}

pub struct Reader {
    port: Subscriber<ipc::Service, [u8], ()>,
    _service: Service,
    _node: Node<ipc::Service>,
}

impl Reader {
    pub fn new(_len: usize) -> Self {
        let (node, service) = service();
        let port = service.subscriber_builder().create().unwrap();
        Self {
            port,
            _service: service,
            _node: node,
        }
    }
}

impl pair::Read for Reader {
    fn receive(&mut self, _number: u64, _slot: &Slot, look: impl FnOnce(&[u8])) {
        let sample = loop {
            if let Some(sample) = self.port.receive().unwrap() {
                break sample;
            }
            spin_loop();
        };
        look(sample.payload());
    }
}
