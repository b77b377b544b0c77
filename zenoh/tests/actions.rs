//! Actions of ours: goals, feedback, results, and every way to an end; what is told to others of a goal's state.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use common::{SOON, block_on, builder, domain, eventually, watch};
use rosidl_buffer_interfaces::{
    action_msgs::{
        msg::{GoalInfo, GoalStatusArray},
        srv::{CancelGoal, CancelGoal_Request, CancelGoal_Response},
    },
    type_description_interfaces::srv::{GetTypeDescription, GetTypeDescription_Request},
    unique_identifier_msgs::msg::UUID,
};
use rosidl_buffer_runtime::{
    Action, BufferMessage, Message as _,
    action::{GetResult, GetResultRequest, GoalId as Uuid, SendGoal, SendGoalRequest},
    cdr,
};
use rosidl_buffer_zenoh::{
    ActionClient, ActionServer, ActionServerOptions, CancelResponse, Error, GoalHandle,
    GoalResponse, GoalStatus, Node, QosProfile,
};

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(
    package = "example_interfaces",
    name = "Fibonacci_Goal",
    kind = "action"
)]
struct Goal {
    order: i32,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(
    package = "example_interfaces",
    name = "Fibonacci_Result",
    kind = "action"
)]
struct Outcome {
    sequence: Vec<i32>,
}

#[derive(Debug, Clone, PartialEq, BufferMessage)]
#[ros2(
    package = "example_interfaces",
    name = "Fibonacci_Feedback",
    kind = "action"
)]
struct Feedback {
    sequence: Vec<i32>,
}

#[derive(Action)]
#[ros2(package = "example_interfaces", goal = Goal, result = Outcome, feedback = Feedback)]
struct Fibonacci;

type Handle = GoalHandle<Fibonacci>;

fn node(test: u32) -> Node {
    let context = builder(domain(test)).build().unwrap();
    context.create_node("node").unwrap()
}

fn outcome(sequence: &[i32]) -> Outcome {
    Outcome {
        sequence: sequence.to_vec(),
    }
}

/// A server that takes goals of a positive order, the large ones for later, and a client that has found it.
fn server_and_client(
    node: &Node,
    options: ActionServerOptions,
    cancel: CancelResponse,
    execute: impl Fn(Handle) + Send + Sync + 'static,
) -> (ActionServer<Fibonacci>, ActionClient<Fibonacci>) {
    let server = node.create_action_server::<Fibonacci>(
        "fibonacci",
        options,
        |_, goal| match goal.order {
            100.. => GoalResponse::AcceptAndDefer,
            1.. => GoalResponse::AcceptAndExecute,
            _ => GoalResponse::Reject,
        },
        move |_| cancel,
        execute,
    );
    let client = node.create_action_client("fibonacci").unwrap();
    let server = server.unwrap();
    assert!(client.wait_for_server(SOON));
    (server, client)
}

/// Settings of a server that keeps results for longer than a loaded machine takes to ask for them.
fn patient() -> ActionServerOptions {
    ActionServerOptions::default().result_timeout(Duration::from_secs(300))
}

/// A server whose goals are handed to the test.
fn handed(
    node: &Node,
    cancel: CancelResponse,
) -> (
    ActionServer<Fibonacci>,
    ActionClient<Fibonacci>,
    Receiver<Handle>,
) {
    let (given, handles): (Sender<Handle>, _) = channel();
    let given = Mutex::new(given);
    let options = patient();
    let (server, client) = server_and_client(node, options, cancel, move |handle| {
        given.lock().unwrap().send(handle).unwrap();
    });
    (server, client, handles)
}

#[test]
fn a_goal_is_reached_with_feedback_on_the_way() {
    let node = node(0);
    let options = patient();
    let (_server, client) = server_and_client(&node, options, CancelResponse::Accept, |handle| {
        let mut sequence = vec![0, 1];
        for _ in 0..handle.goal().order {
            sequence.push(sequence[sequence.len() - 1] + sequence[sequence.len() - 2]);
            let sequence = sequence.clone();
            handle.publish_feedback(Feedback { sequence }).unwrap();
        }
        handle.succeed(Outcome { sequence }).unwrap();
    });
    let goal = client.send_goal(&Goal { order: 3 }, SOON).unwrap();
    for expected in [&[0, 1, 1][..], &[0, 1, 1, 2], &[0, 1, 1, 2, 3]] {
        let feedback = goal.feedback_timeout(SOON).unwrap();
        assert_eq!(feedback.sequence, expected);
    }
    let ended = goal.result(SOON).unwrap();
    assert_eq!(ended.status, GoalStatus::Succeeded);
    assert_eq!(ended.result, outcome(&[0, 1, 1, 2, 3]));
    assert_eq!(goal.status(), GoalStatus::Succeeded);
    assert!(goal.try_feedback().is_none());
    // The result is still there for whoever asks in time, and two goals do not mix.
    assert_eq!(goal.result(SOON).unwrap(), ended);
    let other = client.send_goal(&Goal { order: 1 }, SOON).unwrap();
    assert_ne!(other.goal_id(), goal.goal_id());
    assert!(other.stamp() >= goal.stamp());
    assert_eq!(other.result(SOON).unwrap().result, outcome(&[0, 1, 1]));
    assert_eq!(other.feedback_timeout(SOON).unwrap().sequence, [0, 1, 1]);
}

