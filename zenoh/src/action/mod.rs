//! Actions: goals that take their time, with feedback meanwhile and a result in the end.
//!
//! An action is three services (`send_goal`, `cancel_goal`, `get_result`) and two topics (`feedback`, `status`) under
//! `<name>/_action/`, with the quality of service that `rcl_action` gives them. The states of a goal and the ways between them
//! are those of `rcl_action`, too. Nothing of this is known below: to Zenoh these are services and topics like others.

mod client;
mod client_goal;
mod goal;
mod goals;
mod server;

use std::fmt;

use crate::qos::QosProfile;

pub use client::ActionClient;
pub use client_goal::{ClientGoal, GoalResult};
pub use goal::GoalHandle;
pub use server::{ActionServer, ActionServerOptions, CancelResponse, GoalResponse};

/// The three services.
const SERVICES: QosProfile = QosProfile::services_default();

/// Late joiners get the newest status.
const STATUS: QosProfile = QosProfile::action_status();

/// `/fibonacci/_action/status` and its kin.
fn name(action: &str, part: &str) -> String {
    format!("{action}/_action/{part}")
}

/// Names one goal among all goals of all actions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoalId(pub [u8; 16]);

impl fmt::Display for GoalId {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GoalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GoalId({self})")
    }
}

/// How far a goal is, in the words of `action_msgs/msg/GoalStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(i8)]
pub enum GoalStatus {
    /// Nobody knows the goal, or not any more.
    #[default]
    Unknown = 0,
    /// It was accepted.
    Accepted = 1,
    /// The server is at it.
    Executing = 2,
    /// It is to be canceled, and the server agreed.
    Canceling = 3,
    /// It was reached.
    Succeeded = 4,
    /// It was canceled.
    Canceled = 5,
    /// The server gave it up.
    Aborted = 6,
}

impl GoalStatus {
    /// Whether nothing changes any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Canceled | Self::Aborted)
    }

    /// A number that is none of these is unknown.
    const fn from_code(code: i8) -> Self {
        match code {
            1 => Self::Accepted,
            2 => Self::Executing,
            3 => Self::Canceling,
            4 => Self::Succeeded,
            5 => Self::Canceled,
            6 => Self::Aborted,
            _ => Self::Unknown,
        }
    }

    const fn code(self) -> i8 {
        self as i8
    }
}
