//! Many small tasks from a thread outside the workers, with the runtime idle or busy in two ways.

use super::{sum_of, Countdown};
use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome, Setup, Workload};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TASKS: u64 = 10_000;
const TASKS_BUSY2: u64 = 1_000;
const YIELDERS: usize = 8;
const RESPAWNERS: usize = 4;
const STALL: Duration = Duration::from_micros(10);

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let check = "each task's output arrived";
    vec![
        Entry::new("spawn_many_local", TASKS, |_| local())
            .described("10,000 detached tasks spawned from block_on; the last to end wakes it", "each task ran once"),
        Entry::new("spawn_many_remote_idle", TASKS, |_| Remote::new(TASKS))
            .described("10,000 tasks spawned from outside an idle runtime, and joined", check),
        Entry::new("spawn_many_remote_busy1", TASKS, |setup: &Setup<R>| {
            let remote = Remote::new(TASKS);
            for _ in 0..YIELDERS {
                R::detach(setup.runtime.spawn_outside(yielder::<R>(remote.go_on.clone())));
            }
            remote
        })
        .described("10,000 tasks spawned from outside, and joined, while 8 tasks stall for 10 us and yield", check),
        Entry::new("spawn_many_remote_busy2", TASKS_BUSY2, |setup: &Setup<R>| {
            let remote = Remote::new(TASKS_BUSY2);
            for _ in 0..RESPAWNERS {
                let go_on = remote.go_on.clone();
                R::detach(setup.runtime.spawn_outside(async { respawn::<R>(go_on) }));
            }
            remote
        })
        .described(
            "1,000 tasks spawned from outside, and joined, while 4 tasks stall for 10 us and respawn themselves",
            check,
        ),
    ]
}

fn stall() {
    let start = Instant::now();
    while start.elapsed() < STALL {
        std::thread::yield_now();
    }
}

async fn yielder<R: Runtime>(go_on: Arc<AtomicBool>) {
    while go_on.load(Relaxed) {
        R::yield_now().await;
        stall();
    }
}

fn respawn<R: Runtime>(go_on: Arc<AtomicBool>) {
    R::detach(R::spawn(async {
        if go_on.load(Relaxed) {
            stall();
            respawn::<R>(go_on);
        }
    }));
}

fn local<R: Runtime>() -> impl FnMut(&R) -> Outcome {
    let (countdown, waits) = Countdown::new();
    move |runtime| {
        countdown.start(TASKS);
        runtime.block_on(async {
            for _ in 0..TASKS {
                R::detach(R::spawn(async move { countdown.count() }));
            }
            waits.recv().unwrap();
        });
        countdown.expect_none_left()
    }
}

struct Remote<R: Runtime> {
    go_on: Arc<AtomicBool>,
    tasks: u64,
    handles: Vec<R::Task<u64>>,
}

impl<R: Runtime> Remote<R> {
    fn new(tasks: u64) -> Self {
        Remote { go_on: Arc::new(AtomicBool::new(true)), tasks, handles: Vec::with_capacity(tasks as usize) }
    }
}

impl<R: Runtime> Workload<R> for Remote<R> {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        for _ in 0..self.tasks {
            self.handles.push(runtime.spawn_outside(async { 1 }));
        }
        let sum = runtime.block_on(sum_of::<R>(self.handles.drain(..)));
        expect("sum of the outputs", sum, self.tasks)
    }

    fn finish(&mut self, _runtime: &R) -> Outcome {
        self.go_on.store(false, Relaxed);
        Ok(())
    }
}
