//! The table of workloads, one module each (the four spawn_many share one).

mod chained_spawn;
mod echo;
mod fib;
mod ping_pong;
mod skynet;
mod spawn_many;
mod yield_many;

use std::io;
use tokio::runtime::Runtime;

pub trait Workload {
    /// One iteration, over when all of its work is. Err says what is wrong with what came out.
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String>;

    /// Ends what setup left running.
    fn finish(&mut self, _runtime: &Runtime) -> Result<(), String> {
        Ok(())
    }
}

pub struct Entry {
    pub name: &'static str,
    pub summary: &'static str,
    /// What is verified, in words.
    pub check: &'static str,
    /// Operations in one iteration.
    pub ops: u64,
    pub setup: fn(&Runtime, seed: u64) -> io::Result<Box<dyn Workload>>,
}

pub const ALL: &[Entry] = &[
    spawn_many::LOCAL,
    spawn_many::REMOTE_IDLE,
    spawn_many::REMOTE_BUSY1,
    spawn_many::REMOTE_BUSY2,
    yield_many::ENTRY,
    ping_pong::ENTRY,
    chained_spawn::ENTRY,
    skynet::ENTRY,
    fib::ENTRY,
    echo::ENTRY,
];

/// Ok if `found` is what it should be.
fn expect(what: &str, found: u64, wanted: u64) -> Result<(), String> {
    if found == wanted {
        Ok(())
    } else {
        Err(format!("{what}: {found}, not {wanted}"))
    }
}
