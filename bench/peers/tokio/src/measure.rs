//! Warm-up, samples, and the JSON that comes of them.

use crate::cli::{Options, PEER};
use crate::workloads::Workload;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const WARM_UP_ITERATIONS: usize = 3;
const LEAST_ITERATIONS: usize = 5;

/// What the runtime counted; of its metrics, those that are stable.
struct Counters {
    parks: u64,
    busy_ns: u64,
}

struct Measured {
    samples_ns: Vec<u64>,
    cpu_ns: u64,
    counters: Counters,
}

/// Prints the result; false if the check failed.
pub fn run(options: &Options) -> Result<bool, String> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(options.workers)
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    let mut workload = (options.workload.setup)(&runtime, options.seed)
        .map_err(|error| format!("{}: {error}", options.workload.name))?;
    let mut failure = None;
    let measured = measure(&mut *workload, &runtime, options, &mut failure);
    let end = workload.finish(&runtime);
    drop(runtime);
    print_json(options, &measured, &failure.or(end.err()))
}

fn measure(
    workload: &mut dyn Workload,
    runtime: &Runtime,
    options: &Options,
    failure: &mut Option<String>,
) -> Measured {
    let mut iterate = || {
        let start = Instant::now();
        let result = workload.iterate(runtime);
        let elapsed = start.elapsed();
        if let Err(what) = result {
            failure.get_or_insert(what);
        }
        elapsed
    };

    // Three iterations, or a tenth of the budget where they are long.
    let start = Instant::now();
    for _ in 0..if options.iterations > 0 { 0 } else { WARM_UP_ITERATIONS } {
        iterate();
        if start.elapsed() > Duration::from_millis(options.budget_ms) / 10 {
            break;
        }
    }

    let (cpu, before) = (process_cpu_ns(), counters(runtime));
    let start = Instant::now();
    let mut samples_ns = Vec::new();
    loop {
        samples_ns.push(iterate().as_nanos() as u64);
        if is_enough(options, samples_ns.len(), start.elapsed()) {
            break;
        }
    }
    let after = counters(runtime);
    let counters = Counters { parks: after.parks - before.parks, busy_ns: after.busy_ns - before.busy_ns };
    Measured { samples_ns, cpu_ns: process_cpu_ns() - cpu, counters }
}

/// Five iterations at least, unless they would take twice the budget.
fn is_enough(options: &Options, iterations: usize, elapsed: Duration) -> bool {
    let budget = Duration::from_millis(options.budget_ms);
    if options.iterations > 0 {
        return iterations as u64 == options.iterations;
    }
    elapsed >= 2 * budget || (elapsed >= budget && iterations >= LEAST_ITERATIONS)
}

fn counters(runtime: &Runtime) -> Counters {
    let metrics = runtime.metrics();
    let workers = || 0..metrics.num_workers();
    Counters {
        parks: workers().map(|worker| metrics.worker_park_count(worker)).sum(),
        busy_ns: workers().map(|worker| metrics.worker_total_busy_duration(worker).as_nanos() as u64).sum(),
    }
}

fn process_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours, and this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The high-water mark of this program's own memory, 0 if unknown. Not getrusage's ru_maxrss: that survives exec, so it
/// would tell the size of whoever started us.
fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn median(samples: &[u64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle] as f64
    } else {
        (sorted[middle - 1] as f64 + sorted[middle] as f64) / 2.0
    }
}

fn print_json(options: &Options, measured: &Measured, failure: &Option<String>) -> Result<bool, String> {
    let entry = options.workload;
    let samples: Vec<String> = measured.samples_ns.iter().map(u64::to_string).collect();
    let check = failure.as_deref().unwrap_or(entry.check).replace('\\', "\\\\").replace('"', "\\\"");
    println!(
        "{{\"peer\":\"{PEER}\",\"workload\":\"{}\",\"queue\":null,\"deque\":null,\"reactor\":null,\"workers\":{},\
         \"seed\":{},\"iterations\":{},\"ops_per_iteration\":{},\"median_ns\":{:.1},\"samples_ns\":[{}],\
         \"checked\":{},\"check\":\"{check}\",\"peak_rss_kib\":{},\"cpu_ns\":{},\
         \"counters\":{{\"parks\":{},\"busy_ns\":{}}}}}",
        entry.name,
        options.workers,
        options.seed,
        samples.len(),
        entry.ops,
        median(&measured.samples_ns),
        samples.join(","),
        failure.is_none(),
        peak_rss_kib(),
        measured.cpu_ns,
        measured.counters.parks,
        measured.counters.busy_ns,
    );
    if let Some(what) = failure {
        eprintln!("tokio-workload: {}: {what}", entry.name);
    }
    Ok(failure.is_none())
}
