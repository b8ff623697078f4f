//! Tasks that do nothing but yield.

use super::sum_of;
use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome};
use std::sync::mpsc;

const TASKS: u64 = 200;
const YIELDS: u64 = 1_000;
const JOINED: u64 = 300; // tasks, and yields of each

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let check = "each task came to its end after its yields";
    let yielders = |name, tasks_per_worker: u64, yields: u64| {
        Entry::new(name, tasks_per_worker * yields, move |setup| {
            yielders(tasks_per_worker * setup.workers as u64, yields)
        })
        .described(format!("{tasks_per_worker} tasks for each worker that yield {yields} times each"), check)
        .wide()
        .per_worker()
    };
    vec![
        Entry::new("yield_many", TASKS * YIELDS, |_| yield_many())
            .described("200 tasks that yield 1,000 times each", check),
        Entry::new("yield_300", JOINED * JOINED, |_| yield_300)
            .described("a task spawns 300 tasks that yield 300 times each, and joins them", check)
            .wide(),
        yielders("yielders_many", 100, 100),
        yielders("yielders_few", 1, 10_000),
    ]
}

async fn yielder<R: Runtime>(yields: u64) -> u64 {
    let mut done = 0;
    for _ in 0..yields {
        R::yield_now().await;
        done += 1;
    }
    done
}

fn yield_many<R: Runtime>() -> impl FnMut(&R) -> Outcome {
    let (done, waits) = mpsc::sync_channel(TASKS as usize);
    move |runtime| {
        for _ in 0..TASKS {
            let done = done.clone();
            R::detach(runtime.spawn_outside(async move { done.send(yielder::<R>(YIELDS).await).unwrap() }));
        }
        let sum = (0..TASKS).map(|_| waits.recv().unwrap()).sum();
        expect("yields", sum, TASKS * YIELDS)
    }
}

fn yield_300<R: Runtime>(runtime: &R) -> Outcome {
    let spawner = runtime.spawn_outside(async {
        let tasks: Vec<_> = (0..JOINED).map(|_| R::spawn(yielder::<R>(JOINED))).collect();
        sum_of::<R>(tasks).await
    });
    expect("yields", runtime.block_on(spawner), JOINED * JOINED)
}

fn yielders<R: Runtime>(tasks: u64, yields: u64) -> impl FnMut(&R) -> Outcome {
    move |runtime| {
        let handles: Vec<_> = (0..tasks).map(|_| runtime.spawn_outside(yielder::<R>(yields))).collect();
        expect("yields", runtime.block_on(sum_of::<R>(handles)), tasks * yields)
    }
}
