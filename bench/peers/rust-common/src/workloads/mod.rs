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
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
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

/// Tasks that are to end, the last of which tells the main thread. It lives as long as the process, so that tasks pay no
/// reference count for it; neither do ours.
struct Countdown {
    left: AtomicU64,
    done: mpsc::SyncSender<()>,
}

impl Countdown {
    fn new() -> (&'static Countdown, mpsc::Receiver<()>) {
        let (done, waits) = mpsc::sync_channel(1);
        (Box::leak(Box::new(Countdown { left: AtomicU64::new(0), done })), waits)
    }

    fn start(&self, tasks: u64) {
        self.left.store(tasks, Relaxed);
    }

    fn count(&self) {
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.done.send(()).unwrap();
        }
    }

    /// A task that ran twice would have made it wrap.
    fn expect_none_left(&self) -> Outcome {
        expect("tasks left", self.left.load(Relaxed), 0)
    }
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
