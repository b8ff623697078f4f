//! A chain: each task spawns the next and ends.

use super::{expect, Entry, Workload};
use std::sync::mpsc;
use tokio::runtime::Runtime;

const DEPTH: usize = 1_000;

pub const ENTRY: Entry = Entry {
    name: "chained_spawn",
    summary: "a chain of 1,000 tasks, each spawned by the one before",
    check: "the chain had its whole length",
    ops: DEPTH as u64,
    setup: |_, _| {
        let (done, waits) = mpsc::sync_channel(1000);
        Ok(Box::new(Chain { done, waits }))
    },
};

struct Chain {
    done: mpsc::SyncSender<usize>,
    waits: mpsc::Receiver<usize>,
}

fn link(done: mpsc::SyncSender<usize>, before: usize) {
    if before == DEPTH {
        done.send(before).unwrap();
    } else {
        tokio::spawn(async move { link(done, before + 1) });
    }
}

impl Workload for Chain {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        let done = self.done.clone();
        let length = runtime.block_on(async {
            tokio::spawn(async move { link(done, 0) });
            self.waits.recv().unwrap()
        });
        expect("links", length as u64, DEPTH as u64)
    }
}
