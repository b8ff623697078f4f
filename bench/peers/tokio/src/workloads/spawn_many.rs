//! Many small tasks from a thread outside the workers, with the runtime idle or busy in two ways.

use super::{expect, Entry, Workload};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const TASKS: usize = 10_000;
const TASKS_BUSY2: usize = 1_000;
const YIELDERS: usize = 8;
const RESPAWNERS: usize = 4;
const STALL: Duration = Duration::from_micros(10);

pub const LOCAL: Entry = Entry {
    name: "spawn_many_local",
    summary: "10,000 detached tasks spawned from block_on; the last to end wakes it",
    check: "each task ran once",
    ops: TASKS as u64,
    setup: |_, _| Ok(Box::new(Local::new())),
};

pub const REMOTE_IDLE: Entry = Entry {
    name: "spawn_many_remote_idle",
    summary: "10,000 tasks spawned from outside an idle runtime, and joined",
    check: "each task's output arrived",
    ops: TASKS as u64,
    setup: |_, _| Ok(Box::new(Remote::new(TASKS))),
};

pub const REMOTE_BUSY1: Entry = Entry {
    name: "spawn_many_remote_busy1",
    summary: "10,000 tasks spawned from outside, and joined, while 8 tasks stall for 10 us and yield",
    check: "each task's output arrived",
    ops: TASKS as u64,
    setup: |runtime, _| {
        let remote = Remote::new(TASKS);
        for _ in 0..YIELDERS {
            let go_on = remote.go_on.clone();
            runtime.spawn(async move {
                while go_on.load(Relaxed) {
                    tokio::task::yield_now().await;
                    stall();
                }
            });
        }
        Ok(Box::new(remote))
    },
};

pub const REMOTE_BUSY2: Entry = Entry {
    name: "spawn_many_remote_busy2",
    summary: "1,000 tasks spawned from outside, and joined, while 4 tasks stall for 10 us and respawn themselves",
    check: "each task's output arrived",
    ops: TASKS_BUSY2 as u64,
    setup: |runtime, _| {
        let remote = Remote::new(TASKS_BUSY2);
        for _ in 0..RESPAWNERS {
            let go_on = remote.go_on.clone();
            runtime.spawn(async { respawn(go_on) });
        }
        Ok(Box::new(remote))
    },
};

fn stall() {
    let start = Instant::now();
    while start.elapsed() < STALL {
        std::thread::yield_now();
    }
}

fn respawn(go_on: Arc<AtomicBool>) {
    tokio::spawn(async {
        if go_on.load(Relaxed) {
            stall();
            respawn(go_on);
        }
    });
}

struct Local {
    left: Arc<AtomicUsize>,
    done: mpsc::SyncSender<()>,
    waits: mpsc::Receiver<()>,
}

impl Local {
    fn new() -> Local {
        let (done, waits) = mpsc::sync_channel(1000);
        Local { left: Arc::new(AtomicUsize::new(0)), done, waits }
    }
}

impl Workload for Local {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        self.left.store(TASKS, Relaxed);
        runtime.block_on(async {
            for _ in 0..TASKS {
                let (left, done) = (self.left.clone(), self.done.clone());
                tokio::spawn(async move {
                    if left.fetch_sub(1, Relaxed) == 1 {
                        done.send(()).unwrap();
                    }
                });
            }
            self.waits.recv().unwrap();
        });
        // A task that ran twice would have made it wrap.
        expect("tasks left", self.left.load(Relaxed) as u64, 0)
    }
}

struct Remote {
    go_on: Arc<AtomicBool>,
    tasks: usize,
    handles: Vec<JoinHandle<u64>>,
}

impl Remote {
    fn new(tasks: usize) -> Remote {
        Remote { go_on: Arc::new(AtomicBool::new(true)), tasks, handles: Vec::with_capacity(tasks) }
    }
}

impl Workload for Remote {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        for _ in 0..self.tasks {
            self.handles.push(runtime.spawn(async { 1 }));
        }
        let mut sum = 0;
        runtime.block_on(async {
            for handle in self.handles.drain(..) {
                sum += handle.await.unwrap();
            }
        });
        expect("sum of the outputs", sum, self.tasks as u64)
    }

    fn finish(&mut self, _runtime: &Runtime) -> Result<(), String> {
        self.go_on.store(false, Relaxed);
        Ok(())
    }
}
