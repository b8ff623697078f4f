//! Which runs of a queue there are: those of bench/micro_queue_cases.c.

use crate::case::{rungs, Case, Parameters, Run};
use crate::queue::{self, Queue};
use crate::work::processors;

pub fn of<Q: Queue>() -> Vec<Case> {
    let n = processors();
    let mut cases = alone::<Q>();
    cases.extend(ladder::<Q>(n));
    cases.extend(lopsided::<Q>(n));
    cases.extend(varied::<Q>(1));
    if n > 1 {
        cases.extend(varied::<Q>(n));
    }
    cases.extend(mixtures::<Q>(n));
    cases.extend(latencies::<Q>(n));
    cases
}

fn case<Q: Queue>(shape: String, run: Run, parameters: Parameters) -> Case {
    Case::new("queue", Q::NAME, shape, run, parameters)
}

fn alone<Q: Queue>() -> Vec<Case> {
    let burst = |depth, shape: String| case::<Q>(shape, queue::burst::<Q>, Parameters { depth, ..Default::default() });
    vec![
        burst(1, "pairs/1".into()).core(true),
        burst(64, "burst/64".into()),
        burst(1024, "burst/1024".into()),
        case::<Q>("pairs/batch:32".into(), queue::batches::<Q>, Parameters { batch: 32, ..Default::default() }),
        case::<Q>("empty/1".into(), queue::empty::<Q>, Parameters::default()),
    ]
}

/// `more` of the name: what is varied.
fn transfer<Q: Queue>(parameters: Parameters, more: &str) -> Case {
    let parameters = Parameters { batch: parameters.batch.max(1), ..parameters };
    let Parameters { producers, consumers, batch, .. } = parameters;
    case::<Q>(format!("transfer/{producers}:{consumers}/batch:{batch}{more}"), queue::transfer::<Q>, parameters)
}

fn between(producers: usize, consumers: usize) -> Parameters {
    Parameters { producers, consumers, ..Default::default() }
}

/// From 1:1 to four threads a processor.
fn ladder<Q: Queue>(processors: usize) -> Vec<Case> {
    let rung = |batch, n| {
        let core = n == processors || (batch == 1 && (n == 1 || n == processors / 2));
        transfer::<Q>(Parameters { batch, ..between(n, n) }, "").scaled(2 * n).core(core)
    };
    let curve = |batch| rungs(1, 2 * processors).map(move |n| rung(batch, n));
    curve(1).chain(curve(32)).collect()
}

fn lopsided<Q: Queue>(processors: usize) -> Vec<Case> {
    let many = (2 * processors - 1).max(2);
    vec![transfer::<Q>(between(1, many), ""), transfer::<Q>(between(many, 1), "")]
}

/// One thing more, at 1:1 and with a producer and a consumer for each processor.
fn varied<Q: Queue>(n: usize) -> Vec<Case> {
    let plain = between(n, n);
    let mut cases = Vec::new();
    for (batch, work_ns, capacity) in [(8, 50, 64), (128, 500, 1024)] {
        cases.push(transfer::<Q>(Parameters { batch, ..plain }, ""));
        cases.push(transfer::<Q>(Parameters { work_ns, ..plain }, &format!("/work:{work_ns}")));
        if Q::BOUNDED {
            cases.push(transfer::<Q>(Parameters { capacity, ..plain }, &format!("/capacity:{capacity}")));
        }
    }
    cases.push(transfer::<Q>(Parameters { pinned: true, ..plain }, "/pinned"));
    cases
}

fn mixtures<Q: Queue>(processors: usize) -> Vec<Case> {
    let n = processors.max(2);
    let mixture = |threads, parameters, more: &str| {
        let parameters = Parameters { threads, batch: 1, ..parameters };
        case::<Q>(format!("mixed/{threads}{more}"), queue::mixture::<Q>, parameters)
    };
    let plain = Parameters::default();
    let rung = |threads| mixture(threads, plain, "").scaled(threads).core(threads == n);
    let curve = rungs(2, 4 * processors).map(rung);
    curve
        .chain([
            mixture(n, Parameters { work_ns: 50, ..plain }, "/work:50"),
            mixture(n, Parameters { work_ns: 500, ..plain }, "/work:500"),
            mixture(n, Parameters { prefill: 1024, ..plain }, "/prefill:1024"),
            mixture(n, Parameters { pinned: true, ..plain }, "/pinned"),
        ])
        .collect()
}

fn latencies<Q: Queue>(processors: usize) -> Vec<Case> {
    let latency = |n, rate_hz| {
        let parameters = Parameters { batch: 1, rate_hz, ..between(n, n) };
        let shape = format!("latency/{n}:{n}/rate:{rate_hz}");
        case::<Q>(shape, queue::latency::<Q>, parameters).measures("p99 latency")
    };
    let mut cases = vec![latency(1, 100_000).core(true), latency(1, 1_000_000)];
    if processors > 1 {
        cases.push(latency(processors, 100_000));
    }
    cases
}
