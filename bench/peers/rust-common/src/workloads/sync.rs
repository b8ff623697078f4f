//! What tasks synchronise with: a channel of several senders, notifications, semaphores.

use super::sum_of;
use crate::runtime::{Notify, Receiver, Runtime, Semaphore, Sender};
use crate::workload::{expect, Entry, Outcome, Setup, Workload};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

const SENDERS: u64 = 5;
const MESSAGES: u64 = 1_000; // of each
const NOTIFIED: u64 = 500;
const WAITERS: [usize; 5] = [10, 50, 100, 200, 500];
const HOLDERS: u64 = 6;
const ACQUISITIONS: u64 = 1_000; // of each

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let mut entries = vec![
        mpsc_entry("100", || R::channel(100)).wide_unless(true),
        mpsc_entry("1000000", || R::channel(1_000_000)),
        mpsc_entry("unbounded", || R::unbounded()),
    ];
    entries.extend(
        WAITERS.map(|n| notify_entry(n, "sync_notify_waiters", R::Notify::notify_waiters).wide_unless(n == 50)),
    );
    entries.extend(WAITERS.map(|n| notify_entry(n, "sync_notify_one", R::Notify::notify_one)));
    entries.push(semaphore_entry("uncontended", 10, false).wide());
    entries.push(semaphore_entry("contended", 5, true));
    entries
}

// ---- a channel ----

fn mpsc_entry<R: Runtime, S: Sender<u64>, C: Receiver<u64>>(
    capacity: &str,
    make: impl Fn() -> (S, C) + Copy + 'static,
) -> Entry<R> {
    Entry::new(format!("sync_mpsc_{capacity}"), SENDERS * MESSAGES, move |_| move |runtime: &R| mpsc(runtime, make()))
        .described(
            format!("5 tasks send 1,000 integers each into one channel (capacity: {capacity}), a task receives them"),
            "the sum of what was received; each sender's order",
        )
        .wide()
}

/// How many came, their sum, and whether each sender's came in order.
async fn receive_all(mut receiver: impl Receiver<u64>) -> (u64, bool) {
    let (mut sum, mut in_order) = (0, true);
    let mut next = [0; SENDERS as usize];
    for _ in 0..SENDERS * MESSAGES {
        let message = receiver.recv().await;
        let expected = &mut next[(message / MESSAGES) as usize];
        in_order &= message % MESSAGES == *expected;
        *expected = message % MESSAGES + 1;
        sum += message;
    }
    (sum, in_order)
}

fn mpsc<R: Runtime>(runtime: &R, (sender, receiver): (impl Sender<u64>, impl Receiver<u64>)) -> Outcome {
    for i in 0..SENDERS {
        let sender = sender.clone();
        R::detach(runtime.spawn_outside(async move {
            for k in 0..MESSAGES {
                sender.send(i * MESSAGES + k).await;
            }
        }));
    }
    let (sum, in_order) = runtime.block_on(runtime.spawn_outside(receive_all(receiver)));
    expect("sum of the integers", sum, (0..SENDERS * MESSAGES).sum())?;
    if in_order {
        Ok(())
    } else {
        Err("a sender's integers came out of order".into())
    }
}

// ---- notifications ----

struct Notified<R: Runtime> {
    notify: Arc<R::Notify>,
    count: Arc<AtomicU64>,
    wake: fn(&R::Notify),
}

fn notify_entry<R: Runtime>(waiters: usize, name: &str, wake: fn(&R::Notify)) -> Entry<R> {
    Entry::new(format!("{name}_{waiters}"), NOTIFIED, move |setup| Notified::start(setup, waiters, wake))
        .described(
            format!("a task wakes {waiters} waiting tasks, which count, and yields, until 500 were counted"),
            "the count moved on by at least 500",
        )
        .wide()
}

impl<R: Runtime> Notified<R> {
    fn start(setup: &Setup<R>, waiters: usize, wake: fn(&R::Notify)) -> Self {
        let notified = Notified::<R> { notify: Arc::new(R::Notify::new()), count: Arc::default(), wake };
        for _ in 0..waiters {
            let (notify, count) = (notified.notify.clone(), notified.count.clone());
            R::detach(setup.runtime.spawn_outside(async move {
                loop {
                    notify.notified().await;
                    count.fetch_add(1, Relaxed);
                }
            }));
        }
        notified
    }
}

impl<R: Runtime> Workload<R> for Notified<R> {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        let (notify, count, wake) = (self.notify.clone(), self.count.clone(), self.wake);
        let before = count.load(Relaxed);
        runtime.block_on(runtime.spawn_outside(async move {
            while count.load(Relaxed) - before < NOTIFIED {
                wake(&notify);
                R::yield_now().await;
            }
        }));
        let moved = self.count.load(Relaxed) - before;
        if moved < NOTIFIED {
            Err(format!("the count moved on by {moved}, not by {NOTIFIED}"))
        } else {
            Ok(())
        }
    }
}

// ---- semaphores ----

fn semaphore_entry<R: Runtime>(name: &str, permits: u64, yields: bool) -> Entry<R> {
    let summary = format!("{permits} permits, 6 tasks that each acquire one and release it 1,000 times");
    Entry::new(format!("sync_semaphore_{name}"), HOLDERS * ACQUISITIONS, move |_| semaphore(permits, yields))
        .described(summary, "never more holders than permits; each acquisition; all permits back")
}

/// How often there were no more holders than permits.
async fn hold<R: Runtime>(semaphore: Arc<R::Semaphore>, holders: Arc<AtomicU64>, permits: u64, yields: bool) -> u64 {
    let mut good = 0;
    for _ in 0..ACQUISITIONS {
        let permit = semaphore.acquire().await;
        good += u64::from(holders.fetch_add(1, Relaxed) < permits);
        if yields {
            R::yield_now().await;
        }
        holders.fetch_sub(1, Relaxed);
        drop(permit);
    }
    good
}

fn semaphore<R: Runtime>(permits: u64, yields: bool) -> impl FnMut(&R) -> Outcome {
    move |runtime| {
        let semaphore = Arc::new(R::Semaphore::new(permits as usize));
        let holders = Arc::new(AtomicU64::new(0));
        let holder = |_| runtime.spawn_outside(hold::<R>(semaphore.clone(), holders.clone(), permits, yields));
        let tasks: Vec<_> = (0..HOLDERS).map(holder).collect();
        let good = runtime.block_on(sum_of::<R>(tasks));
        expect("acquisitions with no more holders than permits", good, HOLDERS * ACQUISITIONS)?;
        expect("permits at the end", semaphore.available() as u64, permits)
    }
}
