//! 200 tasks that yield 1,000 times each.

use super::{expect, Entry, Workload};
use std::sync::mpsc;
use tokio::runtime::Runtime;

const TASKS: usize = 200;
const YIELDS: usize = 1_000;

pub const ENTRY: Entry = Entry {
    name: "yield_many",
    summary: "200 tasks that yield 1,000 times each",
    check: "each task came to its end",
    ops: (TASKS * YIELDS) as u64,
    setup: |_, _| {
        let (done, waits) = mpsc::sync_channel(TASKS);
        Ok(Box::new(YieldMany { done, waits }))
    },
};

struct YieldMany {
    done: mpsc::SyncSender<usize>,
    waits: mpsc::Receiver<usize>,
}

impl Workload for YieldMany {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        for _ in 0..TASKS {
            let done = self.done.clone();
            runtime.spawn(async move {
                let mut yields = 0;
                for _ in 0..YIELDS {
                    tokio::task::yield_now().await;
                    yields += 1;
                }
                done.send(yields).unwrap();
            });
        }
        let mut sum = 0;
        for _ in 0..TASKS {
            sum += self.waits.recv().unwrap();
        }
        expect("yields", sum as u64, ENTRY.ops)
    }
}