#[test]
fn everything_is_a_future_too() {
    let node = node(1);
    let options = patient();
    let (_server, client) = server_and_client(&node, options, CancelResponse::Accept, |handle| {
        handle
            .publish_feedback(Feedback { sequence: vec![7] })
            .unwrap();
        while !handle.is_canceling() {
            std::thread::sleep(Duration::from_millis(1));
        }
        handle.canceled(outcome(&[8])).unwrap();
    });
    block_on(async {
        let goal = client.send_goal_async(&Goal { order: 1 }).await.unwrap();
        assert_eq!(goal.feedback_async().await.sequence, [7]);
        let result = goal.result_async();
        goal.cancel_async().await.unwrap();
        let ended = result.await.unwrap();
        assert_eq!(ended.status, GoalStatus::Canceled);
        assert_eq!(ended.result, outcome(&[8]));
        let rejected = client.send_goal_async(&Goal { order: 0 }).await;
        assert!(matches!(rejected, Err(Error::GoalRejected { .. })));
    });
}

#[test]
fn goals_end_in_every_way_that_there_is() {
    let node = node(2);
    let (_server, client, handles) = handed(&node, CancelResponse::Accept);
    let next = || {
        let goal = client.send_goal(&Goal { order: 1 }, SOON).unwrap();
        (goal, handles.recv_timeout(SOON).unwrap())
    };
    let (goal, handle) = next();
    assert_eq!(
        (handle.goal_id(), handle.status()),
        (goal.goal_id(), GoalStatus::Executing)
    );
    eventually("the client hears of it", || {
        goal.status() == GoalStatus::Executing
    });
    handle.abort(outcome(&[1])).unwrap();
    let ended = goal.result(SOON).unwrap();
    assert_eq!(
        (ended.status, ended.result),
        (GoalStatus::Aborted, outcome(&[1]))
    );

    // Canceled without being asked for: refused, and the goal is aborted.
    let (goal, handle) = next();
    let error = handle.canceled(outcome(&[2])).unwrap_err();
    assert!(matches!(error, Error::GoalState { .. }), "{error}");
    let ended = goal.result(SOON).unwrap();
    assert_eq!(
        (ended.status, ended.result),
        (GoalStatus::Aborted, outcome(&[]))
    );

    // Reached although it was to be canceled.
    let (goal, handle) = next();
    assert!(!handle.is_canceling());
    goal.cancel(SOON).unwrap();
    assert!(handle.is_canceling());
    let again = goal.cancel(SOON).unwrap_err();
    assert!(matches!(again, Error::CancelRejected { .. }), "{again}");
    handle.succeed(outcome(&[3])).unwrap();
    assert_eq!(goal.result(SOON).unwrap().status, GoalStatus::Succeeded);
    let late = goal.cancel(SOON).unwrap_err();
    assert!(late.to_string().contains("has ended"), "{late}");

    // Left alone.
    let (goal, handle) = next();
    let result = goal.result_async();
    drop(handle);
    assert_eq!(block_on(result).unwrap().status, GoalStatus::Aborted);
}

