//! A case: what is run, with which parameters, under which name.

use crate::cli::List;
use crate::driver::{Extent, Outcome};
use crate::work::processors;
use workload_common::json;

/// Whatever a case does not use is 0.
#[derive(Clone, Copy, Default)]
pub struct Parameters {
    /// Threads by role.
    pub producers: usize,
    pub consumers: usize,
    /// Those that all do the same, or thieves.
    pub threads: usize,
    /// Items an operation takes at most.
    pub batch: usize,
    /// Items that are pushed before they are popped.
    pub depth: usize,
    /// Items inside before the threads start.
    pub prefill: usize,
    /// Of a bounded implementation; 0: the default.
    pub capacity: usize,
    /// Between operations.
    pub work_ns: u64,
    /// Of each producer, open-loop.
    pub rate_hz: u64,
    /// A thread to a processor.
    pub pinned: bool,
}

pub type Run = fn(&Parameters, &Extent) -> Outcome;

#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub run: Run,
    pub parameters: Parameters,
    part: &'static str,
    implementation: &'static str,
    /// The name without part and implementation.
    shape: String,
    /// One of the few that a comparison runs by default.
    core: bool,
    /// The threads, where the shape's second component scales them.
    scaled: Option<usize>,
    measures: &'static str,
}

impl Case {
    pub fn new(
        part: &'static str,
        implementation: &'static str,
        shape: String,
        run: Run,
        parameters: Parameters,
    ) -> Case {
        let name = format!("{part}/{shape}/{implementation}");
        Case { name, run, parameters, part, implementation, shape, core: false, scaled: None, measures: "duration" }
    }

    pub fn core(mut self, core: bool) -> Case {
        self.core = core;
        self
    }

    pub fn scaled(mut self, threads: usize) -> Case {
        self.scaled = Some(threads);
        self
    }

    pub fn measures(mut self, what: &'static str) -> Case {
        self.measures = what;
        self
    }

    /// Part and shape without the component that is scaled: one for all points of a curve.
    fn base(&self) -> String {
        let mut components: Vec<_> = self.shape.split('/').collect();
        if self.scaled.is_some() {
            components.remove(1);
        }
        format!("{}/{}", self.part, components.join("/"))
    }

    fn to_json(&self) -> String {
        let axis = |x: usize| json::object([("axis", json::string("threads")), ("x", x.to_string())]);
        json::object([
            ("case", json::string(&self.name)),
            ("part", json::string(self.part)),
            ("implementation", json::string(self.implementation)),
            ("shape", json::string(&self.shape)),
            ("base", json::string(&self.base())),
            ("measures", json::string(self.measures)),
            ("order", if self.part == "queue" { json::string("FIFO") } else { "null".into() }),
            ("core", self.core.to_string()),
            ("peer", true.to_string()),
            ("axis", self.scaled.map_or("null".into(), axis)),
        ])
    }
}

pub fn print(cases: &[Case], list: List) {
    match list {
        List::Json => println!("{}", json::array(cases.iter().map(Case::to_json))),
        List::Names => cases.iter().for_each(|case| println!("{}", case.name)),
    }
}

/// The thread counts to measure from `first` on: powers of two, the processors, and last `most`.
pub fn rungs(first: usize, most: usize) -> impl Iterator<Item = usize> {
    let processors = processors();
    let next = move |n| if n < processors && processors < 2 * n { processors } else { 2 * n };
    std::iter::successors(Some(first), move |&n| (n < most).then(|| next(n).min(most)))
}
