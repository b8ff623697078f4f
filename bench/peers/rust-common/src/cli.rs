//! The command line.

use crate::json;
use crate::process::online_processors;
use crate::runtime::Runtime;
use crate::workload::Entry;

/// More is a typing error.
const WORKERS_MAX: usize = 1024;
const KNOWN: &str =
    "--workload, --workers, --budget-ms, --iterations, --seed, --serve, --port, --unix, --list, --json, --help";

pub struct RunOptions<'a, R> {
    pub entry: &'a Entry<R>,
    pub workers: usize,
    pub budget_ms: u64,
    /// Exactly so many, without warm-up; 0: as the budget has it.
    pub iterations: u64,
    pub seed: u64,
}

pub struct ServeOptions {
    pub service: String,
    pub workers: usize,
    pub port: u16,
    /// A Unix socket instead of the port.
    pub path: Option<String>,
}

impl ServeOptions {
    pub fn place(&self) -> String {
        self.path.as_ref().map_or(format!("127.0.0.1:{}", self.port), |path| format!("unix:{path}"))
    }
}

pub enum Request<'a, R> {
    Run(RunOptions<'a, R>),
    Serve(ServeOptions),
    List { json: bool },
    Help,
}

pub fn parse<R: Runtime>(
    table: &[Entry<R>],
    mut arguments: impl Iterator<Item = String>,
) -> Result<Request<'_, R>, String> {
    let (mut workload, mut service, mut list, mut json) = (None, None, false, false);
    let (mut workers, mut budget_ms, mut iterations, mut seed) = (default_workers(), 300, 0, 1);
    let (mut port, mut path) = (0, None);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{flag} wants a value after it"));
        match flag.as_str() {
            "--workload" => workload = Some(find(table, &value()?)?),
            "--workers" => workers = number(&flag, &value()?, 1, WORKERS_MAX as u64)? as usize,
            "--budget-ms" => budget_ms = number(&flag, &value()?, 1, 3_600_000)?,
            "--iterations" => iterations = number(&flag, &value()?, 1, 1_000_000_000)?,
            "--seed" => seed = number(&flag, &value()?, 0, u64::MAX)?,
            "--serve" => service = Some(find_service::<R>(value()?)?),
            "--port" => port = number(&flag, &value()?, 0, u16::MAX.into())? as u16,
            "--unix" => path = Some(find_unix::<R>(value()?)?),
            "--list" => list = true,
            "--json" => json = true,
            "--help" | "-h" => return Ok(Request::Help),
            _ => return Err(format!("unknown flag '{flag}'; there are: {KNOWN}")),
        }
    }
    if list {
        return Ok(Request::List { json });
    }
    if let Some(service) = service {
        if path.is_some() && service != "echo" {
            return Err(format!("--unix: {service} is served on TCP only"));
        }
        return Ok(Request::Serve(ServeOptions { service, workers, port, path }));
    }
    let entry = workload.ok_or_else(|| format!("--workload is missing; there are: {}", names(table)))?;
    let workers = if entry.workers > 0 { entry.workers } else { workers };
    Ok(Request::Run(RunOptions { entry, workers, budget_ms, iterations, seed }))
}

fn find<'a, R>(table: &'a [Entry<R>], name: &str) -> Result<&'a Entry<R>, String> {
    let found = table.iter().find(|entry| entry.name == name);
    found.ok_or_else(|| format!("unknown workload '{name}'; there are: {}", names(table)))
}

fn find_service<R: Runtime>(name: String) -> Result<String, String> {
    if R::SERVICES.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(format!("--serve knows no '{name}'; there are: {}", R::SERVICES.join(", ")))
}

fn find_unix<R: Runtime>(path: String) -> Result<String, String> {
    if R::TRANSPORTS.contains(&"unix") {
        return Ok(path);
    }
    Err(format!("--unix: {} serves on TCP only", R::PROGRAM))
}

fn names<R>(table: &[Entry<R>]) -> String {
    table.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn number(flag: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("{flag} wants a whole number from {least} to {most}, not '{text}'")),
    }
}

fn default_workers() -> usize {
    online_processors().min(WORKERS_MAX)
}

pub fn print_help<R: Runtime>(table: &[Entry<R>]) {
    println!(
        "usage: {} --workload NAME [flag]...\n       {0} --serve {} [--workers N] [--port P]\n\
         Runs one workload on {} and prints one JSON object; or serves on 127.0.0.1 until SIGTERM.\n\n  \
         --workload NAME    one of: {}\n  \
         --workers N        worker threads (default: the online processors, {})\n  \
         --budget-ms MS     how long to measure (default 300)\n  \
         --iterations N     exactly so many and no warm-up, for counting instructions\n  \
         --seed S           of messages and random picks; not of the runtime's own choices (default 1)\n  \
         --serve NAME       one of: {}\n  \
         --port P           0: any free one (default 0)\n  \
         --unix PATH        echo on a Unix socket instead, whose path is free (where the runtime has them)\n  \
         --list [--json]    the workloads\n  \
         --help             this text\n\n\
         Exit status: 0 ok, 1 a check failed, 2 wrong usage, 77 the machine lacks what the workload needs.",
        R::PROGRAM,
        R::SERVICES.join("|"),
        R::PEER,
        names(table),
        default_workers(),
        R::SERVICES.join(", "),
    );
}

pub fn print_list<R: Runtime>(table: &[Entry<R>], json: bool) {
    if json {
        let rows = json::array(table.iter().map(row_json));
        let serves = json::array(R::SERVICES.iter().map(|name| json::string(name)));
        let transports = json::array(R::TRANSPORTS.iter().map(|name| json::string(name)));
        println!(
            "{}",
            json::object([
                ("peer", json::string(R::PEER)),
                ("workloads", rows),
                ("serves", serves),
                ("transports", transports)
            ])
        );
        return;
    }
    for entry in table {
        println!("{:32} {}", entry.name, entry.summary);
    }
}

fn row_json<R>(entry: &Entry<R>) -> String {
    json::object([
        ("name", json::string(&entry.name)),
        ("summary", json::string(&entry.summary)),
        ("check", json::string(&entry.check)),
        ("measures", json::string(entry.measures)),
        ("effort", json::string(entry.effort)),
        ("ops", entry.ops.to_string()),
        ("ops_per_worker", entry.ops_per_worker.to_string()),
        ("workers", entry.workers.to_string()),
    ])
}
