//! The items that are moved, and the check that each push came out exactly once.
//!
//! Every thread that pushes has a pool of its own and goes round it. An item may be pushed again once it came out.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Items of a pool. Also the most that one thread can have inside.
const POOL: usize = 1024;

#[repr(align(64))]
#[derive(Default)]
pub struct Item {
    producer: usize,
    /// The newest sequence number under which it came out; written by whoever took it.
    taken: AtomicU64,
    /// Its producer's count of pushes when it was last pushed: 1, 2, …
    sequence: AtomicU64,
    /// When it was to be pushed, since the schedule's start, where latencies are taken.
    intended_ns: AtomicU64,
}

/// What the queues carry. It outlives them, though no lifetime says so.
pub type Reference = &'static Item;

impl Item {
    pub fn producer(&self) -> usize {
        self.producer
    }

    pub fn sequence(&self) -> u64 {
        self.sequence.load(Relaxed)
    }

    pub fn intended_ns(&self) -> u64 {
        self.intended_ns.load(Relaxed)
    }

    pub fn set_intended_ns(&self, ns: u64) {
        self.intended_ns.store(ns, Relaxed);
    }

    /// Gives an item that came out back to its producer. False: it had come out before. Two that take it at the same
    /// moment may both hear true; then the sums of `check` differ.
    pub fn take(&self) -> bool {
        let sequence = self.sequence();
        let first = self.taken.load(Relaxed) < sequence;
        self.taken.store(sequence, Release);
        first
    }

    /// The item did not go in after all.
    pub fn take_back(&self) {
        self.sequence.store(self.taken.load(Relaxed), Relaxed);
    }
}

#[repr(align(64))]
pub struct Pool {
    items: Box<[Item]>,
    /// The owner's; read by others when its thread has ended.
    pushed: AtomicU64,
}

impl Pool {
    fn new(producer: usize) -> Pool {
        let items = (0..POOL).map(|_| Item { producer, ..Item::default() }).collect();
        Pool { items, pushed: AtomicU64::new(0) }
    }

    /// The next item to push, numbered; None: it is still inside. Acquire pairs with `Item::take`: the taker is done
    /// with the item.
    pub fn next(&self, ahead: u64) -> Option<Reference> {
        let sequence = self.pushed() + ahead + 1;
        let item = &self.items[sequence as usize % POOL];
        if item.taken.load(Acquire) != item.sequence() {
            return None;
        }
        item.sequence.store(sequence, Relaxed);
        // SAFETY: items do not move, and what `Pools` says.
        Some(unsafe { &*std::ptr::from_ref(item) })
    }

    pub fn pushed(&self) -> u64 {
        self.pushed.load(Relaxed)
    }

    pub fn count_pushed(&self, n: u64) {
        self.pushed.store(self.pushed() + n, Relaxed);
    }
}

/// Nobody uses a reference to an item after the pools are gone: who owns them drops them last, and the threads have ended.
pub struct Pools(Vec<Pool>);

impl Pools {
    pub fn new(n: usize) -> Pools {
        Pools((0..n).map(Pool::new).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn of(&self, index: usize) -> &Pool {
        &self.0[index]
    }

    /// When all threads have ended and nothing is inside, and `popped` came out in all.
    pub fn check(&self, popped: u64) -> Result<(), &'static str> {
        let lost = |item: &Item| item.taken.load(Relaxed) != item.sequence();
        if self.0.iter().any(|pool| pool.items.iter().any(lost)) {
            return Err("an item was lost");
        }
        match self.0.iter().map(Pool::pushed).sum::<u64>() {
            pushed if popped < pushed => Err("an item was lost"),
            pushed if popped > pushed => Err("an item came out twice"),
            _ => Ok(()),
        }
    }
}
