//! Which runs of a deque there are: those of bench/micro_deque.c.

use crate::case::{rungs, Case, Parameters, Run};
use crate::deque::{self, Deque, CAPACITY_DEFAULT};
use crate::work::processors;

const STEAL_BATCH: usize = 64; // the executor's default
const FEW: usize = 3;

pub fn of<D: Deque>() -> Vec<Case> {
    let n = processors();
    let mut cases = alone::<D>();
    cases.extend(rungs(2, 4 * n).flat_map(|threads| grains::<D>(threads - 1, n)));
    cases.extend(variations::<D>(if n > 2 { n - 1 } else { 1 }));
    cases
}

fn case<D: Deque>(shape: String, run: Run, parameters: Parameters) -> Case {
    let capacity = parameters.capacity.max(CAPACITY_DEFAULT);
    Case::new(
        "deque",
        D::NAME,
        shape,
        run,
        Parameters {
            capacity,
            ..parameters
        },
    )
}

fn alone<D: Deque>() -> Vec<Case> {
    let owner = |depth| {
        let parameters = Parameters {
            depth,
            capacity: depth,
            ..Default::default()
        };
        case::<D>(
            format!("owner/depth:{depth}"),
            deque::owner::<D>,
            parameters,
        )
        .core(depth == 64)
    };
    let plain = |shape: &str, run| case::<D>(shape.into(), run, Parameters::default());
    let mut cases: Vec<_> = [1, 64, 1024].into_iter().map(owner).collect();
    cases.push(plain("empty_pop/1", deque::empty_pop::<D>));
    cases.push(plain("empty_steal/1", deque::empty_steal::<D>));
    if !D::BOUNDED {
        cases.push(plain("growth/1", deque::growth::<D>));
    }
    let theft = |batch| {
        let parameters = Parameters {
            batch,
            ..Default::default()
        };
        case::<D>(
            format!("theft/batch:{batch}"),
            deque::theft::<D>,
            parameters,
        )
    };
    cases.extend([1, 32].map(theft));
    cases
}

fn thieves<D: Deque>(thieves: usize, what: String, parameters: Parameters) -> Case {
    case::<D>(
        format!("thieves/{thieves}/{what}"),
        deque::thieves::<D>,
        Parameters {
            threads: thieves,
            ..parameters
        },
    )
}

/// Few thieves have every grain on whatever machine; beyond, grains between crowded threads say little.
fn grains<D: Deque>(n: usize, processors: usize) -> Vec<Case> {
    let grain = |work_ns: u64| {
        let parameters = Parameters {
            batch: STEAL_BATCH,
            work_ns,
            ..Default::default()
        };
        let core = (n == 1 || n == FEW) && work_ns < 500;
        thieves::<D>(n, format!("grain:{work_ns}"), parameters)
            .scaled(n + 1)
            .core(core)
    };
    let exists = |&work_ns: &u64| work_ns == 0 || n <= FEW || n < processors;
    [0, 50, 500].into_iter().filter(exists).map(grain).collect()
}

fn variations<D: Deque>(n: usize) -> Vec<Case> {
    let steal = |batch| {
        thieves::<D>(
            n,
            format!("steal:{batch}"),
            Parameters {
                batch,
                ..Default::default()
            },
        )
    };
    let pinned = Parameters {
        batch: STEAL_BATCH,
        pinned: true,
        ..Default::default()
    };
    let latency = |rate_hz| {
        let parameters = Parameters {
            threads: 1,
            batch: STEAL_BATCH,
            rate_hz,
            ..Default::default()
        };
        case::<D>(
            format!("latency/1/rate:{rate_hz}"),
            deque::latency::<D>,
            parameters,
        )
        .measures("p99 latency")
    };
    let mut cases: Vec<_> = [1, 8, 128].into_iter().map(steal).collect();
    cases.push(thieves::<D>(n, "pinned".into(), pinned));
    cases.extend([10_000, 100_000].map(latency));
    cases
}
