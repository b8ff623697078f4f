//! Messages there and back: many pairs at once over oneshot channels, and one pair beside a task that hogs the worker.

use super::{spin, Countdown};
use crate::runtime::{Receiver, Runtime, Sender};
use crate::workload::{expect, Entry, Outcome, Setup, Workload};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::Duration;

const PINGS: u64 = 1_000;
const BOUNCES: u64 = 1_000;
const HOG_SPIN: Duration = Duration::from_micros(10);

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![
        Entry::new("ping_pong", PINGS, |_| ping_pong()).described(
            "1,000 tasks, each with a child and two oneshot channels: a message there and one back",
            "each message arrived",
        ),
        Entry::new("ping_pong_hog", BOUNCES, Hogged::start)
            .described(
                "on one worker, two tasks bounce a message 1,000 times beside one that spins 10 us and yields",
                "the message was counted at each hop; the hog had turns",
            )
            .wide()
            .on_one_worker(),
    ]
}

async fn ping<R: Runtime>(countdown: &'static Countdown) {
    let (send_there, there) = R::oneshot();
    let (send_back, back) = R::oneshot();
    R::detach(R::spawn(async move {
        there.await;
        send_back(());
    }));
    send_there(());
    back.await;
    countdown.count();
}

fn ping_pong<R: Runtime>() -> impl FnMut(&R) -> Outcome {
    let (countdown, waits) = Countdown::new();
    move |runtime| {
        countdown.start(PINGS);
        runtime.block_on(async {
            R::detach(R::spawn(async move {
                for _ in 0..PINGS {
                    R::detach(R::spawn(ping::<R>(countdown)));
                }
            }));
            waits.recv().unwrap();
        });
        countdown.expect_none_left() // nobody counts unless both messages arrived
    }
}

/// The hog's turns, and whether it is to go on.
struct Hogged {
    turns: Arc<AtomicU64>,
    go_on: Arc<AtomicBool>,
}

impl Hogged {
    fn start<R: Runtime>(setup: &Setup<R>) -> Hogged {
        let hogged = Hogged { turns: Arc::default(), go_on: Arc::new(AtomicBool::new(true)) };
        R::detach(setup.runtime.spawn_outside(hog::<R>(hogged.turns.clone(), hogged.go_on.clone())));
        hogged
    }
}

async fn hog<R: Runtime>(turns: Arc<AtomicU64>, go_on: Arc<AtomicBool>) {
    while go_on.load(Relaxed) {
        spin(HOG_SPIN);
        turns.fetch_add(1, Relaxed);
        R::yield_now().await;
    }
}

async fn bounce(sender: impl Sender<u64>, mut receiver: impl Receiver<u64>) {
    for _ in 0..BOUNCES {
        let message = receiver.recv().await;
        sender.send(message + 1).await;
    }
}

async fn serve_and_return(sender: impl Sender<u64>, mut receiver: impl Receiver<u64>) -> u64 {
    let mut message = 0;
    for _ in 0..BOUNCES {
        sender.send(message + 1).await;
        message = receiver.recv().await;
    }
    message
}

impl<R: Runtime> Workload<R> for Hogged {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        let turns = self.turns.load(Relaxed);
        let (there, far) = R::channel(1);
        let (back, near) = R::channel(1);
        let bouncer = runtime.spawn_outside(bounce(back, far));
        let server = runtime.spawn_outside(serve_and_return(there, near));
        let message = runtime.block_on(async {
            bouncer.await;
            server.await
        });
        expect("the message", message, 2 * BOUNCES)?;
        if self.turns.load(Relaxed) == turns {
            return Err("the hog had no turn".into());
        }
        Ok(())
    }

    fn finish(&mut self, _runtime: &R) -> Outcome {
        self.go_on.store(false, Relaxed);
        Ok(())
    }
}
