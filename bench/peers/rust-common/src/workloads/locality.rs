//! churn with data: each task works on a block, which with *share* it hands to whoever it wakes.

use super::churn::{LOT, LOTS_PER_WORKER};
use super::{expect_no_post_left, sum_of, Line};
use crate::random::Random;
use crate::runtime::{Runtime, Semaphore};
use crate::workload::{expect, Entry, Outcome, Setup};
use std::cell::UnsafeCell;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::Arc;

const TASKS_PER_WORKER: usize = 100;
const WORDS: usize = 512;
const CLOSED: usize = usize::MAX;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |name, share: bool| {
        let block = if share { "hands it to the one it wakes" } else { "keeps it" };
        Entry::new(name, LOTS_PER_WORKER * LOT, move |setup| locality(setup, share))
            .described(
                format!("as churn_many, but a task works on a block of 4 KiB first, and {block}"),
                "all turns were taken, and each added 1 to each word of a block; no post is left over",
            )
            .wide()
            .per_worker()
    };
    vec![entry("locality_share", true), entry("locality_noshare", false)]
}

#[repr(align(64))]
struct Block(UnsafeCell<[u64; WORDS]>);

// SAFETY: only the one task that has a block touches it; it is handed over by a semaphore, which orders that, and the
// main thread looks when all tasks have ended.
unsafe impl Sync for Block {}

impl Block {
    /// # Safety
    /// Nobody else may have the block.
    unsafe fn work(&self) {
        unsafe { &mut *self.0.get() }.iter_mut().for_each(|word| *word += 1);
    }

    /// # Safety
    /// As above.
    unsafe fn sum(&self) -> u64 {
        unsafe { &*self.0.get() }.iter().sum()
    }
}

struct Place<R: Runtime> {
    semaphore: R::Semaphore,
    /// The number of the block that the task here has; written by whoever wakes it.
    block: AtomicUsize,
}

struct Shared<R: Runtime> {
    share: bool,
    blocks: Arc<Vec<Block>>,
    /// The number of the task in it, or CLOSED. Who takes a sitter out alone may wake it; hence acquire and release.
    seats: Vec<Line<AtomicUsize>>,
    places: Vec<Line<Place<R>>>,
    lots: u64,
    drawn: Line<AtomicUsize>,
}

impl<R: Runtime> Shared<R> {
    async fn sit_down(&self, task: usize, seat: usize) {
        let block = self.places[task].0.block.load(Relaxed); // once seated, another may give us one
        let replace = |sitter| (sitter != CLOSED).then_some(task);
        if let Ok(sitter) = self.seats[seat].0.fetch_update(AcqRel, Relaxed, replace) {
            self.wake(sitter, block);
            self.places[task].0.semaphore.wait().await;
        }
    }

    fn wake(&self, sitter: usize, block: usize) {
        let place = &self.places[sitter].0;
        if self.share {
            place.block.store(block, Relaxed); // the semaphore orders it
        }
        place.semaphore.post();
    }

    fn close(&self) {
        for (i, seat) in self.seats.iter().enumerate() {
            self.wake(seat.0.swap(CLOSED, AcqRel), i);
        }
    }

    fn work(&self, task: usize) {
        let block = self.places[task].0.block.load(Relaxed);
        // SAFETY: it has that block.
        unsafe { self.blocks[block].work() };
    }
}

/// The turns.
async fn visit<R: Runtime>(shared: Arc<Shared<R>>, i: usize, mut random: Random) -> u64 {
    if i < shared.seats.len() {
        shared.places[i].0.semaphore.wait().await;
    }
    let mut turns = 0;
    loop {
        let lot = shared.drawn.0.fetch_add(1, Relaxed) as u64;
        if lot == shared.lots {
            shared.close();
        }
        if lot >= shared.lots {
            return turns;
        }
        for _ in 0..LOT {
            shared.work(i);
            turns += 1;
            shared.sit_down(i, random.pick(shared.seats.len())).await;
        }
    }
}

/// What the blocks have grown to since setup.
fn sum_of_words(blocks: &[Block]) -> u64 {
    // SAFETY: no task runs.
    blocks.iter().map(|block| unsafe { block.sum() }).sum()
}

/// The first half of the tasks sit already when the others come.
fn seated<R: Runtime>(share: bool, blocks: Arc<Vec<Block>>, lots: u64) -> Arc<Shared<R>> {
    let tasks = blocks.len();
    let place = |i| Line(Place { semaphore: R::Semaphore::new(0), block: AtomicUsize::new(i) });
    Arc::new(Shared {
        share,
        blocks,
        seats: (0..tasks / 2).map(|i| Line(AtomicUsize::new(i))).collect(),
        places: (0..tasks).map(place).collect(),
        lots,
        drawn: Line(AtomicUsize::new(0)),
    })
}

fn locality<R: Runtime>(setup: &Setup<R>, share: bool) -> impl FnMut(&R) -> Outcome {
    let (seed, tasks) = (setup.seed, TASKS_PER_WORKER * setup.workers);
    let lots = LOTS_PER_WORKER * setup.workers as u64;
    let blocks: Arc<Vec<_>> = Arc::new((0..tasks).map(|_| Block(UnsafeCell::new([0; WORDS]))).collect());
    let mut all_turns = 0;
    move |runtime| {
        let shared = seated::<R>(share, blocks.clone(), lots);
        let spawn = |i| runtime.spawn_outside(visit(shared.clone(), i, Random::new(seed, i as u64)));
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        let turns = runtime.block_on(sum_of::<R>(handles));
        all_turns += turns;
        expect("turns", turns, lots * LOT)?;
        expect_no_post_left(shared.places.iter().map(|place| &place.0.semaphore))?;
        expect("sum of the words", sum_of_words(&blocks), all_turns * WORDS as u64)
    }
}
