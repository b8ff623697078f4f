//! The items that are moved, and the books that show that each came out exactly once: bench/micro_item.h in Rust.
//!
//! Every thread that pushes has a pool of its own and goes round it. Between two clock readings nobody reads or writes
//! an item: it is known by its address, and who takes it makes a note in books of his own, on cache lines of his own.
//!
//! A push has a *position*: its producer's count of pushes, from 0. The pool has two halves. A producer enters a half
//! when all that it pushed from there a round ago was taken and noted, so the items outside are of two halves at most,
//! and the address and the number of the newest half entered give the position. The orders are numbered as in
//! micro_item.h.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Items of a pool. A thread has no more than this inside, and can always have half of it.
const POOL: usize = 2048;
const HALF: u64 = POOL as u64 / 2;

#[repr(align(64))]
#[derive(Default)]
pub struct Item {
    /// When it was to be pushed, since the schedule's start; only where latencies are taken.
    intended_ns: AtomicU64,
}

/// What the queues carry. It outlives them, though no lifetime says so.
pub type Reference = &'static Item;

/// Of no pool. It stands where no item is.
pub static STRANGER: Item = Item { intended_ns: AtomicU64::new(0) };

impl Item {
    pub fn intended_ns(&self) -> u64 {
        self.intended_ns.load(Relaxed)
    }

    pub fn set_intended_ns(&self, ns: u64) {
        self.intended_ns.store(ns, Relaxed);
    }
}

/// On cache lines of its own.
#[repr(align(64))]
#[derive(Default)]
struct Apart<T>(T);

#[derive(Default)]
struct Pool {
    own: Apart<Own>,
    /// The number of the newest half entered.
    half: Apart<AtomicU64>,
}

/// What the producer knows of its pool; read by others when its thread has ended.
#[derive(Default)]
struct Own {
    pushed: AtomicU64,
    /// The position at which the next half begins.
    open: AtomicU64,
}

/// What one taker took from one pool. Only the taker writes it.
#[repr(align(64))]
#[derive(Default)]
struct Book {
    /// Items, by half, of all rounds.
    of_half: [AtomicU64; 2],
    /// The position after the newest one taken.
    next: AtomicU64,
    /// The sum of (position + 1)², modulo 2⁶⁴.
    squares: AtomicU64,
}

/// Nobody uses a reference to an item after these are gone: who owns them drops them last, and the threads have ended.
pub struct Items {
    items: Box<[[Item; POOL]]>,
    pools: Box<[Pool]>,
    /// For each taker, one for each pool.
    books: Box<[Box<[Book]>]>,
}

impl Items {
    pub fn new(pools: usize, takers: usize) -> Items {
        Items {
            items: (0..pools).map(|_| std::array::from_fn(|_| Item::default())).collect(),
            pools: (0..pools).map(|_| Pool::default()).collect(),
            books: (0..takers).map(|_| (0..pools).map(|_| Book::default()).collect()).collect(),
        }
    }

    /// Of the pool of this index; for one thread.
    pub fn producer(&self, index: usize) -> Producer<'_> {
        Producer { items: self, index, own: &self.items[index], pool: &self.pools[index] }
    }

    /// With the books of this index; for one thread.
    pub fn taker(&self, index: usize) -> Taker<'_> {
        Taker { first: self.items.as_ptr() as u64, pools: &self.pools, books: &self.books[index] }
    }

    fn taken_of_half(&self, pool: usize, side: usize) -> u64 {
        let taken = |books: &[Book]| books[pool].of_half[side].load(Acquire); // I4
        self.books.iter().map(|books| taken(books)).sum()
    }

    fn check_pool(&self, pool: usize) -> Result<(), &'static str> {
        let pushed = self.pools[pool].own.0.pushed.load(Relaxed);
        let taken = self.taken_of_half(pool, 0) + self.taken_of_half(pool, 1);
        let squares = self.books.iter().map(|books| books[pool].squares.load(Relaxed));
        let expected = (1..=pushed).map(|next| next.wrapping_mul(next));
        if taken != pushed {
            return Err(if taken < pushed { "an item was lost" } else { "an item came out twice" });
        }
        if squares.fold(0, u64::wrapping_add) != expected.fold(0, u64::wrapping_add) {
            return Err("an item came out twice and another was lost");
        }
        Ok(())
    }

    /// When all threads have ended and nothing is inside, and `popped` came out in all.
    pub fn check(&self, popped: u64) -> Result<(), &'static str> {
        (0..self.pools.len()).try_for_each(|pool| self.check_pool(pool))?;
        let pushed: u64 = self.pools.iter().map(|pool| pool.own.0.pushed.load(Relaxed)).sum();
        if pushed == popped {
            Ok(())
        } else {
            Err("the operations were miscounted")
        }
    }
}

/// A thread that pushes.
pub struct Producer<'a> {
    items: &'a Items,
    index: usize,
    own: &'a [Item; POOL],
    pool: &'a Pool,
}

