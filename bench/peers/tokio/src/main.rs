//! The peer: tokio, with the workloads of rust-common. Its HTTP server is hyper's.
//!
//! Workloads that come from tokio's own benchmarks keep their structure and counts, and the runtime is built as there
//! (`enable_all`, so its workers park in the I/O driver), but with as many workers as asked for.
//!
//! What could be held against the comparison:
//! - tokio offers more than Stealyard does (task-locals, tracing hooks, panics caught for each task; here a panic
//!   aborts), and pays for some of it in each poll.
//! - Its tasks are what rustc makes of async blocks; the C side writes the same state machines by hand.
//! - The workloads call it through rust-common's trait. The wrappers vanish when compiled, save that a channel's or a
//!   socket's error ends the program or the connection where a program of its own might go on.
//! - Both use the C library's allocator. Rust programs in production often link a faster one.
//! - It is built with fat LTO, one codegen unit and panic = "abort", which its own benchmark is not; Stealyard is built
//!   as its release preset says, without LTO.
//! - busy1 and busy2 keep the 8 and 4 busy tasks of the original, which was written for 4 workers.
//! - Its timers have a resolution of 1 ms, which is most of what `mixed` sees.
//! - The HTTP server does more than the example httpd: hyper's header map, its own limits, a header read timeout.

mod http;
mod sync;
mod tcp;
mod unix;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use std::time::Instant;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use workload_common::{Receiver, Runtime, Sender};

fn main() -> ExitCode {
    workload_common::main::<Tokio>()
}

#[derive(Clone)]
struct Tokio(Arc<tokio::runtime::Runtime>);

/// A join handle without the error: no task of a workload panics or is aborted.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).unwrap())
    }
}

impl Runtime for Tokio {
    const PROGRAM: &'static str = "tokio-workload";
    const PEER: &'static str = "tokio 1.54.1";
    const SERVICES: &'static [&'static str] = &["echo", "http"];
    const TRANSPORTS: &'static [&'static str] = &["tcp", "unix"];

    type Task<T: Send + 'static> = Task<T>;
    type Semaphore = sync::Semaphore;
    type Notify = sync::Notify;
    type Stream = tcp::Stream;
    type Listener = tcp::Listener;

    fn start(workers: usize) -> io::Result<Self> {
        Ok(Tokio(Arc::new(Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)))
    }

    /// Of tokio's metrics, those that are stable.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        let metrics = self.0.metrics();
        let workers = || 0..metrics.num_workers();
        let busy_ns = |worker| metrics.worker_total_busy_duration(worker).as_nanos() as u64;
        vec![
            ("parks", workers().map(|worker| metrics.worker_park_count(worker)).sum()),
            ("busy_ns", workers().map(busy_ns).sum()),
        ]
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn_outside<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Task(self.0.spawn(future))
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Task(tokio::spawn(future))
    }

    fn detach<T: Send + 'static>(task: Task<T>) {
        drop(task);
    }

    fn spawn_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        Task(tokio::task::spawn_blocking(job))
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sleep_until(when: Instant) -> impl Future<Output = ()> + Send {
        tokio::time::sleep_until(when.into())
    }

    fn oneshot<T: Send + 'static>() -> (impl FnOnce(T) + Send + 'static, impl Future<Output = T> + Send + 'static) {
        let (sender, receiver) = oneshot::channel();
        let send = |value| assert!(sender.send(value).is_ok(), "the receiver is gone");
        (send, async { receiver.await.unwrap() })
    }

    fn channel<T: Send + 'static>(capacity: usize) -> (impl Sender<T>, impl Receiver<T>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (sync::Sender(sender), sync::Receiver(receiver))
    }

    fn unbounded<T: Send + 'static>() -> (impl Sender<T>, impl Receiver<T>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sync::UnboundedSender(sender), sync::UnboundedReceiver(receiver))
    }

    fn serve(_http: &str, listener: tcp::Listener) -> impl Future<Output = io::Result<()>> + Send + 'static {
        http::serve(listener)
    }

    fn serve_unix(path: &str) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
        unix::serve(path)
    }
}
