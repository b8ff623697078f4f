//! What is timed of a queue: the loops of bench/micro_queue.h.
//!
//! An operation is an item that went through the queue, pushed and popped; of "empty", a pop of an empty queue.

use crate::case::Parameters;
use crate::driver::{count, run_alone, Extent, Failure, Figures, Outcome, Team, Thread};
use crate::item::{Items, Producer, Reference, Taken, Taker, STRANGER};
use std::time::Instant;

const ROUND: usize = 1024;
const BATCH_MAX: usize = 128;
const CAPACITY_DEFAULT: usize = 8192;
const RETRIES_MOST: u32 = 1 << 20;
/// The one that empties it at last.
const TAKERS_BEYOND: usize = 1;

pub enum Missed {
    Empty,
    Retry,
}

/// All of these are first in, first out.
pub trait Queue: Sync {
    const NAME: &'static str;
    const BOUNDED: bool;
    /// What a thread needs of its own.
    type Local;

    fn new(capacity: usize) -> Self;
    fn attach(&self) -> Self::Local;
    /// False: full.
    fn push(&self, item: Reference) -> bool;
    fn pop(&self) -> Result<Reference, Missed>;
    /// Fills `items` from the start; how many there were, at least one.
    fn pop_batch(&self, _local: &Self::Local, items: &mut [Reference]) -> Result<usize, Missed> {
        items[0] = self.pop()?;
        Ok(1 + fill(&mut items[1..], || self.pop().ok()))
    }
}

/// As far as there are some; how many there were.
pub fn fill(items: &mut [Reference], mut pop: impl FnMut() -> Option<Reference>) -> usize {
    for (i, place) in items.iter_mut().enumerate() {
        match pop() {
            Some(item) => *place = item,
            None => return i,
        }
    }
    items.len()
}

/// A queue under load. The items stand last: the queue is dropped before the items that it may still refer to.
struct Load<'a, Q> {
    queue: Q,
    parameters: &'a Parameters,
    /// Of the schedule.
    start: Instant,
    items: Items,
}

/// What a thread needs that pops.
struct Seat<'a, Q: Queue> {
    local: Q::Local,
    taker: Taker<'a>,
    batch: [Reference; BATCH_MAX],
}

/// Notes that an item came out; Err: what is wrong with that.
#[inline(always)]
fn take(taker: &Taker, item: Reference) -> Result<(), Failure> {
    match taker.take(item) {
        Taken::InOrder => Ok(()),
        Taken::Reordered => Err("a producer's items came out in another order"),
        Taken::Stranger => Err("something came out that was never pushed"),
    }
}

impl<'a, Q: Queue> Load<'a, Q> {
    fn new(parameters: &'a Parameters, pushers: usize, threads: usize) -> Self {
        let capacity = if parameters.capacity > 0 { parameters.capacity } else { CAPACITY_DEFAULT };
        let items = Items::new(pushers, threads + TAKERS_BEYOND);
        Load { queue: Q::new(capacity), parameters, start: Instant::now(), items }
    }

    fn seat(&self, index: usize) -> Seat<'_, Q> {
        Seat { local: self.queue.attach(), taker: self.items.taker(index), batch: [&STRANGER; BATCH_MAX] }
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Pushes up to `n` of the thread's next items, one by one; returns how many went in.
    #[inline(always)]
    fn push(&self, thread: &Thread, producer: &Producer, n: usize, intended_ns: Option<u64>) -> usize {
        let mut pushed = 0;
        while pushed < n {
            let Some(item) = producer.next(pushed) else {
                count(&thread.counters.held, u64::from(pushed == 0));
                break;
            };
            if let Some(intended_ns) = intended_ns {
                item.set_intended_ns(intended_ns);
            }
            if !self.queue.push(item) {
                count(&thread.counters.full, u64::from(pushed == 0));
                break;
            }
            pushed += 1;
        }
        producer.count_pushed(pushed);
        pushed
    }

