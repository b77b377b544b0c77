//! The test binary started again, as another process that plays a role.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

const ROLE: &str = "ROSIDL_BUFFER_ZENOH_TEST";

/// Whether this is the other process, and not a run of all tests, ignored ones included.
pub(crate) fn is_other_process() -> bool {
    std::env::var_os(ROLE).is_some()
}

pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// How the ignored test `role` of this binary is started.
    pub(crate) fn command(role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([role, "--exact", "--ignored", "--nocapture"]);
        command.env(ROLE, "1");
        command
    }

    /// Starts the ignored test `role` of this binary in `domain`.
    pub(crate) fn start(role: &str, domain: u32, variables: &[(&str, &str)]) -> Self {
        let mut command = Self::command(role);
        command.env("ROS_DOMAIN_ID", domain.to_string());
        command
            .env_remove("ZENOH_SESSION_CONFIG_URI")
            .env_remove("ZENOH_CONFIG_OVERRIDE");
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Waits until it has printed `line`.
    pub(crate) fn wait_for(&mut self, line: &str) {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        let said: Vec<String> = lines
            .map_while(|said| said.ok().filter(|said| said != line))
            .collect();
        assert!(
            self.0.try_wait().unwrap().is_none(),
            "it ended and said {said:?}"
        );
    }

    pub(crate) fn finish(mut self) {
        let status = self.0.wait().unwrap();
        assert!(status.success(), "the other process failed: {status}");
    }
}

impl Drop for Process {
    /// SIGKILL: nothing is said before the end.
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
