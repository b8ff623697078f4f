//! Skynet (https://github.com/atemerev/skynet): a tree of tasks, ten children each, whose leaves are summed.

use super::{expect, Entry, Workload};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const LEAVES: u64 = 1_000_000;
const CHILDREN: u64 = 10;
const SUM: u64 = 499_999_500_000;

pub const ENTRY: Entry = Entry {
    name: "skynet",
    summary: "a tree of tasks with ten children each and 1,000,000 leaves, whose numbers are summed up",
    check: "the sum is 499999500000",
    ops: 1_111_111,
    setup: |_, _| Ok(Box::new(Skynet)),
};

struct Skynet;

fn node(first: u64, leaves: u64) -> JoinHandle<u64> {
    tokio::spawn(async move {
        if leaves == 1 {
            return first;
        }
        let below = leaves / CHILDREN;
        let children: [_; CHILDREN as usize] = std::array::from_fn(|i| node(first + i as u64 * below, below));
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

impl Workload for Skynet {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        let sum = runtime.block_on(async { node(0, LEAVES).await.unwrap() });
        expect("sum", sum, SUM)
    }
}
