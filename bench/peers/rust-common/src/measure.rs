//! Warm-up, samples, and the JSON that comes of them.

use crate::cli::RunOptions;
use crate::json;
use crate::process;
use crate::runtime::Runtime;
use crate::workload::{Outcome, Setup, Workload};
use std::time::{Duration, Instant};

const WARM_UP_ITERATIONS: usize = 3;
const LEAST_ITERATIONS: usize = 5;

#[derive(Default)]
struct Measured {
    samples_ns: Vec<u64>,
    cpu_ns: u64,
    latency: String,
    counters: Vec<(&'static str, u64)>,
}

/// Prints the result. What was found wrong, if anything; Err: what this machine lacks.
pub fn run<R: Runtime>(options: &RunOptions<R>) -> Result<Option<String>, String> {
    let entry = options.entry;
    let runtime = R::start(options.workers).map_err(|error| format!("the runtime cannot start: {error}"))?;
    let setup = Setup { runtime: runtime.clone(), workers: options.workers, seed: options.seed };
    let mut workload = (entry.setup)(&setup).map_err(|error| format!("{}: {error}", entry.name))?;
    let mut measured = Measured { latency: "null".into(), ..Measured::default() };
    let outcome = measure(&mut *workload, &runtime, options, &mut measured);
    let end = workload.finish(&runtime);
    let failure = outcome.and(end).err();
    print_json(options, &measured, failure.as_deref());
    Ok(failure.map(|what| format!("{}: {what}", entry.name)))
}

/// Ends early if an iteration fails.
fn measure<R: Runtime>(
    workload: &mut dyn Workload<R>,
    runtime: &R,
    options: &RunOptions<R>,
    measured: &mut Measured,
) -> Outcome {
    if options.iterations == 0 {
        warm_up(workload, runtime, options)?;
    }
    if let Some(latency) = workload.latency() {
        latency.clear(); // the warm-up's are not counted
    }
    let (cpu, before) = (process::cpu_ns(), runtime.counters());
    let start = Instant::now();
    loop {
        let began = Instant::now();
        workload.iterate(runtime)?;
        let duration = began.elapsed().as_nanos() as u64;
        measured.samples_ns.push(workload.value_ns().unwrap_or(duration));
        if is_enough(options, measured.samples_ns.len(), start.elapsed()) {
            break;
        }
    }
    measured.cpu_ns = process::cpu_ns() - cpu;
    let after = runtime.counters().into_iter().zip(before);
    measured.counters = after.map(|((name, after), (_, before))| (name, after - before)).collect();
    if let Some(latency) = workload.latency() {
        measured.latency = latency.to_json();
    }
    Ok(())
}

/// Three iterations, or a tenth of the budget where they are long.
fn warm_up<R: Runtime>(workload: &mut dyn Workload<R>, runtime: &R, options: &RunOptions<R>) -> Outcome {
    let start = Instant::now();
    for _ in 0..WARM_UP_ITERATIONS {
        workload.iterate(runtime)?;
        if start.elapsed() > Duration::from_millis(options.budget_ms) / 10 {
            break;
        }
    }
    Ok(())
}

/// Five iterations at least, unless they would take twice the budget.
fn is_enough<R>(options: &RunOptions<R>, iterations: usize, elapsed: Duration) -> bool {
    let budget = Duration::from_millis(options.budget_ms);
    if options.iterations > 0 {
        return iterations as u64 == options.iterations;
    }
    elapsed >= 2 * budget || (elapsed >= budget && iterations >= LEAST_ITERATIONS)
}

/// 0 of nothing.
fn median(samples: &[u64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    match sorted.len() {
        0 => 0.0,
        n => (sorted[(n - 1) / 2] as f64 + sorted[n / 2] as f64) / 2.0,
    }
}

fn print_json<R: Runtime>(options: &RunOptions<R>, measured: &Measured, failure: Option<&str>) {
    let entry = options.entry;
    let ops = entry.ops * if entry.ops_per_worker { options.workers as u64 } else { 1 };
    let null = || "null".to_string();
    let fields = [
        ("peer", json::string(R::PEER)),
        ("workload", json::string(&entry.name)),
        ("queue", null()),
        ("deque", null()),
        ("reactor", null()),
        ("workers", options.workers.to_string()),
        ("seed", options.seed.to_string()),
        ("iterations", measured.samples_ns.len().to_string()),
        ("ops_per_iteration", ops.to_string()),
        ("median_ns", format!("{:.1}", median(&measured.samples_ns))),
        ("latency_ns", measured.latency.clone()),
        ("samples_ns", json::array(&measured.samples_ns)),
        ("checked", failure.is_none().to_string()),
        ("check", json::string(failure.unwrap_or(&entry.check))),
        ("peak_rss_kib", process::peak_rss_kib().to_string()),
        ("cpu_ns", measured.cpu_ns.to_string()),
        ("counters", json::object(measured.counters.iter().copied())),
    ];
    println!("{}", json::object(fields));
}