#[test]
fn a_deferred_goal_is_executed_later_or_never() {
    let node = node(12);
    let (_server, client, handles) = handed(&node, CancelResponse::Accept);
    let next = || {
        let goal = client.send_goal(&Goal { order: 100 }, SOON).unwrap();
        let handle = handles.recv_timeout(SOON).unwrap();
        assert_eq!(handle.status(), GoalStatus::Accepted);
        (goal, handle)
    };
    let (goal, handle) = next();
    eventually("the client hears that it waits", || {
        goal.status() == GoalStatus::Accepted
    });
    handle.execute().unwrap();
    eventually("the client hears that it began", || {
        goal.status() == GoalStatus::Executing
    });
    let again = handle.execute().unwrap_err();
    assert!(matches!(again, Error::GoalState { .. }), "{again}");
    handle.succeed(outcome(&[1])).unwrap();
    assert_eq!(goal.result(SOON).unwrap().status, GoalStatus::Succeeded);

    // Canceled before its turn came.
    let (goal, handle) = next();
    goal.cancel(SOON).unwrap();
    assert!(handle.is_canceling());
    assert!(handle.execute().is_err());
    handle.canceled(outcome(&[])).unwrap();
    assert_eq!(goal.result(SOON).unwrap().status, GoalStatus::Canceled);

    let (goal, handle) = next();
    goal.cancel(SOON).unwrap();
    drop(handle);
    assert_eq!(goal.result(SOON).unwrap().status, GoalStatus::Canceled);

    // It cannot be reached before it began, nor when it is left alone.
    let (goal, handle) = next();
    let early = handle.succeed(outcome(&[1])).unwrap_err();
    assert!(matches!(early, Error::GoalState { .. }), "{early}");
    assert_eq!(goal.result(SOON).unwrap().status, GoalStatus::Canceled);
    let (goal, handle) = next();
    drop(handle);
    assert_eq!(goal.result(SOON).unwrap().status, GoalStatus::Canceled);
}

#[test]
fn executions_run_side_by_side_and_a_panic_aborts_one() {
    let node = node(3);
    let meet = Arc::new(std::sync::Barrier::new(2));
    let (options, cancel) = (patient(), CancelResponse::Accept);
    let (_server, client) = server_and_client(&node, options, cancel, move |handle| {
        meet.wait();
        assert_eq!(handle.goal().order, 1, "the other fails");
        handle.succeed(outcome(&[1])).unwrap();
    });
    let goals = [1, 2].map(|order| client.send_goal(&Goal { order }, SOON).unwrap());
    let ends = goals.map(|goal| goal.result(SOON).unwrap().status);
    assert_eq!(ends, [GoalStatus::Succeeded, GoalStatus::Aborted]);
}

#[test]
fn cancel_requests_by_stamp_for_all_and_refused() {
    let node = node(4);
    let (_server, client, handles) = handed(&node, CancelResponse::Accept);
    let goals = [1, 2, 3].map(|order| client.send_goal(&Goal { order }, SOON).unwrap());
    for none in [i64::MIN, -1, 0] {
        assert_eq!(client.cancel_goals_before(none, SOON).unwrap(), []);
    }
    let handles = [0; 3].map(|_| handles.recv_timeout(SOON).unwrap());
    let canceled = client.cancel_goals_before(goals[1].stamp(), SOON).unwrap();
    assert_eq!(canceled, [goals[0].goal_id(), goals[1].goal_id()]);
    assert_eq!(client.cancel_all_goals(SOON).unwrap(), [goals[2].goal_id()]);
    assert_eq!(client.cancel_all_goals(SOON).unwrap(), []);
    assert!(handles.iter().all(GoalHandle::is_canceling));

    let other = self::node(5);
    let (_server, client, handles) = handed(&other, CancelResponse::Reject);
    let goal = client.send_goal(&Goal { order: 1 }, SOON).unwrap();
    let handle = handles.recv_timeout(SOON).unwrap();
    for refused in [goal.cancel(SOON), client.cancel_all_goals(SOON).map(drop)] {
        assert!(refused.unwrap_err().to_string().contains("does not agree"));
    }
    assert_eq!(handle.status(), GoalStatus::Executing);
}

#[test]
fn results_are_forgotten_after_a_while() {
    let node = node(6);
    let options = ActionServerOptions::default().result_timeout(Duration::from_millis(1));
    let (_server, client) = server_and_client(&node, options, CancelResponse::Accept, |handle| {
        handle.succeed(outcome(&[1])).unwrap();
    });
    let goal = client.send_goal(&Goal { order: 1 }, SOON).unwrap();
    eventually("the result is forgotten", || {
        matches!(goal.result(SOON), Err(Error::UnknownGoal { .. }))
    });
}

#[test]
fn a_server_that_goes_cancels_its_goals() {
    let node = node(7);
    let (server, client, handles) = handed(&node, CancelResponse::Accept);
    let goal = client.send_goal(&Goal { order: 1 }, SOON).unwrap();
    let handle = handles.recv_timeout(SOON).unwrap();
    let waiting = goal.result_async();
    // Requests for results are taken one after the other: when this one is answered, the server has the other.
    let qos = QosProfile::services_default();
    let asker = node.create_client::<GetResult<Fibonacci>>("fibonacci/_action/get_result", qos);
    let uuid = [1; 16];
    let unknown = GetResultRequest {
        goal_id: Uuid { uuid },
    };
    assert_eq!(asker.unwrap().call(&unknown, SOON).unwrap().status, 0);
    drop(server);
    assert!(handle.is_canceling());
    handle.canceled(outcome(&[4])).unwrap();
    // Asked for before the server went, so it is answered.
    let ended = block_on(waiting).unwrap();
    assert_eq!(
        (ended.status, ended.result),
        (GoalStatus::Canceled, outcome(&[4]))
    );
    assert!(!client.server_is_ready());
}

