//! Threads outside the runtime that spawn into it at the same time.

use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome, Setup, Workload};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{mpsc, Barrier};
use std::thread;

const TASKS: u64 = 12_800;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |threads: u64| {
        let tasks = TASKS / threads;
        Entry::new(format!("remote_spawn_{threads}"), threads * tasks, move |setup| {
            Remote::start(setup, threads, tasks)
        })
        .described(
            format!("{threads} threads outside the runtime spawn {tasks} no-op tasks each, together"),
            "each task ran once",
        )
        .wide_unless(threads == 4)
    };
    [1, 2, 4, 8, 16, 32, 64].into_iter().map(entry).collect()
}

/// Lives as long as the process, so that tasks pay no reference count for it; neither do ours.
struct Shared {
    release: Barrier,
    stop: AtomicBool,
    left: AtomicU64,
    done: mpsc::SyncSender<()>,
}

struct Remote {
    shared: &'static Shared,
    waits: mpsc::Receiver<()>,
    tasks: u64,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Remote {
    fn start<R: Runtime>(setup: &Setup<R>, threads: u64, tasks: u64) -> Remote {
        let (done, waits) = mpsc::sync_channel(1);
        let shared: &Shared = Box::leak(Box::new(Shared {
            release: Barrier::new(threads as usize + 1),
            stop: AtomicBool::new(false),
            left: AtomicU64::new(0),
            done,
        }));
        let start = |_| {
            let runtime = setup.runtime.clone();
            thread::spawn(move || spawn_when_released(&runtime, shared, tasks))
        };
        let started = (0..threads).map(start).collect();
        Remote { shared, waits, tasks: threads * tasks, threads: started }
    }

    /// A task too many makes it wrap, perhaps after the main thread has looked; so the next iteration looks too.
    fn expect_none_left(&self) -> Outcome {
        expect("tasks left", self.shared.left.load(Acquire), 0)
    }
}

fn spawn_when_released<R: Runtime>(runtime: &R, shared: &'static Shared, tasks: u64) {
    loop {
        shared.release.wait();
        if shared.stop.load(Relaxed) {
            return;
        }
        for _ in 0..tasks {
            R::detach(runtime.spawn_outside(async move {
                if shared.left.fetch_sub(1, AcqRel) == 1 {
                    shared.done.send(()).unwrap();
                }
            }));
        }
    }
}

impl<R: Runtime> Workload<R> for Remote {
    fn iterate(&mut self, _runtime: &R) -> Outcome {
        self.expect_none_left()?;
        self.shared.left.store(self.tasks, Relaxed); // the barrier hands it over
        self.shared.release.wait();
        self.waits.recv().unwrap();
        self.expect_none_left()
    }

    fn finish(&mut self, _runtime: &R) -> Outcome {
        self.shared.stop.store(true, Relaxed);
        self.shared.release.wait();
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        self.expect_none_left()
    }
}
