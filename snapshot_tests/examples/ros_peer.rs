//! A node of ours for peers in another language, which connect to it or it to them as Zenoh is configured.
//!
//! It sends messages back that it gets, and has a service and an action. A line on standard input makes it ask a service
//! of the peer's; what it got goes to standard output. It ends with its input. With the argument `tensors` it sends these back,
//! and nothing else.

use std::{error::Error, io::BufRead as _, time::Duration};

use rosidl_buffer_interfaces::{
    example_interfaces::action::{Fibonacci, Fibonacci_Feedback, Fibonacci_Result},
    example_interfaces::srv::{AddTwoInts, AddTwoInts_Request, AddTwoInts_Response},
    sensor_msgs::msg::{Image, JointState},
    std_msgs::msg::String as Text,
    tensor_msgs::msg::ExperimentalTensor,
};
use rosidl_buffer_runtime::Message;
use rosidl_buffer_zenoh::{
    ActionServerOptions, CallbackSubscription, CancelResponse, GoalHandle, GoalResponse, Node,
    QosProfile, Result as NodeResult,
};

const SOON: Duration = Duration::from_secs(20);
const QOS: QosProfile = QosProfile::services_default();

/// Sends what comes on one topic back on the other, once somebody listens there.
fn relay<M: Message>(node: &Node, name: &str) -> NodeResult<CallbackSubscription<M>> {
    let qos = QosProfile::default().keep_all();
    let publisher = node.create_publisher::<M>(&format!("{name}_back"), qos)?;
    if !publisher.wait_for_subscription(SOON) {
        eprintln!("nobody listens to {}", publisher.topic_name());
    }
    node.create_subscription_with_callback(name, qos, move |message: M, _| {
        if let Err(error) = publisher.publish(&message) {
            eprintln!("{error}");
        }
    })
}

/// The numbers up to the one that was asked for, each told; slowly if they are many, so that there is time to cancel.
fn fibonacci(handle: GoalHandle<Fibonacci>) -> NodeResult<()> {
    let steps = usize::try_from(handle.goal().order).unwrap_or(0);
    let mut sequence = vec![0, 1];
    while sequence.len() <= steps {
        if handle.is_canceling() {
            return handle.canceled(Fibonacci_Result { sequence });
        }
        let [.., a, b] = sequence[..] else { break };
        sequence.push(i32::wrapping_add(a, b));
        let so_far = sequence.clone();
        handle.publish_feedback(Fibonacci_Feedback { sequence: so_far })?;
        if steps > 100 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    handle.succeed(Fibonacci_Result { sequence })
}

fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("rust_peer").namespace("/interop").build()?;
    if std::env::args().nth(1).as_deref() == Some("tensors") {
        let _relay = relay::<ExperimentalTensor>(&node, "tensor")?;
        return Ok(std::io::stdin()
            .lock()
            .lines()
            .try_for_each(|line| line.map(drop))?);
    }
    let _relays = (
        relay::<Text>(&node, "text")?,
        relay::<Image>(&node, "image")?,
        relay::<JointState>(&node, "joints")?,
    );
    let _service = node.create_service::<AddTwoInts>("add", QOS, |request, _| {
        let sum = request.a.wrapping_add(request.b);
        AddTwoInts_Response { sum }
    })?;
    let _action = node.create_action_server::<Fibonacci>(
        "fibonacci",
        ActionServerOptions::default(),
        |_, goal| match goal.order {
            0.. => GoalResponse::AcceptAndExecute,
            _ => GoalResponse::Reject,
        },
        |_| CancelResponse::Accept,
        |handle| {
            if let Err(error) = fibonacci(handle) {
                eprintln!("{error}");
            }
        },
    )?;
    let client = node.create_client::<AddTwoInts>("their_add", QOS)?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["add", a, b] => {
                let request = AddTwoInts_Request {
                    a: a.parse()?,
                    b: b.parse()?,
                };
                if !client.wait_for_service(SOON) {
                    println!("no server");
                    continue;
                }
                match client.call(&request, SOON) {
                    Ok(response) => println!("sum {}", response.sum),
                    Err(error) => println!("error {error}"),
                }
            }
            _ => return Err(format!("`add A B`, not {line:?}").into()),
        }
    }
    Ok(())
}
