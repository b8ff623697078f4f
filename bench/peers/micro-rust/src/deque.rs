//! What is timed of a deque: the loops of bench/micro_deque.h.
//!
//! An operation is an item that came out, by whomever; of the empty polls, a poll; of the thefts, a theft. The owner
//! with thieves pushes bursts and pops half of each; a thief takes up to half of what there is into a deque of its own
//! and empties that.

use crate::case::Parameters;
use crate::driver::{count, run_alone, Extent, Failure, Outcome, Team, Thread};
use crate::item::{Items, Producer, Reference, Taken, Taker};
use crate::queue::Missed;
use std::sync::Mutex;
use std::time::Instant;

const ROUND: usize = 1024;
const BURST: usize = 64;
/// Of an owner with thieves.
const POOLS: usize = 8;
/// Of so many pushed so many are stolen, with so many tries.
const PUSHED: usize = 64;
const STOLEN: usize = 32;
const TURNS: usize = 64;
const STRANGE: Failure = "something came out that was never pushed";
pub const CAPACITY_DEFAULT: usize = 256;

/// The owner's end. Thieves always take the oldest.
pub trait Deque: Send {
    const NAME: &'static str;
    const BOUNDED: bool;
    /// The owner's pop gives the newest, else the oldest.
    const LIFO: bool;
    type Stealer: Sync;

    /// With room for so many, if it is bounded.
    fn new(capacity: usize) -> Self;
    fn stealer(&self) -> Self::Stealer;
    /// False: full.
    fn push(&self, item: Reference) -> bool;
    fn pop(&self) -> Option<Reference>;
    /// Half of what there is, and at most `max` with the one returned; the rest goes into `own`.
    fn steal(victim: &Self::Stealer, own: &Self, max: usize) -> Result<Reference, Missed>;
}

/// Pushes up to `n`; returns how many went in.
#[inline(always)]
fn push_some<D: Deque>(deque: &D, producer: &Producer, thread: &Thread, n: usize) -> usize {
    for pushed in 0..n {
        let Some(item) = producer.next(0) else {
            return pushed;
        };
        if !deque.push(item) {
            count(&thread.counters.full, 1);
            return pushed;
        }
        producer.count_pushed(1);
    }
    n
}

#[inline(always)]
fn take(taker: &Taker, thread: &Thread, item: Reference) {
    if taker.take(item) == Taken::Stranger {
        thread.fail(STRANGE);
    }
}

/// Pops up to `n` and works on each; returns how many there were.
#[inline(always)]
fn pop_some<D: Deque>(deque: &D, taker: &Taker, thread: &mut Thread, n: usize) -> usize {
    let mut popped = 0;
    while popped < n {
        let Some(item) = deque.pop() else { break };
        take(taker, thread, item);
        popped += 1;
        thread.work();
    }
    popped
}

// ---- the owner alone ----

/// The only thread of a case.
struct Alone<'a> {
    producer: Producer<'a>,
    taker: Taker<'a>,
}

impl Alone<'_> {
    fn of(items: &Items) -> Alone<'_> {
        Alone {
            producer: items.producer(0),
            taker: items.taker(0),
        }
    }

    #[inline(always)]
    fn fill_and_empty<D: Deque>(&self, deque: &D, thread: &Thread, depth: usize, no_room: Failure) {
        if push_some(deque, &self.producer, thread, depth) < depth {
            return thread.fail(no_room);
        }
        self.pop_in_order(deque, thread, depth);
    }

    /// Empties the deque, and sees that the order is the one claimed.
    #[inline(always)]
    fn pop_in_order<D: Deque>(&self, deque: &D, thread: &Thread, n: usize) {
        for i in 0..n as u64 {
            let pushed = self.producer.pushed();
            let expected = if D::LIFO {
                pushed - 1 - i
            } else {
                pushed - n as u64 + i
            };
            let Some(item) = deque.pop() else {
                return thread.fail("an item was lost");
            };
            if !std::ptr::eq(item, self.producer.at(expected)) {
                thread.fail("the owner's items came out in another order");
            }
            take(&self.taker, thread, item);
        }
        count(&thread.counters.operations, n as u64);
    }
}

pub fn owner<D: Deque>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let items = Items::new(1, 1);
    let deque = D::new(parameters.capacity);
    run_alone(0, extent, |thread| {
        let alone = Alone::of(&items);
        for _ in 0..ROUND.div_ceil(parameters.depth) {
            if !thread.has_failed() {
                alone.fill_and_empty(&deque, thread, parameters.depth, "the deque has no room");
            }
        }
    })
}

