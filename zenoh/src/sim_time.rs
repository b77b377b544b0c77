//! Simulated time: while the parameter `use_sim_time` is true, a node's ROS clock shows what comes on `/clock`.
//!
//! In: the switch, and `rosgraph_msgs/msg/Clock`. Out: the time of the node's clock, 0 until the first message as in rclcpp. The
//! subscription and its thread are there only while the switch is on.

use std::sync::{Mutex, PoisonError};

use rosidl_buffer_interfaces::rosgraph_msgs::msg::Clock;

use crate::{
    callback::CallbackSubscription, clock::ClockType, node::Node, qos::QosProfile, time::Time,
};

/// The topic, in no namespace.
const TOPIC: &str = "/clock";

pub(crate) struct SimTime {
    subscription: Mutex<Option<CallbackSubscription<Clock>>>,
    /// Without its built-in endpoints, of which this is one.
    node: Node,
}

impl SimTime {
    pub(crate) fn new(bare: &Node) -> Self {
        Self {
            subscription: Mutex::default(),
            node: bare.clone(),
        }
    }

    /// Turns simulated time on or off, if it is not so already.
    pub(crate) fn switch(&self, on: bool) {
        let mut subscription = self
            .subscription
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if subscription.is_some() == on {
            return;
        }
        if on && self.node.clock().clock_type() != ClockType::RosTime {
            tracing::error!(
                "{}: no simulated time: the node was built with a clock that does not show ROS time",
                self.node.fully_qualified_name()
            );
            return;
        }
        let source = self.node.clock().source();
        if !on {
            // First the thread that sets the time, then the time.
            *subscription = None;
            source.clear_ros_time_override();
            return;
        }
        source.set_ros_time_override(Time::default());
        let set = move |message: Clock, _| source.set_ros_time_override(message.clock.into());
        let made = self
            .node
            .create_subscription_with_callback(TOPIC, QosProfile::clock(), set);
        match made {
            Ok(made) => *subscription = Some(made),
            Err(error) => {
                self.node.clock().source().clear_ros_time_override();
                tracing::error!(
                    "{}: no simulated time: {error}",
                    self.node.fully_qualified_name()
                );
            }
        }
    }
}

impl Drop for SimTime {
    /// Whoever sleeps on the clock would never wake.
    fn drop(&mut self) {
        self.switch(false);
    }
}
