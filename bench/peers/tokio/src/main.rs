//! The peer: the workloads of bench/wl_*.c on tokio, with the same command line and the same JSON.
//!
//! The first seven are tokio's own benchmark of its multi-thread scheduler (benches/rt_multi_threaded.rs of its
//! repository): same task counts, same structure, and the runtime built the same way (`enable_all`, so its workers
//! park in the I/O driver), but with as many workers as asked for.
//!
//! What could be held against the comparison:
//! - tokio offers more than Stealyard does (task-locals, tracing hooks, panics caught for each task; here a panic
//!   aborts), and pays for some of it in each poll.
//! - Its tasks are what rustc makes of async blocks; the C side writes the same state machines by hand.
//! - Both use the C library's allocator. Rust programs in production often link a faster one.
//! - It is built with fat LTO, one codegen unit and panic = "abort", which its own benchmark is not; Stealyard is built
//!   as its release preset says, without LTO.
//! - busy1 and busy2 keep the 8 and 4 busy tasks of the original, which was written for 4 workers.

mod cli;
mod measure;
mod workloads;

use cli::Request;
use std::process::ExitCode;

const EXIT_CHECK_FAILED: u8 = 1;
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    match cli::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            cli::print_help();
            ExitCode::SUCCESS
        }
        Ok(Request::List { json }) => {
            cli::print_list(json);
            ExitCode::SUCCESS
        }
        Ok(Request::Run(options)) => match measure::run(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(EXIT_CHECK_FAILED),
            Err(error) => refuse(&error, EXIT_CHECK_FAILED),
        },
        Err(message) => refuse(&message, EXIT_USAGE),
    }
}

fn refuse(message: &str, code: u8) -> ExitCode {
    eprintln!("tokio-workload: {message}");
    ExitCode::from(code)
}
