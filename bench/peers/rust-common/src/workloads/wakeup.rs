//! Two tasks that take turns at work and at waking the other: does the woken one run in parallel?

use super::spin;
use crate::process::nanosleep;
use crate::runtime::{Receiver, Runtime, Sender};
use crate::workload::{expect, Entry, Outcome};
use std::time::Duration;

const ROUNDS: u64 = 100;
const DELAYS_US: [u64; 8] = [0, 1, 2, 5, 10, 20, 50, 100];
/// The sender takes so much longer, so that the receiver waits.
const MORE: Duration = Duration::from_micros(5);

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |kind: &str, us: u64, delay: fn(Duration), how: &str| {
        Entry::new(format!("wakeup_parallel_{kind}_{us}us"), ROUNDS, move |_| wakeup(Duration::from_micros(us), delay))
            .described(
                format!("two tasks wake each other 100 times, and {how} {us} us between"),
                "the message was counted by each, each time",
            )
            .wide_unless(kind == "spinning" && us == 10)
    };
    let spinning = DELAYS_US.map(|us| entry("spinning", us, spin, "spin"));
    let syscall = DELAYS_US.map(|us| entry("syscall", us, nanosleep, "sleep in a system call for"));
    spinning.into_iter().chain(syscall).collect()
}

struct End<S, C> {
    sender: S,
    receiver: C,
    delay: Duration,
    pass_time: fn(Duration),
    message: u64,
}

impl<S: Sender<u64>, C: Receiver<u64>> End<S, C> {
    async fn send(&mut self) {
        (self.pass_time)(self.delay + MORE);
        self.sender.send(self.message + 1).await;
    }

    async fn receive(&mut self) {
        (self.pass_time)(self.delay);
        self.message = self.receiver.recv().await;
    }

    /// The message that came last.
    async fn run(mut self, sends_first: bool) -> u64 {
        for _ in 0..ROUNDS {
            if sends_first {
                self.send().await;
                self.receive().await;
            } else {
                self.receive().await;
                self.send().await;
            }
        }
        self.message
    }
}

fn wakeup<R: Runtime>(delay: Duration, pass_time: fn(Duration)) -> impl FnMut(&R) -> Outcome {
    move |runtime| {
        let (there, far) = R::channel(1);
        let (back, near) = R::channel(1);
        let first = End { sender: there, receiver: near, delay, pass_time, message: 0 };
        let second = End { sender: back, receiver: far, delay, pass_time, message: 0 };
        let first = runtime.spawn_outside(first.run(true));
        let second = runtime.spawn_outside(second.run(false));
        let message = runtime.block_on(async {
            second.await;
            first.await
        });
        expect("the message", message, 2 * ROUNDS)
    }
}
