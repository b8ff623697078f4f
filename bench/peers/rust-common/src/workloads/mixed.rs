//! Latency-critical connections beside tasks that hog the workers. An open loop: no message waits for the answer of
//! another.

use super::loopback::{self, Servers, MESSAGE};
use super::spin;
use crate::latency::Latency;
use crate::random::Random;
use crate::runtime::{ReadHalf, Runtime, Stream, WriteHalf};
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
            "16 TCP connections, 64 bytes due on each every 1 ms, beside 2 tasks for each worker that spin 200 us and yield",
            "each byte came back as it was sent; none unanswered",
        )
        .measures("99th percentile of the latencies from when each message was due")]
}

async fn hog<R: Runtime>(go_on: Arc<AtomicBool>) {
    while go_on.load(Relaxed) {
        spin(HOG_SPIN);
        R::yield_now().await;
    }
}

/// What one of the two tasks of a connection keeps: its half, and its copy of the generator.
struct End<H> {
    half: H,
    random: Random,
}

impl<H: WriteHalf> End<H> {
    async fn send_on_schedule<R: Runtime>(mut self, first_due: Instant) -> io::Result<Self> {
        for k in 0..MESSAGES {
            let due = first_due + k * PERIOD;
            if Instant::now() < due {
                R::sleep_until(due).await;
            }
            self.half.write_all(&loopback::next_message(&mut self.random)).await?;
        }
        Ok(self)
    }
}

impl<H: ReadHalf> End<H> {
    /// The latencies too, which are from when a message was due.
    async fn receive(mut self, first_due: Instant) -> io::Result<(Self, Vec<u64>)> {
        let mut latencies = Vec::with_capacity(MESSAGES as usize);
        let mut answer = [0; MESSAGE];
        for k in 0..MESSAGES {
            self.half.read_exact(&mut answer).await?;
            latencies.push((first_due + k * PERIOD).elapsed().as_nanos() as u64);
            loopback::compare(&answer, &loopback::next_message(&mut self.random))?;
        }
        Ok((self, latencies))
    }
}

type SendEnd<R> = End<<<R as Runtime>::Stream as Stream>::WriteHalf>;
type ReceiveEnd<R> = End<<<R as Runtime>::Stream as Stream>::ReadHalf>;

struct Mixed<R: Runtime> {
    ends: Vec<(ReceiveEnd<R>, SendEnd<R>)>,
    servers: Servers<R>,
    go_on: Arc<AtomicBool>,
    sent: u64,
    p99_ns: u64,
    /// Of all iterations.
    latency: Latency,
}

impl<R: Runtime> Mixed<R> {
    fn open(setup: &Setup<R>) -> io::Result<Self> {
        let (servers, streams) = loopback::open(setup, CONNECTIONS)?;
        let random = |i| Random::new(setup.seed, i);
        let ends = |(i, stream): (u64, R::Stream)| {
            let (read_half, write_half) = stream.into_split();
            (End { half: read_half, random: random(i) }, End { half: write_half, random: random(i) })
        };
        let ends = (0..).zip(streams).map(ends).collect();
        let go_on = Arc::new(AtomicBool::new(true));
        for _ in 0..HOGS_PER_WORKER * setup.workers {
            R::detach(setup.runtime.spawn_outside(hog::<R>(go_on.clone())));
        }
        Ok(Mixed { ends, servers, go_on, sent: 0, p99_ns: 0, latency: Latency::default() })
    }

    /// The latencies of one iteration.
    fn talk(&mut self, runtime: &R) -> io::Result<Latency> {
        let start = Instant::now();
        let spawn = |(i, (receiver, sender)): (u32, (ReceiveEnd<R>, SendEnd<R>))| {
            let due = start + i * STAGGER;
            (runtime.spawn_outside(receiver.receive(due)), runtime.spawn_outside(sender.send_on_schedule::<R>(due)))
        };
        let talks: Vec<_> = (0..).zip(self.ends.drain(..)).map(spawn).collect();
        let mut latency = Latency::default();
        runtime.block_on(async {
            for (receiver, sender) in talks {
                let (receiver, latencies) = receiver.await?;
                latencies.into_iter().for_each(|ns| latency.record(ns));
                self.ends.push((receiver, sender.await?));
            }
            Ok(latency)
        })
    }
}

impl<R: Runtime> Workload<R> for Mixed<R> {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        self.sent += CONNECTIONS * u64::from(MESSAGES) * MESSAGE as u64;
        let latency = self.talk(runtime).map_err(|error| error.to_string())?;
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
        self.ends.clear();
        self.servers.end(runtime, self.sent)
    }
}
