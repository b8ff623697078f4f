//! The peers: queues and deques of crossbeam and st3, in the loops of bench/micro_queue.h and bench/micro_deque.h, with
//! the same cases, names and checks, and output as Google Benchmark's.
//!
//! What could be held against the comparison:
//! - The loops are written anew in Rust. They do the same, step for step, but another compiler made them (LLVM, with
//!   fat LTO and panic = "abort"). Without the structure, `pairs/1` takes about 65 instructions an operation, ours
//!   about 85; `owner/depth:64` over a plain array 66 and ours 70, `owner/depth:1` 83 and ours 91.
//! - The peers carry pointers as values and allocate what holds them; most of ours link nodes that the item brings
//!   along. Nobody else touches an item here (item.rs), so only those that link it bring its cache line from thread to
//!   thread; a runtime reads the task that came out, and pays for that line either way.
//! - SegQueue and ArrayQueue have no operation for a batch: it is moved one by one. The Injector's batch goes by way of
//!   a worker of the consumer's, as its authors mean it to be used; so an item is moved twice.
//! - crossbeam's deques steal half, at most so many as the case says. They start with room for 64, which cannot be
//!   chosen; so growth starts there and not from 2. Ours hand out the oldest of a batch to be run at once; st3 the
//!   newest.
//! - st3's deques are bounded. What crossbeam's still refer to is freed by its epochs, which the threads here do not
//!   help along; ours tell their quiescent states.
//! - Atomics are not counted here, nor allocations: those figures are of the C program alone.

mod case;
mod cli;
mod deque;
mod deque_cases;
mod deques;
mod driver;
mod item;
mod queue;
mod queue_cases;
mod queues;
mod report;
mod work;

use case::Case;
use cli::Request;
use std::process::ExitCode;
use workload_common::{EXIT_CHECK_FAILED, EXIT_USAGE};

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(message) => return refuse(&message, EXIT_USAGE),
    };
    let Request::Work(options) = request else {
        cli::print_help();
        return ExitCode::SUCCESS;
    };
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| options.filter.lets_through(&case.name)).collect();
    if cases.is_empty() {
        return refuse(&format!("no case matches \"{}\"; --list-cases lists them", options.filter), EXIT_USAGE);
    }
    if let Some(list) = options.list {
        case::print(&cases, list);
        return ExitCode::SUCCESS;
    }
    let failures = report::run(&cases, &options);
    for failure in &failures {
        eprintln!("micro-rust: {failure}");
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_CHECK_FAILED)
    }
}

fn all_cases() -> Vec<Case> {
    let mut cases = queue_cases::of::<queues::SegQueue>();
    cases.extend(queue_cases::of::<queues::ArrayQueue>());
    cases.extend(queue_cases::of::<queues::Injector>());
    cases.extend(deque_cases::of::<deques::Crossbeam<true>>());
    cases.extend(deque_cases::of::<deques::Crossbeam<false>>());
    cases.extend(deque_cases::of::<deques::St3Lifo>());
    cases.extend(deque_cases::of::<deques::St3Fifo>());
    cases
}

fn refuse(message: &str, code: u8) -> ExitCode {
    eprintln!("micro-rust: {message}");
    ExitCode::from(code)
}
