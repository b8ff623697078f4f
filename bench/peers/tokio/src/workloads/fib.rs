//! The naive Fibonacci recursion, a task for each call, no cut-off.

use super::{expect, Entry, Workload};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const N: u64 = 25;
const RESULT: u64 = 75_025;

pub const ENTRY: Entry = Entry {
    name: "fib",
    summary: "fib(25) by naive recursion, a task for each call, no cut-off",
    check: "fib(25) is 75025",
    // Calls of the recursion: 2 fib(n + 1) - 1.
    ops: 242_785,
    setup: |_, _| Ok(Box::new(Fib)),
};

struct Fib;

fn fib(n: u64) -> JoinHandle<u64> {
    tokio::spawn(async move {
        if n < 2 {
            return n;
        }
        let (a, b) = (fib(n - 1), fib(n - 2));
        a.await.unwrap() + b.await.unwrap()
    })
}

impl Workload for Fib {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        let result = runtime.block_on(async { fib(N).await.unwrap() });
        expect("fib(25)", result, RESULT)
    }
}