impl Producer<'_> {
    /// The item to push `ahead` after the next one; None: it may still be inside. Counts nothing: see `count_pushed`.
    #[inline(always)]
    pub fn next(&self, ahead: usize) -> Option<Reference> {
        let position = self.pushed() + ahead as u64;
        if position == self.pool.own.0.open.load(Relaxed) && !self.enter() {
            return None;
        }
        Some(self.at(position))
    }

    /// The item of a position.
    #[inline(always)]
    pub fn at(&self, position: u64) -> Reference {
        // SAFETY: items do not move, and what `Items` says.
        unsafe { &*std::ptr::from_ref(&self.own[position as usize % POOL]) }
    }

    pub fn pushed(&self) -> u64 {
        self.pool.own.0.pushed.load(Relaxed)
    }

    pub fn count_pushed(&self, n: usize) {
        self.pool.own.0.pushed.store(self.pushed() + n as u64, Relaxed);
    }

    /// Enters the next half; false: items of it are still inside.
    #[cold]
    fn enter(&self) -> bool {
        let half = self.pool.own.0.open.load(Relaxed) / HALF;
        if self.items.taken_of_half(self.index, half as usize % 2) != half / 2 * HALF {
            return false;
        }
        self.pool.half.0.store(half, Release); // I1
        self.pool.own.0.open.store((half + 1) * HALF, Relaxed);
        true
    }
}

#[derive(Debug, PartialEq)]
pub enum Taken {
    /// After all that this taker had of its producer.
    InOrder,
    /// Before one that this taker had.
    Reordered,
    /// None of ours.
    Stranger,
}

/// A thread that pops.
pub struct Taker<'a> {
    /// The address of the first item of all.
    first: u64,
    pools: &'a [Pool],
    books: &'a [Book],
}

impl Taker<'_> {
    /// Notes that an item came out.
    #[inline(always)]
    pub fn take(&self, item: Reference) -> Taken {
        let index = (std::ptr::from_ref(item) as u64).wrapping_sub(self.first) / size_of::<Item>() as u64;
        let (pool, side) = (index as usize / POOL, index / HALF % 2);
        let (Some(book), Some(pool)) = (self.books.get(pool), self.pools.get(pool)) else {
            return Taken::Stranger;
        };
        let newest = pool.half.0.load(Acquire); // I2
        let half = newest.wrapping_sub((newest ^ side) & 1);
        let position = half.wrapping_mul(HALF).wrapping_add(index % HALF);
        let taken = if position < book.next.load(Relaxed) { Taken::Reordered } else { Taken::InOrder };
        let next = position.wrapping_add(1);
        book.next.store(next, Relaxed);
        book.squares.store(book.squares.load(Relaxed).wrapping_add(next.wrapping_mul(next)), Relaxed);
        let of_half = &book.of_half[side as usize];
        of_half.store(of_half.load(Relaxed) + 1, Release); // I3
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes the next `n`, which must be there.
    fn push(producer: &Producer, n: usize) -> Vec<Reference> {
        let pushed = (0..n).map(|i| producer.next(i).expect("it is free")).collect();
        producer.count_pushed(n);
        pushed
    }

    #[test]
    fn rounds_pass_whoever_takes() {
        let items = Items::new(2, 2);
        let (producer, takers) = (items.producer(1), [items.taker(0), items.taker(1)]);
        for round in 0..10 {
            for (i, item) in push(&producer, 3 * POOL / 4).into_iter().enumerate() {
                assert_eq!(takers[(round + i / 5) % 2].take(item), Taken::InOrder);
            }
        }
        assert_eq!(items.check(10 * 3 * POOL as u64 / 4), Ok(()));
        assert_eq!(items.check(1), Err("the operations were miscounted"));
    }

    #[test]
    fn a_half_is_held_until_all_of_it_was_taken() {
        let items = Items::new(1, 1);
        let (producer, taker) = (items.producer(0), items.taker(0));
        let inside = push(&producer, POOL);
        for item in &inside[1..] {
            assert!(producer.next(0).is_none());
            taker.take(item);
        }
        assert!(producer.next(0).is_none());
        taker.take(inside[0]);
        assert!(std::ptr::eq(producer.next(0).unwrap(), inside[0]));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let taken = |order: &[usize]| {
            let items = Items::new(1, 1);
            let inside = push(&items.producer(0), 4);
            order.iter().for_each(|&i| drop(items.taker(0).take(inside[i])));
            items.check(4)
        };
        assert_eq!(taken(&[0, 1, 2, 3]), Ok(()));
        assert_eq!(taken(&[0, 1, 3]), Err("an item was lost"));
        assert_eq!(taken(&[0, 1, 2, 2, 3]), Err("an item came out twice"));
        assert_eq!(taken(&[0, 1, 1, 3]), Err("an item came out twice and another was lost"));
    }

    #[test]
    fn another_order_and_strangers_are_told() {
        let items = Items::new(1, 2);
        let inside = push(&items.producer(0), POOL);
        let taker = items.taker(0);
        assert_eq!(taker.take(inside[POOL - 1]), Taken::InOrder);
        assert_eq!(taker.take(inside[0]), Taken::Reordered);
        assert_eq!(items.taker(1).take(inside[1]), Taken::InOrder);
        assert_eq!(taker.take(&STRANGER), Taken::Stranger);
        assert_eq!(taker.take(Items::new(1, 1).producer(0).at(0)), Taken::Stranger);
    }
}
