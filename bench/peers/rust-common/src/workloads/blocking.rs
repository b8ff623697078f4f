//! Jobs for the pool of threads that may block.

use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

const ROUNDS: u64 = 100;
const JOBS: u64 = 16;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |tasks: u64| {
        Entry::new(format!("spawn_blocking_{tasks}"), tasks * ROUNDS * JOBS, move |_| spawn_blocking(tasks))
            .described(
                format!("{tasks} tasks that each await 16 no-op jobs of the blocking pool 100 times"),
                "each job ran",
            )
            .wide()
    };
    [1, 16, 64].into_iter().map(entry).collect()
}

async fn submit<R: Runtime>(ran: Arc<AtomicU64>) {
    for _ in 0..ROUNDS {
        let job = |_| {
            let ran = ran.clone();
            R::spawn_blocking(move || ran.fetch_add(1, Relaxed))
        };
        let jobs: Vec<_> = (0..JOBS).map(job).collect();
        for job in jobs {
            job.await;
        }
    }
}

fn spawn_blocking<R: Runtime>(tasks: u64) -> impl FnMut(&R) -> Outcome {
    move |runtime| {
        let ran = Arc::new(AtomicU64::new(0));
        let handles: Vec<_> = (0..tasks).map(|_| runtime.spawn_outside(submit::<R>(ran.clone()))).collect();
        runtime.block_on(async {
            for handle in handles {
                handle.await;
            }
        });
        expect("jobs that ran", ran.load(Relaxed), tasks * ROUNDS * JOBS)
    }
}