/// A new deque, of the smallest capacity that can be chosen, filled and emptied.
pub fn growth<D: Deque>(_parameters: &Parameters, extent: &Extent) -> Outcome {
    let items = Items::new(1, 1);
    run_alone(0, extent, |thread| {
        Alone::of(&items).fill_and_empty(&D::new(2), thread, ROUND, "the deque does not grow");
    })
}

pub fn empty_pop<D: Deque>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let deque = D::new(parameters.capacity);
    run_alone(0, extent, |thread| {
        for _ in 0..ROUND {
            if deque.pop().is_some() {
                thread.fail("an empty deque is not empty");
            }
        }
        count(&thread.counters.operations, ROUND as u64);
    })
}

pub fn empty_steal<D: Deque>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let (deque, own) = (D::new(parameters.capacity), D::new(parameters.capacity));
    let stealer = deque.stealer();
    run_alone(0, extent, |thread| {
        for _ in 0..ROUND {
            if !matches!(D::steal(&stealer, &own, 1), Err(Missed::Empty)) {
                thread.fail("an empty deque is not empty");
            }
        }
        count(&thread.counters.operations, ROUND as u64);
    })
}

// ---- owner and thief in one thread ----

#[inline(never)]
fn steal_alone<D: Deque>(victim: &D::Stealer, own: &D, max: usize) -> Result<Reference, Missed> {
    D::steal(victim, own, max)
}

/// Two deques in one thread.
struct Robbed<'a, D: Deque> {
    alone: Alone<'a>,
    victim: &'a D,
    stealer: &'a D::Stealer,
    thief: &'a D,
    batch: usize,
}

impl<D: Deque> Robbed<'_, D> {
    /// Steals up to a batch into the other deque and pops it; returns how many it were.
    #[inline(always)]
    fn steal(&self, thread: &mut Thread) -> usize {
        let item = match steal_alone(self.stealer, self.thief, self.batch) {
            Ok(item) => item,
            Err(missed) => {
                if matches!(missed, Missed::Empty) {
                    thread.fail("a deque with items is empty");
                }
                count(&thread.counters.retry, 1);
                return 0;
            }
        };
        take(&self.alone.taker, thread, item);
        let moved = 1 + pop_some(self.thief, &self.alone.taker, thread, usize::MAX);
        if moved > self.batch {
            thread.fail("a theft moved more items than it may");
        }
        count(&thread.counters.operations, 1);
        count(&thread.counters.stolen, moved as u64);
        moved
    }

    /// The owner pushes, the thief steals, the owner pops what is left.
    #[inline(always)]
    fn turn(&self, thread: &mut Thread) {
        let Alone { producer, taker } = &self.alone;
        let mut pushed = push_some(self.victim, producer, thread, PUSHED);
        let (mut stolen, mut turns) = (0, 0);
        while stolen < STOLEN && turns < TURNS {
            let moved = self.steal(thread);
            if moved == 0 {
                pushed -= pop_some(self.victim, taker, thread, 1);
                pushed += push_some(self.victim, producer, thread, 1);
            }
            stolen += moved;
            turns += 1;
        }
        let left = pop_some(self.victim, taker, thread, usize::MAX);
        if stolen == 0 {
            thread.fail("a theft that nobody disturbs fails for ever");
        } else if pushed < PUSHED {
            thread.fail("the deque has no room");
        } else if stolen + left != pushed {
            thread.fail("another number of items came out than was pushed");
        }
    }
}

pub fn theft<D: Deque>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let items = Items::new(1, 1);
    let (victim, thief) = (D::new(parameters.capacity), D::new(parameters.capacity));
    let stealer = victim.stealer();
    let figures = run_alone(0, extent, |thread| {
        let robbed = Robbed {
            alone: Alone::of(&items),
            victim: &victim,
            stealer: &stealer,
            thief: &thief,
            batch: parameters.batch,
        };
        for _ in 0..ROUND / PUSHED {
            if !thread.has_failed() {
                robbed.turn(thread);
            }
        }
    })?;
    items.check(items.producer(0).pushed())?;
    Ok(figures)
}

// ---- with thieves ----

/// The pool that the owner goes on with: the one that it is at, or the next that has something. One alone would do if
/// nobody ever lost its processor: who does keeps what he stole, and a half of which one item is out cannot be entered.
#[inline(always)]
fn next_pool<'a, 'b>(
    pools: &'a [Producer<'b>; POOLS],
    at: &mut usize,
    thread: &Thread,
) -> &'a Producer<'b> {
    for _ in 0..POOLS {
        if pools[*at].next(0).is_some() {
            return &pools[*at];
        }
        *at = (*at + 1) % POOLS;
    }
    count(&thread.counters.held, 1);
    &pools[*at]
}

