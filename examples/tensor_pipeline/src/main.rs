//! Tensors from one process to another, over Zenoh, as ROS 2 nodes would send them, and a small computation on each.
//!
//! Without a role the program starts itself twice, as a publisher and as a subscriber, and waits for both. The publisher
//! makes a tensor of each picture; the subscriber computes how many edges it has and compares with the answer for the
//! picture itself, in whole numbers, so that a wrong element is seen.

#[cfg_attr(feature = "torch", path = "torch.rs")]
mod compute;
mod picture;
mod publish;
mod report;
mod subscribe;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};

use clap::{Parser, ValueEnum, builder::PossibleValue};
use rosidl_buffer_runtime::BackendRegistry;
use rosidl_buffer_runtime::cuda::Device;
use rosidl_buffer_zenoh::{Context, Node};

/// The name under which buffers in memory of a GPU are known.
const CUDA: &str = "cuda_rs";

/// Sends tensors from one process to another and checks what is computed from each.
#[derive(Parser, Debug, Clone)]
#[command(version)]
struct Options {
    /// Only this half of the pair; the other one runs elsewhere, with the same options
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Number of frames
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Width in pixels
    #[arg(long, default_value_t = 640, value_parser = clap::value_parser!(u32).range(3..=16384))]
    width: u32,
    /// Height in pixels
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(3..=16384))]
    height: u32,
    /// Frames a second; 0 sends as fast as it can
    #[arg(long, default_value_t = 30.0, value_parser = parse_rate)]
    rate: f64,
    /// A JPEG or PNG file to send, moving, in place of the drawn picture; gives the size too
    #[arg(long, conflicts_with_all = ["width", "height"])]
    input: Option<PathBuf>,
    /// Topic name; has a number behind it when the program starts both halves, which tells this pair from others
    #[arg(long, default_value = "/camera/tensor", overrides_with = "topic")]
    topic: String,
    /// Memory that the elements travel in
    #[arg(long, value_enum, default_value_t = Backend::Auto, overrides_with = "backend")]
    backend: Backend,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Publisher,
    Subscriber,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    /// Bytes in the messages
    Cpu,
    /// Shared memory of this host; it is an error if the other half cannot be reached with it
    Shm,
    /// Memory of the GPU, where both halves have one; where not, this is said, and it is as `auto`
    Cuda,
    /// What `ROSIDL_TENSOR_BACKEND` names, or the best that both halves have: memory of the GPU, else shared memory, else bytes
    Auto,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && (0.0..=10_000.0).contains(&rate) => Ok(rate),
        _ => Err("a number of frames a second from 0 to 10000 is expected".to_owned()),
    }
}

/// Whether there is a GPU; without opening it.
fn look_for_gpu() -> Result<(), Box<dyn Error>> {
    if Device::all()?.is_empty() {
        return Err("CUDA shows no device; does CUDA_VISIBLE_DEVICES hide it?".into());
    }
    Ok(())
}

impl Options {
    /// Without a GPU the next best memory is used, and it is said why.
    fn settle(&mut self) {
        if self.backend == Backend::Cuda
            && let Err(error) = look_for_gpu()
        {
            eprintln!(
                "tensor_pipeline: no tensors on a GPU, the next best memory is used: {error}"
            );
            self.backend = Backend::Auto;
        }
    }

    /// A node in a context that hands over the memory asked for.
    fn node(&self, name: &str) -> Result<Node, Box<dyn Error>> {
        let context = match self.backend {
            Backend::Cpu => Context::builder().backends(BackendRegistry::new()),
            Backend::Shm => Context::builder(),
            Backend::Cuda | Backend::Auto => Context::builder().cuda(),
        };
        Ok(context.build()?.create_node(name)?)
    }
}

/// The other half, as a process of its own with the same options, the last of which may have been settled here.
fn spawn(role: &str, topic: &str, backend: Backend) -> Result<Child, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let backend = backend.to_possible_value();
    let backend = backend.as_ref().map_or("auto", PossibleValue::get_name);
    let child = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .args(["--topic", topic, "--role", role, "--backend", backend])
        .spawn()
        .map_err(|error| format!("cannot start {} as {role}: {error}", program.display()))?;
    Ok(child)
}

fn run_both(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    picture::Source::of(options)?; // a bad picture is one error here, not two in the processes
    let topic = format!("{}_{}", options.topic, std::process::id());
    let mut subscriber = spawn("subscriber", &topic, options.backend)?;
    let publisher =
        spawn("publisher", &topic, options.backend).and_then(|mut child| Ok(child.wait()?));
    if !matches!(&publisher, Ok(status) if status.success()) {
        subscriber.kill()?;
        subscriber.wait()?;
        return Err(format!(
            "the publisher failed: {}",
            publisher.map_or_else(|error| error.to_string(), |status| status.to_string())
        )
        .into());
    }
    Ok(if subscriber.wait()?.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,zenoh=error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let mut options = Options::parse();
    options.settle();
    let result = match options.role {
        None => run_both(&options),
        Some(Role::Publisher) => publish::run(&options),
        Some(Role::Subscriber) => subscribe::run(&options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("tensor_pipeline: {error}");
        ExitCode::FAILURE
    })
}
