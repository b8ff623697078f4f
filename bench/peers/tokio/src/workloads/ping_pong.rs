//! 1,000 tasks that each exchange two messages with a child over oneshot channels.

use super::{expect, Entry, Workload};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{mpsc, Arc};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

const PINGS: usize = 1_000;

pub const ENTRY: Entry = Entry {
    name: "ping_pong",
    summary: "1,000 tasks, each with a child and two oneshot channels: a message there and one back",
    check: "each message arrived",
    ops: PINGS as u64,
    setup: |_, _| {
        let (done, waits) = mpsc::sync_channel(1000);
        Ok(Box::new(PingPong { left: Arc::new(AtomicUsize::new(0)), done, waits }))
    },
};

struct PingPong {
    left: Arc<AtomicUsize>,
    done: mpsc::SyncSender<()>,
    waits: mpsc::Receiver<()>,
}

async fn ping(left: Arc<AtomicUsize>, done: mpsc::SyncSender<()>) {
    let (there_tx, there_rx) = oneshot::channel();
    let (back_tx, back_rx) = oneshot::channel();
    tokio::spawn(async move {
        there_rx.await.unwrap();
        back_tx.send(()).unwrap();
    });
    there_tx.send(()).unwrap();
    back_rx.await.unwrap();
    if left.fetch_sub(1, Relaxed) == 1 {
        done.send(()).unwrap();
    }
}

impl Workload for PingPong {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        self.left.store(PINGS, Relaxed);
        let (left, done) = (self.left.clone(), self.done.clone());
        runtime.block_on(async {
            tokio::spawn(async move {
                for _ in 0..PINGS {
                    tokio::spawn(ping(left.clone(), done.clone()));
                }
            });
            self.waits.recv().unwrap();
        });
        // Nobody gets here unless both messages arrived; a task that ran twice would have made it wrap.
        expect("pings left", self.left.load(Relaxed) as u64, 0)
    }
}
