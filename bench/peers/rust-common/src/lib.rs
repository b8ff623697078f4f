//! The workloads of bench/WORKLOADS.md for Rust runtimes, each written once over the trait `Runtime`, and the program
//! around them. A peer is its `impl Runtime` and a `main` of one line.
//!
//! The trait is thin on purpose: what a workload calls is the runtime's own function, type or channel behind a wrapper
//! that the compiler removes, and the workload is compiled anew for each runtime. So the parameters and the checks cannot
//! differ between the peers, and nothing is paid for it.

mod cli;
pub mod json;
pub mod latency;
mod measure;
pub mod process;
pub mod random;
pub mod runtime;
pub mod serve;
pub mod workload;
mod workloads;

pub use runtime::{Duplex, Listener, Notify, ReadHalf, Receiver, Runtime, Semaphore, Sender, Stream, WriteHalf};

use cli::Request;
use std::process::ExitCode;

pub const EXIT_CHECK_FAILED: u8 = 1;
pub const EXIT_USAGE: u8 = 2;
pub const EXIT_MISSING: u8 = 77;

/// A peer's whole program.
pub fn main<R: Runtime>() -> ExitCode {
    let table = workloads::table::<R>();
    let request = match cli::parse::<R>(&table, std::env::args().skip(1)) {
        Ok(request) => request,
        Err(message) => return refuse::<R>(&message, EXIT_USAGE),
    };
    match request {
        Request::Help => cli::print_help::<R>(&table),
        Request::List { json } => cli::print_list(&table, json),
        Request::Serve(options) => {
            if let Err(error) = serve::run::<R>(&options) {
                let place = options.place();
                return refuse::<R>(
                    &format!("cannot serve {} on {place}: {error}", options.service),
                    EXIT_CHECK_FAILED,
                );
            }
        }
        Request::Run(options) => match measure::run::<R>(&options) {
            Ok(None) => {}
            Ok(Some(failure)) => return refuse::<R>(&failure, EXIT_CHECK_FAILED),
            Err(missing) => return refuse::<R>(&missing, EXIT_MISSING),
        },
    }
    ExitCode::SUCCESS
}

fn refuse<R: Runtime>(message: &str, code: u8) -> ExitCode {
    eprintln!("{}: {message}", R::PROGRAM);
    ExitCode::from(code)
}
