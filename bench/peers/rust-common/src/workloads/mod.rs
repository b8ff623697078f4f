//! The table of workloads, in the order of bench/WORKLOADS.md; a module for each group of related ones.

mod blocking;
mod bpc;
mod chains;
mod churn;
mod cycle;
mod echo;
mod locality;
mod loopback;
mod mixed;
mod ping_pong;
mod remote_spawn;
mod ring;
mod spawn_many;
mod sync;
mod transfer;
mod trees;
mod uts;
mod wakeup;
mod yields;

use crate::runtime::{Runtime, Semaphore};
use crate::workload::{expect, Entry, Outcome};
use std::time::{Duration, Instant};

pub fn table<R: Runtime>() -> Vec<Entry<R>> {
    let groups = [
        spawn_many::entries(),
        remote_spawn::entries(),
        yields::entries(),
        ping_pong::entries(),
        chains::entries(),
        blocking::entries(),
        ring::entries(),
        sync::entries(),
        wakeup::entries(),
        cycle::entries(),
        churn::entries(),
        locality::entries(),
        transfer::entries(),
        mixed::entries(),
        trees::entries(),
        uts::entries(),
        bpc::entries(),
        echo::entries(),
    ];
    groups.into_iter().flatten().collect()
}

/// On a cache line of its own, or several.
#[repr(align(64))]
struct Line<T>(T);

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

/// When the tasks have ended: every post was waited for.
fn expect_no_post_left<'a, S: Semaphore>(semaphores: impl IntoIterator<Item = &'a S>) -> Outcome {
    let left: usize = semaphores.into_iter().map(S::available).sum();
    expect("posts left over", left as u64, 0)
}

/// Awaits tasks in order and sums what they return.
async fn sum_of<R: Runtime>(tasks: impl IntoIterator<Item = R::Task<u64>>) -> u64 {
    let mut sum = 0;
    for task in tasks {
        sum += task.await;
    }
    sum
}
