//! All tasks must see each new leader, and it must see that they have.

use super::{sum_of, Line};
use crate::random::Random;
use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::Arc;

const TASKS_PER_WORKER: usize = 100;
const REIGNS: u64 = 20;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![Entry::new("transfer", TASKS_PER_WORKER as u64 * REIGNS, |setup| {
        transfer(TASKS_PER_WORKER * setup.workers, setup.seed)
    })
    .described(
        "100 tasks for each worker yield until a new leader is named and acknowledge it, 20 times",
        "each acknowledgement",
    )
    .per_worker()]
}

struct Shared {
    /// The number of the reign, from 1, and below it 32 bits of the leader's.
    reign: AtomicU64,
    acknowledged: Vec<Line<AtomicU64>>,
    /// The generator's state; the leader's alone, handed on with the reign.
    random: AtomicU64,
}

/// Waits until all have acknowledged, and names the next.
async fn lead<R: Runtime>(shared: &Shared, reign: u64) {
    for other in &shared.acknowledged {
        while other.0.load(Acquire) < reign {
            R::yield_now().await;
        }
    }
    let mut random = Random::resume(shared.random.load(Relaxed));
    let leader = random.pick(shared.acknowledged.len());
    shared.random.store(random.state(), Relaxed);
    shared.reign.store((reign + 1) << 32 | leader as u64, Release);
}

/// The acknowledgements.
async fn task<R: Runtime>(shared: Arc<Shared>, i: usize) -> u64 {
    let mut acknowledged = 0;
    loop {
        let word = shared.reign.load(Acquire);
        let (reign, leader) = (word >> 32, word as u32 as usize);
        if reign > REIGNS {
            return acknowledged;
        }
        if shared.acknowledged[i].0.load(Relaxed) < reign {
            shared.acknowledged[i].0.store(reign, Release);
            acknowledged += 1;
            if leader == i {
                lead::<R>(&shared, reign).await;
            }
        }
        R::yield_now().await;
    }
}

fn transfer<R: Runtime>(tasks: usize, seed: u64) -> impl FnMut(&R) -> Outcome {
    let mut random = Random::new(seed, 0);
    move |runtime| {
        let first = random.pick(tasks);
        let shared = Arc::new(Shared {
            reign: AtomicU64::new(1 << 32 | first as u64),
            acknowledged: (0..tasks).map(|_| Line(AtomicU64::new(0))).collect(),
            random: AtomicU64::new(random.state()),
        });
        let handles: Vec<_> = (0..tasks).map(|i| runtime.spawn_outside(task::<R>(shared.clone(), i))).collect();
        let acknowledged = runtime.block_on(sum_of::<R>(handles));
        random = Random::resume(shared.random.load(Relaxed));
        expect("acknowledgements", acknowledged, tasks as u64 * REIGNS)
    }
}
