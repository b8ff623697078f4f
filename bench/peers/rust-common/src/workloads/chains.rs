//! Tasks that are each spawned by the one before.

use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome};
use std::sync::mpsc;

const DEPTH: u64 = 1_000;
const TASKS: u64 = 10_000;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![
        Entry::new("chained_spawn", DEPTH, |_| chained_spawn())
            .described("a chain of 1,000 tasks, each spawned by the one before", "the chain had its whole length"),
        Entry::new("create_goroutines", TASKS, |_| chains(1))
            .described("one chain of 10,000 tasks, each spawned by the one before", "the chain had its whole length")
            .wide(),
        Entry::new("create_goroutines_parallel", TASKS, |setup| chains(setup.workers as u64))
            .described(
                "as many such chains as there are workers, 10,000 tasks together",
                "the chains had their whole length together",
            )
            .wide(),
    ]
}

/// The link `at` of a chain, from 1, which ends at `length`.
fn link<R: Runtime>(done: mpsc::SyncSender<u64>, at: u64, length: u64) {
    if at == length {
        done.send(at).unwrap();
    } else {
        R::detach(R::spawn(async move { link::<R>(done, at + 1, length) }));
    }
}

/// As tokio has it: from block_on; the task that the chain hangs on is link 0.
fn chained_spawn<R: Runtime>() -> impl FnMut(&R) -> Outcome {
    let (done, waits) = mpsc::sync_channel(1000);
    move |runtime| {
        let done = done.clone();
        let length = runtime.block_on(async {
            R::detach(R::spawn(async move { link::<R>(done, 0, DEPTH) }));
            waits.recv().unwrap()
        });
        expect("links", length, DEPTH)
    }
}

fn chains<R: Runtime>(chains: u64) -> impl FnMut(&R) -> Outcome {
    let (done, waits) = mpsc::sync_channel(chains as usize);
    move |runtime| {
        for chain in 0..chains {
            let done = done.clone();
            let length = TASKS / chains + u64::from(chain < TASKS % chains);
            R::detach(runtime.spawn_outside(async move { link::<R>(done, 1, length) }));
        }
        let sum = (0..chains).map(|_| waits.recv().unwrap()).sum();
        expect("links", sum, TASKS)
    }
}
