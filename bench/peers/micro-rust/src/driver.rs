//! Threads, the window that is timed, and the sums.
//!
//! A case of one thread is called for one round of work after another and is timed from the first call's start to the
//! last one's end; the clock is read once a round. The threads of a case of several warm up together, then the driver
//! reads the clock and every thread's counts, sleeps, and reads both again: the figures are of the window between, in
//! which all threads run, and no thread reads a clock for them. What the threads do before and after the window is
//! checked, but not counted.

use crate::work;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};
use workload_common::latency::Latency;

/// The share of the window that the threads get to warm up.
const WARM_SHARE: u32 = 8;
/// To which a window is extended where nothing was done in it: the machine may be busy elsewhere.
const EXTENDED_MOST: Duration = Duration::from_secs(2);
/// Misses after which the one waited for may have lost its processor.
const PATIENCE: u32 = 256;

const WAIT: u32 = 0;
const WARM: u32 = 1;
const MEASURE: u32 = 2;
const STOP: u32 = 3;

/// How long a run goes on.
pub struct Extent {
    pub window: Duration,
    /// Not 0: until that many were done, whatever the time; for cases of one thread.
    pub operations: u64,
}

pub type Failure = &'static str;
pub type Outcome = Result<Figures, Failure>;

/// What came of a run.
pub struct Figures {
    pub window: Duration,
    /// In the window.
    pub counts: Counts,
    /// The slowest thread's operations ÷ the fastest's, of those that do the same; None: unknown.
    pub fairness: Option<f64>,
    pub latency: Latency,
    /// In and out of the window, of the roles that count.
    pub all_operations: u64,
}

#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Successful ones: what the time is divided by.
    pub operations: u64,
    /// Failed ones, by their answer; never part of `operations`.
    pub empty: u64,
    pub full: u64,
    pub retry: u64,
    /// Operations whose item went by way of a thief.
    pub stolen: u64,
    /// Pushes put off because the thread's items were inside: the case's own limit.
    pub held: u64,
}

impl Counts {
    fn combine(self, other: Counts, f: impl Fn(u64, u64) -> u64) -> Counts {
        Counts {
            operations: f(self.operations, other.operations),
            empty: f(self.empty, other.empty),
            full: f(self.full, other.full),
            retry: f(self.retry, other.retry),
            stolen: f(self.stolen, other.stolen),
            held: f(self.held, other.held),
        }
    }
}

/// A thread's counters, on a cache line of their own; nobody else writes there.
#[repr(align(64))]
#[derive(Default)]
pub struct Counters {
    pub operations: AtomicU64,
    pub empty: AtomicU64,
    pub full: AtomicU64,
    pub retry: AtomicU64,
    pub stolen: AtomicU64,
    pub held: AtomicU64,
    failure: OnceLock<Failure>,
}

impl Counters {
    fn read(&self) -> Counts {
        Counts {
            operations: self.operations.load(Relaxed),
            empty: self.empty.load(Relaxed),
            full: self.full.load(Relaxed),
            retry: self.retry.load(Relaxed),
            stolen: self.stolen.load(Relaxed),
            held: self.held.load(Relaxed),
        }
    }
}

/// Only the thread writes its counters, hence no read-modify-write; the driver may read them at any time.
pub fn count(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Relaxed);
}

/// What a case with several threads fills in.
pub struct Team {
    pub threads: usize,
    /// The first so many have role 0 (producers, the owner), the others role 1.
    pub leaders: usize,
    /// Whether a role's operations are the case's.
    pub counts: [bool; 2],
    pub pinned: bool,
    pub work_ns: u64,
}

struct Shared {
    phase: AtomicU32,
    started: AtomicU32,
    work_turns: u64,
    /// More threads than processors: a waiting one gives way.
    crowded: bool,
}

/// A thread of a case.
pub struct Thread<'a> {
    pub counters: &'a Counters,
    pub index: usize,
    pub is_leader: bool,
    pub latency: Latency,
    shared: &'a Shared,
    misses: u32,
    random: u64,
}

impl<'a> Thread<'a> {
    fn new(shared: &'a Shared, counters: &'a Counters, index: usize, is_leader: bool) -> Self {
        let (latency, random) = (Latency::default(), index as u64 + 1);
        Thread { counters, index, is_leader, latency, shared, misses: 0, random }
    }

    pub fn goes_on(&self) -> bool {
        self.shared.phase.load(Relaxed) != STOP
    }

    pub fn is_measured(&self) -> bool {
        self.shared.phase.load(Relaxed) == MEASURE
    }

    /// Notes what is wrong, if it is the first.
    #[cold]
    pub fn fail(&self, failure: Failure) {
        let _ = self.counters.failure.set(failure);
    }

    pub fn has_failed(&self) -> bool {
        self.counters.failure.get().is_some()
    }

    /// Before one tries again.
    pub fn pause(&mut self) {
        self.misses = self.misses.wrapping_add(1);
        if self.shared.crowded || self.misses % PATIENCE == 0 {
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }

    pub fn work(&mut self) {
        work::work(self.shared.work_turns, &mut self.random);
    }
}

/// A thread's failure, if it met one.
fn failure_in<'a>(counters: impl IntoIterator<Item = &'a Counters>) -> Result<(), Failure> {
    counters.into_iter().find_map(|counters| counters.failure.get().copied()).map_or(Ok(()), Err)
}

