//! Latency-critical connections beside tasks that hog the workers.

use super::echo::{Client, Connections, MESSAGE};
use super::spin;
use crate::latency::Latency;
use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome, Setup, Workload};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::{Duration, Instant};

const HOGS_PER_WORKER: usize = 2;
const HOG_SPIN: Duration = Duration::from_micros(200);
const CONNECTIONS: u64 = 16;
const MESSAGES: u32 = 100;
const PERIOD: Duration = Duration::from_millis(1);
const STAGGER: Duration = Duration::from_nanos(62_500);

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![Entry::fallible("mixed", 1, Mixed::open)
        .described(
            "16 TCP connections that send 64 bytes every 1 ms beside 2 tasks for each worker that spin 200 us and yield",
            "each byte came back as it was sent; none unanswered",
        )
        .measures("p99 latency")]
}

struct Mixed<R: Runtime> {
    connections: Connections<R>,
    go_on: Arc<AtomicBool>,
    sent: u64,
    p99_ns: u64,
    /// Of all iterations.
    latency: Latency,
}

async fn hog<R: Runtime>(go_on: Arc<AtomicBool>) {
    while go_on.load(Relaxed) {
        spin(HOG_SPIN);
        R::yield_now().await;
    }
}

/// Sends on schedule; the latencies are from when a message was due.
async fn talk<R: Runtime>(
    mut client: Client<R::Stream>,
    first_due: Instant,
) -> io::Result<(Client<R::Stream>, Vec<u64>)> {
    let mut latencies = Vec::with_capacity(MESSAGES as usize);
    for k in 0..MESSAGES {
        let due = first_due + k * PERIOD;
        if Instant::now() < due {
            R::sleep_until(due).await;
        }
        client.talk().await?;
        latencies.push(due.elapsed().as_nanos() as u64);
    }
    Ok((client, latencies))
}

impl<R: Runtime> Mixed<R> {
    fn open(setup: &Setup<R>) -> io::Result<Self> {
        let connections = Connections::open(setup, CONNECTIONS)?;
        let go_on = Arc::new(AtomicBool::new(true));
        for _ in 0..HOGS_PER_WORKER * setup.workers {
            R::detach(setup.runtime.spawn_outside(hog::<R>(go_on.clone())));
        }
        Ok(Mixed { connections, go_on, sent: 0, p99_ns: 0, latency: Latency::default() })
    }
}

impl<R: Runtime> Workload<R> for Mixed<R> {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        let start = Instant::now();
        let clients = &mut self.connections.clients;
        let due = |i: usize| start + i as u32 * STAGGER;
        let spawn = |(i, client)| runtime.spawn_outside(talk::<R>(client, due(i)));
        let talks: Vec<_> = clients.drain(..).enumerate().map(spawn).collect();
        self.sent += CONNECTIONS * u64::from(MESSAGES) * MESSAGE as u64;
        let mut latency = Latency::default();
        runtime.block_on(async {
            for talk in talks {
                let (client, latencies) = talk.await.map_err(|error| error.to_string())?;
                clients.push(client);
                latencies.into_iter().for_each(|ns| latency.record(ns));
            }
            Ok::<(), String>(())
        })?;
        self.p99_ns = latency.percentile(0.99);
        self.latency.add(&latency);
        expect("answers", latency.count(), CONNECTIONS * u64::from(MESSAGES))
    }

    fn value_ns(&self) -> Option<u64> {
        Some(self.p99_ns)
    }

    fn latency(&mut self) -> Option<&mut Latency> {
        Some(&mut self.latency)
    }

    fn finish(&mut self, runtime: &R) -> Outcome {
        self.go_on.store(false, Relaxed);
        self.connections.close(runtime, self.sent)
    }
}
