//! Tasks that block at spots picked at random, and wake whoever blocks there.

use super::{expect_no_post_left, sum_of, Line};
use crate::random::Random;
use crate::runtime::{Runtime, Semaphore};
use crate::workload::{expect, Entry, Outcome};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

pub const LOT: u64 = 5;
pub const LOTS_PER_WORKER: u64 = 1_000;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |name, tasks_per_worker: usize| {
        Entry::new(name, LOTS_PER_WORKER * LOT, move |setup| {
            churn(tasks_per_worker * setup.workers, LOTS_PER_WORKER * setup.workers as u64, setup.seed)
        })
        .described(
            format!("{tasks_per_worker} tasks for each worker block at random spots and wake whoever blocks there"),
            "each turn; all tasks ended; no post is left over",
        )
        .per_worker()
    };
    vec![entry("churn_many", 100), entry("churn_few", 4).wide()]
}

struct Shared<R: Runtime> {
    spots: Vec<Line<R::Semaphore>>,
    lots: u64,
    drawn: Line<AtomicU64>,
}

/// The turns.
async fn task<R: Runtime>(shared: Arc<Shared<R>>, i: usize, mut random: Random) -> u64 {
    if i < shared.spots.len() {
        shared.spots[i].0.wait().await;
    }
    let mut turns = 0;
    loop {
        let lot = shared.drawn.0.fetch_add(1, Relaxed);
        if lot == shared.lots {
            shared.spots.iter().for_each(|spot| spot.0.post());
        }
        if lot >= shared.lots {
            return turns;
        }
        for _ in 0..LOT {
            let spot = &shared.spots[random.pick(shared.spots.len())].0;
            spot.post();
            spot.wait().await;
            turns += 1;
        }
    }
}

fn churn<R: Runtime>(tasks: usize, lots: u64, seed: u64) -> impl FnMut(&R) -> Outcome {
    move |runtime| {
        let spots = (0..tasks / 2).map(|_| Line(R::Semaphore::new(0))).collect();
        let shared = Arc::new(Shared::<R> { spots, lots, drawn: Line(AtomicU64::new(0)) });
        let spawn = |i| runtime.spawn_outside(task(shared.clone(), i, Random::new(seed, i as u64)));
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        expect("turns", runtime.block_on(sum_of::<R>(handles)), lots * LOT)?;
        expect_no_post_left(shared.spots.iter().map(|spot| &spot.0))
    }
}