    /// Pops up to `n`; returns how many came out. If timed: the latency of each since its intended start.
    #[inline(always)]
    fn pop(&self, thread: &mut Thread, seat: &mut Seat<Q>, n: usize, timed: bool) -> usize {
        let popped = if n == 1 {
            self.queue.pop().map(|item| {
                self.note(thread, &seat.taker, item, self.time_if(timed));
                1
            })
        } else {
            self.pop_batch(thread, seat, n, timed)
        };
        match popped {
            Ok(got) => return got,
            Err(Missed::Empty) => count(&thread.counters.empty, 1),
            Err(Missed::Retry) => count(&thread.counters.retry, 1),
        }
        0
    }

    fn pop_batch(&self, thread: &mut Thread, seat: &mut Seat<Q>, n: usize, timed: bool) -> Result<usize, Missed> {
        let got = self.queue.pop_batch(&seat.local, &mut seat.batch[..n])?;
        let now_ns = self.time_if(timed);
        for item in &seat.batch[..got] {
            self.note(thread, &seat.taker, item, now_ns);
        }
        Ok(got)
    }

    fn time_if(&self, timed: bool) -> Option<u64> {
        timed.then(|| self.now_ns())
    }

    /// What came out: its latency, if there is a time, and what is wrong with it.
    #[inline(always)]
    fn note(&self, thread: &mut Thread, taker: &Taker, item: Reference, now_ns: Option<u64>) {
        if let Some(now_ns) = now_ns.filter(|_| thread.is_measured()) {
            thread.latency.record(now_ns.saturating_sub(item.intended_ns()));
        }
        if let Err(failure) = take(taker, item) {
            thread.fail(failure);
        }
    }

    fn produce(&self, thread: &mut Thread) {
        let producer = self.items.producer(thread.index);
        while thread.goes_on() {
            let pushed = self.push(thread, &producer, self.parameters.batch, None);
            if pushed == 0 {
                thread.pause();
                continue;
            }
            count(&thread.counters.operations, pushed as u64);
            thread.work();
        }
    }

    /// Pushes one item at each time of the schedule, late ones at once; one that is put off keeps its intended time.
    fn produce_on_time(&self, thread: &mut Thread) {
        let producer = self.items.producer(thread.index);
        let interval_ns = 1_000_000_000 / self.parameters.rate_hz;
        let mut intended_ns = interval_ns * thread.index as u64 / self.parameters.producers as u64;
        while thread.goes_on() {
            if self.now_ns() < intended_ns || self.push(thread, &producer, 1, Some(intended_ns)) == 0 {
                thread.pause();
                continue;
            }
            count(&thread.counters.operations, 1);
            intended_ns += interval_ns;
        }
    }

    fn consume(&self, thread: &mut Thread, timed: bool) {
        let mut seat = self.seat(thread.index);
        while thread.goes_on() {
            let got = self.pop(thread, &mut seat, self.parameters.batch, timed);
            if got == 0 {
                thread.pause();
                continue;
            }
            count(&thread.counters.operations, got as u64);
            thread.work();
        }
    }

    /// Pushes and pops in turn; what it pops is mostly another thread's. First it puts its share inside that is to
    /// stay.
    fn mix(&self, thread: &mut Thread) {
        let (producer, mut seat) = (self.items.producer(thread.index), self.seat(thread.index));
        for _ in 0..self.parameters.prefill / self.parameters.threads {
            self.push(thread, &producer, 1, None);
        }
        while thread.goes_on() {
            self.push(thread, &producer, self.parameters.batch, None);
            thread.work();
            let got = self.pop(thread, &mut seat, self.parameters.batch, false);
            if got == 0 {
                thread.pause();
            }
            count(&thread.counters.operations, got as u64);
            thread.work();
        }
    }