/// Runs `round` again and again; it counts at least one operation a call and few enough to take some microseconds.
pub fn run_alone(index: usize, extent: &Extent, mut round: impl FnMut(&mut Thread)) -> Outcome {
    let shared = Shared { phase: AtomicU32::new(MEASURE), started: AtomicU32::new(1), work_turns: 0, crowded: false };
    let counters = Counters::default();
    let mut thread = Thread::new(&shared, &counters, index, true);
    let start = Instant::now();
    let mut window;
    loop {
        round(&mut thread);
        window = start.elapsed();
        failure_in([&counters])?;
        let done = counters.operations.load(Relaxed);
        if if extent.operations > 0 { done >= extent.operations } else { window >= extent.window } {
            break;
        }
    }
    let counts = counters.read();
    Ok(Figures { window, counts, fairness: None, latency: thread.latency, all_operations: counts.operations })
}

struct Snapshot {
    at: Instant,
    counts: Vec<Counts>,
}

impl Snapshot {
    fn take(counters: &[Counters]) -> Snapshot {
        Snapshot { at: Instant::now(), counts: counters.iter().map(Counters::read).collect() }
    }
}

impl Team {
    fn is_leader(&self, index: usize) -> bool {
        index < self.leaders
    }

    fn is_counted(&self, index: usize) -> bool {
        self.counts[usize::from(!self.is_leader(index))]
    }

    /// Runs `body` in each thread.
    pub fn run(&self, extent: &Extent, body: impl Fn(&mut Thread) + Sync) -> Outcome {
        if extent.operations > 0 {
            return Err("a number of operations is for cases of one thread");
        }
        let shared = Shared {
            phase: AtomicU32::new(WAIT),
            started: AtomicU32::new(0),
            work_turns: work::spin_turns(self.work_ns),
            crowded: self.threads > work::processors(),
        };
        let counters: Vec<Counters> = (0..self.threads).map(|_| Counters::default()).collect();
        let mut latency = Latency::default();
        let (window, counts) = thread::scope(|scope| {
            let members = self.start(scope, &shared, &counters, &body)?;
            let figures = self.run_window(extent, &shared, &counters);
            members.into_iter().for_each(|member| latency.add(&member.join().unwrap()));
            Ok::<_, Failure>(figures)
        })?;
        failure_in(&counters)?;
        let everything: Vec<Counts> = counters.iter().map(Counters::read).collect();
        let all_operations = self.sum(&everything).operations;
        Ok(Figures { window, counts: self.sum(&counts), fairness: self.fairness(&counts), latency, all_operations })
    }

    /// All of them, waiting for the phase to change.
    fn start<'scope, 'env>(
        &'env self,
        scope: &'scope thread::Scope<'scope, 'env>,
        shared: &'env Shared,
        counters: &'env [Counters],
        body: &'env (impl Fn(&mut Thread) + Sync),
    ) -> Result<Vec<thread::ScopedJoinHandle<'scope, Latency>>, Failure> {
        let mut members = Vec::new();
        for (index, counters) in counters.iter().enumerate() {
            let member = move || self.member(Thread::new(shared, counters, index, self.is_leader(index)), body);
            members.push(thread::Builder::new().spawn_scoped(scope, member).map_err(|_| {
                shared.phase.store(STOP, Release);
                "a thread cannot be started"
            })?);
        }
        while (shared.started.load(Acquire) as usize) < self.threads {
            thread::yield_now();
        }
        Ok(members)
    }

    /// Operations of those roles only that count.
    fn sum(&self, counts: &[Counts]) -> Counts {
        let counted = |(i, one): (usize, &Counts)| {
            let operations = if self.is_counted(i) { one.operations } else { 0 };
            Counts { operations, ..*one }
        };
        counts.iter().enumerate().map(counted).fold(Counts::default(), |a, b| a.combine(b, |a, b| a + b))
    }

    fn member(&self, mut thread: Thread, body: &(impl Fn(&mut Thread) + Sync)) -> Latency {
        if self.pinned {
            work::pin(thread.index);
        }
        let shared = thread.shared;
        shared.started.fetch_add(1, Release);
        while shared.phase.load(Acquire) == WAIT {
            thread::yield_now();
        }
        body(&mut thread);
        thread.latency
    }

    /// With every thread started: lets them run and looks twice. What each did in between.
    fn run_window(&self, extent: &Extent, shared: &Shared, counters: &[Counters]) -> (Duration, Vec<Counts>) {
        shared.phase.store(WARM, Release);
        thread::sleep(extent.window / WARM_SHARE);
        shared.phase.store(MEASURE, Release);
        let from = Snapshot::take(counters);
        loop {
            thread::sleep(extent.window);
            let to = Snapshot::take(counters);
            let window = to.at - from.at;
            let both = to.counts.iter().zip(&from.counts);
            let counts: Vec<Counts> = both.map(|(to, from)| to.combine(*from, |a, b| a - b)).collect();
            let done = (0..self.threads).any(|i| self.is_counted(i) && counts[i].operations > 0);
            if done || window >= EXTENDED_MOST {
                shared.phase.store(STOP, Release);
                return (window, counts);
            }
        }
    }

    /// The slowest ÷ the fastest of each role, and of the roles the worse; None: each thread is alone in its role.
    fn fairness(&self, counts: &[Counts]) -> Option<f64> {
        let (leaders, others) = counts.split_at(self.leaders);
        let roles = [leaders, others].into_iter().filter(|role| role.len() > 1);
        let ratio = |role: &[Counts]| {
            let operations = || role.iter().map(|counts| counts.operations);
            let (least, most) = (operations().min().unwrap_or(0), operations().max().unwrap_or(0));
            if most > 0 {
                least as f64 / most as f64
            } else {
                1.0
            }
        };
        roles.map(ratio).reduce(f64::min)
    }
}
