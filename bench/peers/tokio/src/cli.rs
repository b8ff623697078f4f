//! The command line.

use crate::workloads::{self, Entry};

pub const PEER: &str = "tokio 1.54.1";
/// What `enable_all` and Linux allow; more is a typing error.
const WORKERS_MAX: usize = 1024;

pub struct Options {
    pub workload: &'static Entry,
    pub workers: usize,
    pub budget_ms: u64,
    /// Exactly so many, without warm-up; 0: as the budget has it.
    pub iterations: u64,
    pub seed: u64,
}

pub enum Request {
    Run(Options),
    List { json: bool },
    Help,
}

pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let (mut workload, mut list, mut json) = (None, false, false);
    let (mut workers, mut budget_ms, mut iterations, mut seed) = (online_processors(), 300, 0, 1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{flag} wants a value after it"));
        match flag.as_str() {
            "--workload" => workload = Some(find(&value()?)?),
            "--workers" => workers = number(&flag, &value()?, 1, WORKERS_MAX as u64)? as usize,
            "--budget-ms" => budget_ms = number(&flag, &value()?, 1, 3_600_000)?,
            "--iterations" => iterations = number(&flag, &value()?, 1, 1_000_000_000)?,
            "--seed" => seed = number(&flag, &value()?, 0, u64::MAX)?,
            "--list" => list = true,
            "--json" => json = true,
            "--help" | "-h" => return Ok(Request::Help),
            _ => {
                let known = "--workload, --workers, --budget-ms, --iterations, --seed, --list, --json, --help";
                return Err(format!("unknown flag '{flag}'; there are: {known}"));
            }
        }
    }
    if list {
        return Ok(Request::List { json });
    }
    let workload = workload.ok_or(format!("--workload is missing; there are: {}", names()))?;
    Ok(Request::Run(Options { workload, workers, budget_ms, iterations, seed }))
}

fn find(name: &str) -> Result<&'static Entry, String> {
    let found = workloads::ALL.iter().find(|entry| entry.name == name);
    found.ok_or_else(|| format!("unknown workload '{name}'; there are: {}", names()))
}

fn names() -> String {
    workloads::ALL.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

fn number(flag: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("{flag} wants a whole number from {least} to {most}, not '{text}'")),
    }
}

fn online_processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(WORKERS_MAX))
}

pub fn print_help() {
    println!(
        "usage: tokio-workload --workload NAME [flag]...\n\
         Runs one workload on {PEER} and prints one JSON object.\n\n  \
         --workload NAME    one of: {}\n  \
         --workers N        worker threads (default: the online processors, {})\n  \
         --budget-ms MS     how long to measure (default 300)\n  \
         --iterations N     exactly so many and no warm-up, for counting instructions\n  \
         --seed S           of the messages of echo; tokio's own random choices cannot be seeded (default 1)\n  \
         --list [--json]    the workloads\n  \
         --help             this text\n\n\
         Exit status: 0 ok, 1 a check failed, 2 wrong usage.",
        names(),
        online_processors()
    );
}

pub fn print_list(json: bool) {
    if !json {
        for entry in workloads::ALL {
            println!("{:24} {}", entry.name, entry.summary);
        }
        return;
    }
    let rows: Vec<String> = workloads::ALL
        .iter()
        .map(|entry| {
            let (name, summary, ops) = (entry.name, entry.summary, entry.ops);
            format!("{{\"name\":\"{name}\",\"summary\":\"{summary}\",\"ops\":{ops}}}")
        })
        .collect();
    println!("{{\"peer\":\"{PEER}\",\"workloads\":[{}]}}", rows.join(","));
}
