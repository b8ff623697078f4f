//! The command line: of Google Benchmark's flags those that a harness uses.

use crate::driver::Extent;
use regex_lite::Regex;
use std::fmt;
use std::time::Duration;

const SECONDS_DEFAULT: f64 = 0.5;
const SECONDS_MOST: f64 = 3600.0;
const KNOWN: &str = "--list-cases, --json, --benchmark_list_tests, --benchmark_filter=, --benchmark_min_time=, \
                     --benchmark_repetitions=, --benchmark_format=, --operations=, --help";

#[derive(Clone, Copy, PartialEq)]
pub enum List {
    Names,
    Json,
}

/// A regular expression; or, after a leading '-', what it does not match.
pub struct Filter {
    text: String,
    regex: Regex,
}

impl Filter {
    fn new(text: &str) -> Result<Filter, String> {
        let text = if text == "all" { "." } else { text };
        let regex = Regex::new(text.strip_prefix('-').unwrap_or(text)).map_err(|why| {
            format!("--benchmark_filter wants a regular expression, not \"{text}\": {why}").replace('\n', " ")
        })?;
        Ok(Filter { text: text.into(), regex })
    }

    pub fn lets_through(&self, name: &str) -> bool {
        self.regex.is_match(name) != self.text.starts_with('-')
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub struct Options {
    pub filter: Filter,
    pub extent: Extent,
    pub repetitions: u64,
    pub list: Option<List>,
    pub json: bool,
}

pub enum Request {
    Work(Options),
    Help,
}

pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut options = Options {
        filter: Filter::new(".")?,
        extent: Extent { window: Duration::from_secs_f64(SECONDS_DEFAULT), operations: 0 },
        repetitions: 1,
        list: None,
        json: false,
    };
    for argument in arguments {
        let (flag, value) = argument.split_once('=').unwrap_or((&argument, ""));
        match flag {
            "--list-cases" => options.list = options.list.or(Some(List::Names)),
            "--json" => options.list = Some(List::Json),
            "--benchmark_list_tests" if ["", "true", "1", "yes"].contains(&value) => options.list = Some(List::Names),
            "--benchmark_list_tests" => {}
            "--benchmark_filter" => options.filter = Filter::new(value)?,
            "--benchmark_min_time" => options.extent.window = seconds(value)?,
            "--benchmark_repetitions" => options.repetitions = count(flag, value)?,
            "--operations" => options.extent.operations = count(flag, value)?,
            "--benchmark_format" => options.json = is_json(value)?,
            "--help" | "-h" => return Ok(Request::Help),
            _ => return Err(format!("unknown flag \"{argument}\"; there are: {KNOWN}")),
        }
    }
    Ok(Request::Work(options))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse();
    match number {
        Ok(seconds) if seconds > 0.0 && seconds <= SECONDS_MOST => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("--benchmark_min_time wants seconds, above 0 and up to 3600, not \"{text}\"")),
    }
}

fn count(flag: &str, text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{flag} wants a number of at least 1, not \"{text}\"")),
    }
}

fn is_json(format: &str) -> Result<bool, String> {
    match format {
        "json" => Ok(true),
        "console" => Ok(false),
        _ => Err(format!("--benchmark_format wants console or json, not \"{format}\"")),
    }
}

pub fn print_help() {
    println!(
        "usage: micro-rust [flag]...   queues and deques of Rust crates, as micro measures ours\n  \
         --list-cases               print the cases' names; with --json everything about them\n  \
         --benchmark_filter=REGEX   only the cases whose name matches, or with a leading - does not\n  \
         --benchmark_min_time=S     how long a case is timed, in seconds (default {SECONDS_DEFAULT})\n  \
         --operations=N             instead: a case of one thread does N operations, or a few more\n  \
         --benchmark_repetitions=N  --benchmark_format=console|json  --benchmark_list_tests\n\
         exit status: 0 done, 1 a case failed its check, 2 wrong usage"
    );
}
