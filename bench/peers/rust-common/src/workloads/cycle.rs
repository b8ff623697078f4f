//! Rings of tasks that wake each other, one after the other.

use super::{expect_no_post_left, sum_of, Line};
use crate::runtime::{Runtime, Semaphore};
use crate::workload::{expect, Entry, Outcome};
use std::sync::Arc;

const RING: usize = 5;
const WAITS_PER_WORKER: u64 = 10_000;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |name, rings_per_worker: usize| {
        let turns = WAITS_PER_WORKER / (RING * rings_per_worker) as u64;
        Entry::new(name, WAITS_PER_WORKER, move |setup| cycle(rings_per_worker * setup.workers, turns))
            .described(
                format!("{rings_per_worker} rings of 5 tasks for each worker; a token goes round each {turns} times"),
                "each wait; no post is left over",
            )
            .per_worker()
    };
    vec![entry("cycle_many", 100), entry("cycle_few", 1).wide()]
}

/// The waits.
async fn member<R: Runtime>(
    own: Arc<Line<R::Semaphore>>,
    next: Arc<Line<R::Semaphore>>,
    turns: u64,
    is_last: bool,
) -> u64 {
    let mut waits = 0;
    for turn in 1..=turns {
        own.0.wait().await;
        waits += 1;
        if !(is_last && turn == turns) {
            next.0.post();
        }
    }
    waits
}

fn cycle<R: Runtime>(rings: usize, turns: u64) -> impl FnMut(&R) -> Outcome {
    move |runtime| {
        let semaphore = |_| Arc::new(Line(R::Semaphore::new(0)));
        let rings: Vec<[_; RING]> = (0..rings).map(|_| std::array::from_fn(semaphore)).collect();
        let mut tasks = Vec::with_capacity(rings.len() * RING);
        for ring in &rings {
            for i in 0..RING {
                let (own, next) = (ring[i].clone(), ring[(i + 1) % RING].clone());
                tasks.push(runtime.spawn_outside(member::<R>(own, next, turns, i == RING - 1)));
            }
        }
        rings.iter().for_each(|ring| ring[0].0.post());
        expect("waits", runtime.block_on(sum_of::<R>(tasks)), (rings.len() * RING) as u64 * turns)?;
        expect_no_post_left(rings.iter().flatten().map(|semaphore| &semaphore.0))
    }
}