/// A client that is not ours sees the three services and two topics of `rcl_action`.
#[test]
fn an_action_is_three_services_and_two_topics() {
    let node = node(8);
    let hash = |of: rosidl_buffer_runtime::TypeHash| of.to_string();
    let (_server, _client, handles) = handed(&node, CancelResponse::Accept);
    let services = QosProfile::services_default();
    let send = node.create_client::<SendGoal<Fibonacci>>("/fibonacci/_action/send_goal", services);
    let get = node.create_client::<GetResult<Fibonacci>>("/fibonacci/_action/get_result", services);
    let cancel = node.create_client::<CancelGoal>("/fibonacci/_action/cancel_goal", services);
    let (send, get, cancel) = (send.unwrap(), get.unwrap(), cancel.unwrap());
    assert!(
        send.wait_for_service(SOON) && get.wait_for_service(SOON) && cancel.wait_for_service(SOON)
    );
    let context = node.context();
    let states = watch(
        context.zenoh_session(),
        &format!(
            "{}/fibonacci/_action/status/action_msgs::msg::dds_::GoalStatusArray_/{}",
            context.domain_id(),
            hash(GoalStatusArray::type_hash()),
        ),
    );
    let state = || {
        let sample = states.recv_timeout(SOON).unwrap();
        let array: GoalStatusArray = cdr::decode(&sample.payload().to_bytes()).unwrap();
        array
            .status_list
            .iter()
            .map(|goal| goal.status)
            .collect::<Vec<_>>()
    };
    let uuid = [9; 16];
    let request = SendGoalRequest {
        goal_id: Uuid { uuid },
        goal: Goal { order: 5 },
    };
    assert!(send.call(&request, SOON).unwrap().accepted);
    assert_eq!(state(), [2]);
    // The same id again.
    assert!(!send.call(&request, SOON).unwrap().accepted);
    let of = |uuid| GetResultRequest::<Fibonacci> {
        goal_id: Uuid { uuid },
    };
    let unknown = get.call(&of([1; 16]), SOON).unwrap();
    assert_eq!((unknown.status, unknown.result), (0, outcome(&[])));
    let result = get.call_async(&of(uuid));
    let request = |uuid| CancelGoal_Request {
        goal_info: GoalInfo {
            goal_id: UUID { uuid },
            ..GoalInfo::default()
        },
    };
    let response = cancel.call(&request([1; 16]), SOON).unwrap();
    assert_eq!(
        response.return_code,
        CancelGoal_Response::ERROR_UNKNOWN_GOAL_ID
    );
    let response = cancel.call(&request(uuid), SOON).unwrap();
    assert_eq!(response.return_code, CancelGoal_Response::ERROR_NONE);
    assert_eq!(response.goals_canceling[0].goal_id.uuid, uuid);
    assert_eq!(state(), [3]);
    let handle = handles.recv_timeout(SOON).unwrap();
    handle.canceled(outcome(&[5])).unwrap();
    assert_eq!(state(), [5]);
    let result = result.wait().unwrap();
    assert_eq!((result.status, result.result), (5, outcome(&[5])));
    let response = cancel.call(&request(uuid), SOON).unwrap();
    assert_eq!(
        response.return_code,
        CancelGoal_Response::ERROR_GOAL_TERMINATED
    );
    // Late joiners are told the newest state.
    let late = node.create_subscription::<GoalStatusArray>(
        "/fibonacci/_action/status",
        services.keep_last(1).transient_local(),
    );
    let array = late.unwrap().recv_timeout(SOON).unwrap().unwrap().message;
    assert_eq!(
        (array.status_list.len(), array.status_list[0].status),
        (1, 5)
    );
    assert_eq!(array.status_list[0].goal_info.goal_id.uuid, uuid);

    let types = node.create_client::<GetTypeDescription>("~/get_type_description", services);
    let types = types.unwrap();
    assert!(types.wait_for_service(SOON));
    let described = types.call(
        &GetTypeDescription_Request {
            type_name: Fibonacci::TYPE_NAME.to_owned(),
            type_hash: hash(Fibonacci::type_hash()),
            include_type_sources: false,
        },
        SOON,
    );
    assert!(described.unwrap().successful);
}
