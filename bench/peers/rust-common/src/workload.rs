//! A workload: what the program runs, times and checks.

use crate::latency::Latency;
use std::io;

/// Err says what is wrong with what came out.
pub type Outcome = Result<(), String>;

pub trait Workload<R> {
    /// One iteration, over when all of its work is.
    fn iterate(&mut self, runtime: &R) -> Outcome;

    /// The iteration's value, if it is not its duration.
    fn value_ns(&self) -> Option<u64> {
        None
    }

    /// Where iterations record latencies, if they do.
    fn latency(&mut self) -> Option<&mut Latency> {
        None
    }

    /// Ends what setup left running.
    fn finish(&mut self, _runtime: &R) -> Outcome {
        Ok(())
    }
}

/// One that keeps nothing but what its iterations share is a closure.
impl<R, F: FnMut(&R) -> Outcome> Workload<R> for F {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        self(runtime)
    }
}

/// What setup is given.
pub struct Setup<R> {
    pub runtime: R,
    pub workers: usize,
    pub seed: u64,
}

type Make<R> = Box<dyn Fn(&Setup<R>) -> io::Result<Box<dyn Workload<R>>>>;

/// A row of the table of workloads.
pub struct Entry<R> {
    pub name: String,
    pub summary: String,
    /// What is verified, in words.
    pub check: String,
    pub effort: &'static str,
    /// Operations in one iteration.
    pub ops: u64,
    /// `ops` is for each worker.
    pub ops_per_worker: bool,
    /// The workload is about so many; 0: as asked for.
    pub workers: usize,
    /// What an iteration's value is.
    pub measures: &'static str,
    pub setup: Make<R>,
}

impl<R> Entry<R> {
    pub fn new<W: Workload<R> + 'static>(
        name: impl Into<String>,
        ops: u64,
        setup: impl Fn(&Setup<R>) -> W + 'static,
    ) -> Entry<R> {
        Entry::fallible(name, ops, move |given| Ok(setup(given)))
    }

    /// One whose setup may lack something on this machine.
    pub fn fallible<W: Workload<R> + 'static>(
        name: impl Into<String>,
        ops: u64,
        setup: impl Fn(&Setup<R>) -> io::Result<W> + 'static,
    ) -> Entry<R> {
        Entry {
            name: name.into(),
            summary: String::new(),
            check: String::new(),
            effort: "core",
            ops,
            ops_per_worker: false,
            workers: 0,
            measures: "duration",
            setup: Box::new(move |given| Ok(Box::new(setup(given)?))),
        }
    }

    pub fn described(mut self, summary: impl Into<String>, check: impl Into<String>) -> Entry<R> {
        (self.summary, self.check) = (summary.into(), check.into());
        self
    }

    pub fn wide(self) -> Entry<R> {
        self.wide_unless(false)
    }

    pub fn wide_unless(mut self, core: bool) -> Entry<R> {
        self.effort = if core { "core" } else { "wide" };
        self
    }

    pub fn long(mut self) -> Entry<R> {
        self.effort = "long";
        self
    }

    pub fn per_worker(mut self) -> Entry<R> {
        self.ops_per_worker = true;
        self
    }

    pub fn on_one_worker(mut self) -> Entry<R> {
        self.workers = 1;
        self
    }

    pub fn measures(mut self, what: &'static str) -> Entry<R> {
        self.measures = what;
        self
    }
}

/// Ok if `found` is what it should be.
pub fn expect(what: &str, found: u64, wanted: u64) -> Outcome {
    if found == wanted {
        Ok(())
    } else {
        Err(format!("{what}: {found}, not {wanted}"))
    }
}