fn own<D: Deque>(deque: &D, items: &Items, thread: &mut Thread) {
    let (pools, taker) = (
        std::array::from_fn(|i| items.producer(i)),
        items.taker(thread.index),
    );
    let mut at = 0;
    while thread.goes_on() {
        let producer = next_pool(&pools, &mut at, thread);
        let pushed = push_some(deque, producer, thread, BURST);
        let popped = pop_some(deque, &taker, thread, BURST / 2);
        count(&thread.counters.operations, popped as u64);
        if pushed + popped == 0 {
            thread.pause();
        }
    }
}

fn steal<D: Deque>(
    victim: &D::Stealer,
    items: &Items,
    parameters: &Parameters,
    thread: &mut Thread,
) {
    let (own, taker) = (D::new(parameters.capacity), items.taker(thread.index));
    while thread.goes_on() {
        let missed = match D::steal(victim, &own, parameters.batch) {
            Ok(item) => {
                take(&taker, thread, item);
                thread.work();
                let n = 1 + pop_some(&own, &taker, thread, usize::MAX) as u64;
                count(&thread.counters.stolen, n);
                count(&thread.counters.operations, n);
                continue;
            }
            Err(Missed::Empty) => &thread.counters.empty,
            Err(Missed::Retry) => &thread.counters.retry,
        };
        count(missed, 1);
        thread.pause();
    }
}

/// Pushes one item at each time of the schedule, late ones at once, and takes none back: the owner is in a long task.
fn own_on_time<D: Deque>(
    deque: &D,
    items: &Items,
    rate_hz: u64,
    start: Instant,
    thread: &mut Thread,
) {
    let pools = std::array::from_fn(|i| items.producer(i));
    let interval_ns = 1_000_000_000 / rate_hz;
    let (mut at, mut intended_ns) = (0, nanoseconds_since(start));
    while thread.goes_on() {
        if nanoseconds_since(start) < intended_ns {
            thread.pause();
            continue;
        }
        let producer = next_pool(&pools, &mut at, thread);
        if let Some(item) = producer.next(0) {
            item.set_intended_ns(intended_ns);
        }
        if push_some(deque, producer, thread, 1) > 0 {
            intended_ns += interval_ns;
        } else {
            thread.pause();
        }
    }
}

fn nanoseconds_since(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}

/// The latency is from the intended push to the start by a thief, right after the theft or out of his own deque.
fn steal_on_time<D: Deque>(
    victim: &D::Stealer,
    items: &Items,
    parameters: &Parameters,
    start: Instant,
    thread: &mut Thread,
) {
    let (own, taker) = (D::new(parameters.capacity), items.taker(thread.index));
    while thread.goes_on() {
        let mut found = match D::steal(victim, &own, parameters.batch) {
            Ok(item) => Some(item),
            Err(missed) => {
                let counters = &thread.counters;
                count(
                    if matches!(missed, Missed::Empty) {
                        &counters.empty
                    } else {
                        &counters.retry
                    },
                    1,
                );
                thread.pause();
                None
            }
        };
        while let Some(item) = found {
            if thread.is_measured() {
                thread
                    .latency
                    .record(nanoseconds_since(start).saturating_sub(item.intended_ns()));
            }
            take(&taker, thread, item);
            count(&thread.counters.stolen, 1);
            count(&thread.counters.operations, 1);
            found = own.pop();
        }
    }
}

pub fn thieves<D: Deque>(parameters: &Parameters, extent: &Extent) -> Outcome {
    contest::<D>(parameters, extent, [true, true])
}

pub fn latency<D: Deque>(parameters: &Parameters, extent: &Extent) -> Outcome {
    contest::<D>(parameters, extent, [false, true])
}

/// By a schedule, if there is a rate.
fn contest<D: Deque>(parameters: &Parameters, extent: &Extent, counts: [bool; 2]) -> Outcome {
    let (start, rate_hz) = (Instant::now(), parameters.rate_hz);
    let threads = 1 + parameters.threads;
    let items = Items::new(POOLS, threads);
    let deque = D::new(parameters.capacity);
    let stealer = deque.stealer();
    let deque = Mutex::new(deque); // locked by the owner once, for as long as it runs
    let team = Team {
        threads,
        leaders: 1,
        counts,
        pinned: parameters.pinned,
        work_ns: parameters.work_ns,
    };
    let figures = team.run(extent, |thread| match (thread.is_leader, rate_hz > 0) {
        (true, false) => own(&*deque.lock().unwrap(), &items, thread),
        (true, true) => own_on_time(&*deque.lock().unwrap(), &items, rate_hz, start, thread),
        (false, false) => steal::<D>(&stealer, &items, parameters, thread),
        (false, true) => steal_on_time::<D>(&stealer, &items, parameters, start, thread),
    })?;
    let deque = deque.into_inner().unwrap();
    drain(&deque, &items, figures.all_operations)?;
    Ok(figures)
}