    /// Pushes `depth` items one by one and pops them again, until a round is full; depth 1 are pairs.
    fn burst_round(&self, thread: &mut Thread, seat: &mut Seat<Q>) {
        let (producer, depth) = (self.items.producer(thread.index), self.parameters.depth);
        for _ in 0..ROUND.div_ceil(depth) {
            for _ in 0..depth {
                self.push(thread, &producer, 1, None);
            }
            let got: usize = (0..depth).map(|_| self.pop(thread, seat, 1, false)).sum();
            if got < depth {
                thread.fail("items are missing from a queue that nobody else uses");
            }
            count(&thread.counters.operations, got as u64);
        }
    }

    /// Pushes a batch and pops until it is out, until a round is full.
    fn batch_round(&self, thread: &mut Thread, seat: &mut Seat<Q>) {
        let producer = self.items.producer(thread.index);
        let batch = self.parameters.batch;
        for _ in 0..ROUND / batch {
            let pushed = self.push(thread, &producer, batch, None);
            let mut got = 0;
            while got < pushed {
                match self.pop(thread, seat, batch, false) {
                    0 => break,
                    more => got += more,
                }
            }
            if got < batch {
                thread.fail("items are missing from a queue that nobody else uses");
            }
            count(&thread.counters.operations, got as u64);
        }
    }

    fn empty_round(&self, thread: &mut Thread) {
        for _ in 0..ROUND {
            if !matches!(self.queue.pop(), Err(Missed::Empty)) {
                thread.fail("an empty queue is not empty");
            }
        }
        count(&thread.counters.operations, ROUND as u64);
    }

    /// When the threads have ended and popped so many: what is left comes out in order too, and then all did.
    fn drain(&self, mut popped: u64, index: usize) -> Result<(), Failure> {
        let taker = self.items.taker(index);
        let mut misses = 0;
        while misses < RETRIES_MOST {
            match self.queue.pop() {
                Ok(item) => {
                    take(&taker, item)?;
                    popped += 1;
                }
                Err(Missed::Empty) => break,
                Err(Missed::Retry) => misses += 1,
            }
        }
        self.items.check(popped)
    }

    /// `threads` of them popped before.
    fn finish(&self, figures: Figures, threads: usize) -> Outcome {
        self.drain(figures.all_operations, threads)?;
        Ok(figures)
    }
}

fn by_role<Q: Queue>(parameters: &Parameters, extent: &Extent, timed: bool) -> Outcome {
    let threads = parameters.producers + parameters.consumers;
    let load = Load::<Q>::new(parameters, parameters.producers, threads);
    let team = Team {
        threads,
        leaders: parameters.producers,
        counts: [false, true],
        pinned: parameters.pinned,
        work_ns: parameters.work_ns,
    };
    let figures = team.run(extent, |thread| match (thread.is_leader, timed) {
        (false, _) => load.consume(thread, timed),
        (true, true) => load.produce_on_time(thread),
        (true, false) => load.produce(thread),
    })?;
    load.finish(figures, threads)
}

/// Producers to consumers.
pub fn transfer<Q: Queue>(parameters: &Parameters, extent: &Extent) -> Outcome {
    by_role::<Q>(parameters, extent, false)
}

/// The same, by a schedule.
pub fn latency<Q: Queue>(parameters: &Parameters, extent: &Extent) -> Outcome {
    by_role::<Q>(parameters, extent, true)
}

/// Threads that do both.
pub fn mixture<Q: Queue>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let (threads, pinned, work_ns) = (parameters.threads, parameters.pinned, parameters.work_ns);
    let load = Load::<Q>::new(parameters, threads, threads);
    let team = Team { threads, leaders: threads, counts: [true, true], pinned, work_ns };
    let figures = team.run(extent, |thread| load.mix(thread))?;
    load.finish(figures, threads)
}

/// One thread: so many in, so many out.
pub fn burst<Q: Queue>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let load = Load::<Q>::new(parameters, 1, 1);
    let mut seat = load.seat(0);
    let figures = run_alone(0, extent, |thread| load.burst_round(thread, &mut seat))?;
    load.finish(figures, 1)
}

/// One thread: polls of an empty queue.
pub fn batches<Q: Queue>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let load = Load::<Q>::new(parameters, 1, 1);
    let mut seat = load.seat(0);
    let figures = run_alone(0, extent, |thread| load.batch_round(thread, &mut seat))?;
    load.finish(figures, 1)
}

