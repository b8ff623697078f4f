//! churn with data: each task works on a block, which with *share* goes to whoever it wakes.

use super::churn::{LOT, LOTS_PER_WORKER};
use super::sum_of;
use crate::random::Random;
use crate::runtime::{Runtime, Semaphore};
use crate::workload::{expect, Entry, Outcome, Setup};
use std::cell::UnsafeCell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::Arc;

const TASKS_PER_WORKER: usize = 100;
const WORDS: usize = 512;
const NOBODY: u64 = u64::MAX;
const CLOSED: u64 = u64::MAX - 1;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |name, share: bool| {
        let block = if share { "swap them with whoever they wake" } else { "keep them" };
        Entry::new(name, LOTS_PER_WORKER * LOT, move |setup| locality(setup, share))
            .described(
                format!("100 tasks for each worker work on blocks of 4 KiB, wake each other at random and {block}"),
                "each turn; the words of all blocks grew by 512 for each",
            )
            .wide()
            .per_worker()
    };
    vec![entry("locality_share", true), entry("locality_noshare", false)]
}

/// One task's at a time.
#[repr(align(4096))]
struct Block(UnsafeCell<[u64; WORDS]>);

// SAFETY: only the task that has a block touches it, and it is handed over by a seat or a semaphore, which order that;
// the main thread does so when all tasks have ended.
unsafe impl Sync for Block {}

impl Block {
    /// # Safety
    /// The caller must have the block.
    unsafe fn work(&self) {
        (*self.0.get()).iter_mut().for_each(|word| *word = word.wrapping_add(1));
    }
}

/// Who sits in a seat, and the block that is his as long as he does: that of whoever sat down first stays with it.
fn seated(task: usize, block: usize) -> u64 {
    (block as u64) << 32 | task as u64
}

fn split(seat: u64) -> (usize, usize) {
    (seat as u32 as usize, (seat >> 32) as usize)
}

struct Sleeper<R: Runtime> {
    semaphore: R::Semaphore,
    /// The block that it was left by whoever posts.
    left: AtomicU64,
}

struct Shared<R: Runtime> {
    share: bool,
    blocks: Arc<Vec<Block>>,
    seats: Vec<AtomicU64>,
    sleepers: Vec<Sleeper<R>>,
    lots: u64,
    drawn: AtomicU64,
}

impl<R: Runtime> Shared<R> {
    /// Sits down and waits. Takes and returns the task's block.
    async fn sit(&self, task: usize, mut block: usize, seat: usize) -> usize {
        let seat = &self.seats[seat];
        let mut seen = seat.load(Acquire);
        loop {
            if seen == CLOSED {
                return block;
            }
            let stays = if self.share && seen != NOBODY { split(seen).1 } else { block };
            match seat.compare_exchange(seen, seated(task, stays), AcqRel, Acquire) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        if seen != NOBODY {
            self.wake(split(seen).0, block);
        }
        let own = &self.sleepers[task];
        own.semaphore.wait().await;
        if self.share {
            block = own.left.load(Relaxed) as usize;
        }
        block
    }

    fn wake(&self, task: usize, block: usize) {
        self.sleepers[task].left.store(block as u64, Relaxed); // post and wait order it
        self.sleepers[task].semaphore.post();
    }

    fn close(&self) {
        for seat in &self.seats {
            let seen = seat.swap(CLOSED, AcqRel);
            if seen != NOBODY {
                let (task, block) = split(seen);
                self.wake(task, block);
            }
        }
    }
}

/// The turns.
async fn task<R: Runtime>(shared: Arc<Shared<R>>, i: usize, mut random: Random) -> u64 {
    let mut block = i;
    if i < shared.seats.len() {
        block = shared.sit(i, block, i).await;
    }
    let mut turns = 0;
    loop {
        let lot = shared.drawn.fetch_add(1, Relaxed);
        if lot == shared.lots {
            shared.close();
        }
        if lot >= shared.lots {
            return turns;
        }
        for _ in 0..LOT {
            // SAFETY: it has the block.
            unsafe { shared.blocks[block].work() };
            block = shared.sit(i, block, random.pick(shared.seats.len())).await;
            turns += 1;
        }
    }
}

fn sum_of_words(blocks: &[Block]) -> u64 {
    // SAFETY: no task runs.
    let words = blocks.iter().flat_map(|block| unsafe { *block.0.get() });
    words.fold(0, u64::wrapping_add)
}

fn locality<R: Runtime>(setup: &Setup<R>, share: bool) -> impl FnMut(&R) -> Outcome {
    let (workers, seed) = (setup.workers, setup.seed);
    let tasks = TASKS_PER_WORKER * workers;
    let blocks: Vec<_> = (0..tasks).map(|_| Block(UnsafeCell::new([0; WORDS]))).collect();
    let blocks = Arc::new(blocks);
    move |runtime| {
        let before = sum_of_words(&blocks);
        let sleeper = |_| Sleeper { semaphore: R::Semaphore::new(0), left: AtomicU64::new(0) };
        let shared = Arc::new(Shared::<R> {
            share,
            blocks: blocks.clone(),
            seats: (0..tasks / 2).map(|_| AtomicU64::new(NOBODY)).collect(),
            sleepers: (0..tasks).map(sleeper).collect(),
            lots: LOTS_PER_WORKER * workers as u64,
            drawn: AtomicU64::new(0),
        });
        let spawn = |i| runtime.spawn_outside(task(shared.clone(), i, Random::new(seed, i as u64)));
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        let turns = runtime.block_on(sum_of::<R>(handles));
        expect("turns", turns, shared.lots * LOT)?;
        expect("growth of the words", sum_of_words(&blocks).wrapping_sub(before), turns * WORDS as u64)
    }
}