/// When the threads have ended and popped so many: what is left, and then all came out.
fn drain<D: Deque>(deque: &D, items: &Items, mut popped: u64) -> Result<(), Failure> {
    let taker = items.taker(0);
    while let Some(item) = deque.pop() {
        if taker.take(item) == Taken::Stranger {
            return Err(STRANGE);
        }
        popped += 1;
    }
    items.check(popped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::STRANGER;
    use std::cell::Cell;
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::time::Duration;

    thread_local!(static OPERATIONS: Cell<u32> = const { Cell::new(0) });

    /// Once in so many operations.
    fn is_time() -> bool {
        OPERATIONS.set(OPERATIONS.get() + 1);
        OPERATIONS.get() % 100 == 0
    }

    const SOUND: u8 = 0;
    const POP_DOUBLES: u8 = 1;
    const STEAL_DOUBLES: u8 = 2;
    const STEAL_LOSES: u8 = 3;
    const POP_REORDERS: u8 = 4;
    const STEAL_INVENTS: u8 = 5;

    /// A good deque that does one operation in so many wrong.
    struct Broken<const HOW: u8>(Arc<Mutex<VecDeque<Reference>>>);

    impl<const HOW: u8> Deque for Broken<HOW> {
        const NAME: &'static str = "broken";
        const BOUNDED: bool = false;
        const LIFO: bool = true;
        type Stealer = Arc<Mutex<VecDeque<Reference>>>;

        fn new(_capacity: usize) -> Self {
            Broken(Arc::default())
        }

        fn stealer(&self) -> Self::Stealer {
            self.0.clone()
        }

        fn push(&self, item: Reference) -> bool {
            self.0.lock().unwrap().push_back(item);
            true
        }

        fn pop(&self) -> Option<Reference> {
            let mut items = self.0.lock().unwrap();
            match HOW {
                POP_DOUBLES if is_time() => items.back().copied(),
                POP_REORDERS if is_time() => items.pop_front(),
                _ => items.pop_back(),
            }
        }

        fn steal(victim: &Self::Stealer, _own: &Self, _max: usize) -> Result<Reference, Missed> {
            let mut items = victim.lock().unwrap();
            if items.is_empty() {
                return Err(Missed::Empty);
            }
            match HOW {
                STEAL_DOUBLES if is_time() => items.front().copied(),
                STEAL_INVENTS if is_time() => Some(&STRANGER as Reference),
                STEAL_LOSES if is_time() => items.pop_front().and_then(|_| items.pop_front()),
                _ => items.pop_front(),
            }
            .ok_or(Missed::Empty)
        }
    }

    fn failure_of(run: fn(&Parameters, &Extent) -> Outcome) -> Option<Failure> {
        let plain = Parameters {
            threads: 2,
            batch: 1,
            depth: 64,
            ..Default::default()
        };
        run(
            &plain,
            &Extent {
                window: Duration::from_millis(50),
                operations: 0,
            },
        )
        .err()
    }

    #[test]
    fn a_sound_deque_passes() {
        type Sound = Broken<SOUND>;
        let runs: [fn(&Parameters, &Extent) -> Outcome; 6] = [
            owner::<Sound>,
            growth::<Sound>,
            empty_pop::<Sound>,
            empty_steal::<Sound>,
            thieves::<Sound>,
            theft::<Sound>,
        ];
        for run in runs {
            assert_eq!(failure_of(run), None);
        }
    }

    #[test]
    fn items_that_come_out_twice_are_found() {
        assert!(failure_of(owner::<Broken<POP_DOUBLES>>).is_some());
        assert!(failure_of(thieves::<Broken<POP_DOUBLES>>).is_some());
        assert!(failure_of(thieves::<Broken<STEAL_DOUBLES>>).is_some());
        assert!(failure_of(theft::<Broken<STEAL_DOUBLES>>).is_some());
    }

    #[test]
    fn lost_items_are_found() {
        assert_eq!(
            failure_of(thieves::<Broken<STEAL_LOSES>>),
            Some("an item was lost")
        );
        let found = failure_of(theft::<Broken<STEAL_LOSES>>);
        assert_eq!(
            found,
            Some("another number of items came out than was pushed")
        );
    }

    #[test]
    fn what_was_never_pushed_is_found() {
        let found = failure_of(thieves::<Broken<STEAL_INVENTS>>);
        assert_eq!(found, Some("something came out that was never pushed"));
    }

    #[test]
    fn another_order_is_found() {
        let found = failure_of(owner::<Broken<POP_REORDERS>>);
        assert_eq!(found, Some("the owner's items came out in another order"));
    }
}