pub fn empty<Q: Queue>(parameters: &Parameters, extent: &Extent) -> Outcome {
    let load = Load::<Q>::new(parameters, 1, 1);
    run_alone(0, extent, |thread| load.empty_round(thread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Duration;

    thread_local!(static OPERATIONS: Cell<u32> = const { Cell::new(0) });

    /// Once in so many operations.
    fn is_time() -> bool {
        OPERATIONS.set(OPERATIONS.get() + 1);
        OPERATIONS.get() % 1000 == 0
    }

    const SOUND: u8 = 0;
    const LOSES: u8 = 1;
    const DOUBLES: u8 = 2;
    const REORDERS: u8 = 3;
    const HAUNTED: u8 = 4;
    const INVENTS: u8 = 5;

    /// A good queue that does one operation in so many wrong.
    struct Broken<const HOW: u8>(Mutex<VecDeque<Reference>>);

    impl<const HOW: u8> Queue for Broken<HOW> {
        const NAME: &'static str = "broken";
        const BOUNDED: bool = false;
        type Local = ();

        fn new(_capacity: usize) -> Self {
            Broken(Mutex::default())
        }

        fn attach(&self) {}

        fn push(&self, item: Reference) -> bool {
            let mut items = self.0.lock().unwrap();
            match HOW {
                LOSES if is_time() => {}
                DOUBLES if is_time() => items.extend([item, item]),
                REORDERS if is_time() => items.push_front(item),
                INVENTS if is_time() => items.extend([item, &STRANGER]),
                _ => items.push_back(item),
            }
            true
        }

        fn pop(&self) -> Result<Reference, Missed> {
            match self.0.lock().unwrap().pop_front() {
                Some(item) => Ok(item),
                None if HOW == HAUNTED && is_time() => Err(Missed::Retry),
                None => Err(Missed::Empty),
            }
        }
    }

    const EXTENT: Extent = Extent { window: Duration::from_millis(20), operations: 0 };

    fn failure_of(run: fn(&Parameters, &Extent) -> Outcome) -> Option<Failure> {
        let plain = Parameters { producers: 2, consumers: 2, threads: 3, batch: 3, depth: 64, ..Default::default() };
        run(&plain, &EXTENT).err()
    }

    #[test]
    fn a_sound_queue_passes() {
        for run in [transfer::<Broken<SOUND>>, mixture::<Broken<SOUND>>, burst::<Broken<SOUND>>, empty::<Broken<SOUND>>]
        {
            assert_eq!(failure_of(run), None);
        }
    }

    #[test]
    fn lost_items_are_found() {
        assert_eq!(failure_of(transfer::<Broken<LOSES>>), Some("an item was lost"));
        assert_eq!(failure_of(mixture::<Broken<LOSES>>), Some("an item was lost"));
        assert!(failure_of(burst::<Broken<LOSES>>).is_some());
    }

    #[test]
    fn items_that_come_out_twice_are_found() {
        for run in [transfer::<Broken<DOUBLES>>, mixture::<Broken<DOUBLES>>, burst::<Broken<DOUBLES>>] {
            assert!(failure_of(run).is_some());
        }
    }

    #[test]
    fn another_order_is_found() {
        let wanted = Some("a producer's items came out in another order");
        assert_eq!(failure_of(burst::<Broken<REORDERS>>), wanted);
        assert_eq!(failure_of(mixture::<Broken<REORDERS>>), wanted);
    }

    #[test]
    fn what_was_never_pushed_is_found() {
        for run in [transfer::<Broken<INVENTS>>, mixture::<Broken<INVENTS>>, burst::<Broken<INVENTS>>] {
            assert_eq!(failure_of(run), Some("something came out that was never pushed"));
        }
    }

    #[test]
    fn an_empty_queue_that_is_not_is_found() {
        assert_eq!(failure_of(empty::<Broken<HAUNTED>>), Some("an empty queue is not empty"));
    }
}
