//! Runs cases and prints what came of them, as Google Benchmark does.

use crate::case::Case;
use crate::cli::Options;
use crate::driver::Figures;
use crate::work::processors;
use std::fs;
use workload_common::{json, process};

/// What was found wrong.
pub fn run(cases: &[Case], options: &Options) -> Vec<String> {
    let (mut entries, mut failures) = (Vec::new(), Vec::new());
    for case in cases {
        for repetition in 0..options.repetitions {
            reset_peak_rss();
            let before_kib = process::peak_rss_kib();
            let outcome =
                (case.run)(&case.parameters, &options.extent).and_then(|figures| match figures.counts.operations {
                    0 => Err("no operation succeeded in the window"),
                    _ => Ok(figures),
                });
            let mut fields = header(case, options, repetition);
            match outcome {
                Ok(figures) => fields.extend(measured(&figures, before_kib)),
                Err(failure) => {
                    fields.extend([("error_occurred", "true".into()), ("error_message", json::string(failure))]);
                    failures.push(format!("{}: {failure}", case.name));
                }
            }
            if !options.json {
                print_line(&fields);
            }
            entries.push(json::object(fields));
        }
    }
    if options.json {
        println!("{}", json::object([("context", context()), ("benchmarks", json::array(entries))]));
    }
    failures
}

type Fields = Vec<(&'static str, String)>;

fn header(case: &Case, options: &Options, repetition: u64) -> Fields {
    vec![
        ("name", json::string(&case.name)),
        ("run_name", json::string(&case.name)),
        ("run_type", json::string("iteration")),
        ("repetitions", options.repetitions.to_string()),
        ("repetition_index", repetition.to_string()),
        ("threads", "1".into()),
    ]
}

/// Time is per successful operation, over all threads; failed operations are per successful one.
fn measured(figures: &Figures, before_kib: u64) -> Fields {
    let counts = &figures.counts;
    let operations = counts.operations as f64;
    let ns = figures.window.as_nanos() as f64 / operations;
    let per_operation = |name, n: u64| (name, format!("{:e}", n as f64 / operations));
    let peak_kib = process::peak_rss_kib();
    let mut fields = vec![
        ("iterations", counts.operations.to_string()),
        ("real_time", format!("{ns:e}")),
        ("cpu_time", format!("{ns:e}")),
        ("time_unit", json::string("ns")),
        ("items_per_second", format!("{:e}", 1e9 / ns)),
        per_operation("empty", counts.empty),
        per_operation("full", counts.full),
        per_operation("retry", counts.retry),
        per_operation("stolen", counts.stolen),
        per_operation("held", counts.held),
        ("peak_rss_kib", peak_kib.to_string()),
        ("grown_kib", peak_kib.saturating_sub(before_kib).to_string()),
    ];
    fields.extend(figures.fairness.map(|fairness| ("fairness", format!("{fairness:e}"))));
    if figures.latency.count() > 0 {
        let names = ["p50", "p90", "p99", "p99_9", "p99_99"];
        let values = figures.latency.percentiles().map(|(_, ns)| ns.to_string());
        fields.extend(names.into_iter().zip(values));
        fields.push(("latency_max", figures.latency.percentile(1.0).to_string()));
        fields.push(("latency_count", figures.latency.count().to_string()));
    }
    fields
}

fn context() -> String {
    json::object([
        ("executable", json::string(&std::env::args().next().unwrap_or_default())),
        ("num_cpus", processors().to_string()),
        ("library_build_type", json::string(if cfg!(debug_assertions) { "debug" } else { "release" })),
    ])
}

fn print_line(fields: &Fields) {
    let of = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.trim_matches('"'));
    let name = of("name").unwrap_or_default();
    match of("real_time").and_then(|ns| ns.parse::<f64>().ok()) {
        Some(ns) => println!("{name:60} {ns:10.1} ns"),
        None => println!("{name:60} ERROR: {}", of("error_message").unwrap_or_default()),
    }
}

/// proc(5): writing 5 resets the high-water mark to what is resident now.
fn reset_peak_rss() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}
