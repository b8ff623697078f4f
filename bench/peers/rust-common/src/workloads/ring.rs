//! A message that goes round a ring of tasks over bounded channels.

use crate::runtime::{Receiver, Runtime, Sender};
use crate::workload::{expect, Entry, Outcome};
use std::sync::mpsc;

const TASKS: usize = 300;
const ROUNDS: u64 = 100;
const HOPS: u64 = TASKS as u64 * ROUNDS;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![Entry::new("channel_ring", HOPS, |_| channel_ring)
        .described("a message goes round a ring of 300 tasks 100 times", "the message was counted at each hop")
        .wide()]
}

/// Passes the message on so many times; `last` gets it the last time, where there is one.
async fn pass(mut receiver: impl Receiver<u64>, next: impl Sender<u64>, last: Option<mpsc::SyncSender<u64>>) {
    for round in 1..=ROUNDS {
        let message = receiver.recv().await + 1;
        match &last {
            Some(last) if round == ROUNDS => last.send(message).unwrap(),
            _ => next.send(message).await,
        }
    }
}

fn channel_ring<R: Runtime>(runtime: &R) -> Outcome {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..TASKS).map(|_| R::channel(1)).unzip();
    let (done, waits) = mpsc::sync_channel(1);
    for (i, receiver) in receivers.into_iter().enumerate() {
        let next = senders[(i + 1) % TASKS].clone();
        let last = (i == TASKS - 1).then(|| done.clone());
        R::detach(runtime.spawn_outside(pass(receiver, next, last)));
    }
    runtime.block_on(senders[0].send(0));
    expect("the message", waits.recv().unwrap(), HOPS)
}
