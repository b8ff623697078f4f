//! The peer: async-executor with the crates that smol puts together with it, with the workloads of rust-common. Each
//! worker is a thread that runs the executor in async-io's `block_on`, which parks in the reactor: as in smol's `spawn`
//! with SMOL_THREADS.
//!
//! What could be held against the comparison:
//! - Beside the workers async-io has a thread of its own that polls the reactor when no worker does.
//! - The executor is a static one, which its authors offer for speed; smol itself uses the other kind.
//! - smol has no oneshot channel: it is a bounded one with room for one message, as its authors advise.
//! - Its notifications count those already on their way, so `notify_one` asks for one more (`additional`).
//! - Its tasks are cancelled when dropped, which makes a handle cost more than tokio's.
//! - Its tasks are what rustc makes of async blocks; the C side writes the same state machines by hand.
//! - The workloads call it through rust-common's trait, whose wrappers vanish when compiled.
//! - It uses the C library's allocator, as all do here. Rust programs in production often link a faster one.
//! - It is built with fat LTO, one codegen unit and panic = "abort"; Stealyard is built without LTO.
//! - busy1 and busy2 keep the 8 and 4 busy tasks of tokio's original, which was written for 4 workers.

mod sync;
mod tcp;

use async_executor::{StaticExecutor, Task};
use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;
use workload_common::{Receiver, Runtime, Sender};

static EXECUTOR: StaticExecutor = StaticExecutor::new();

fn main() -> ExitCode {
    workload_common::main::<AsyncExecutor>()
}

/// The executor is static, and so are its threads: they end with the process.
#[derive(Clone)]
struct AsyncExecutor;

impl Runtime for AsyncExecutor {
    const PROGRAM: &'static str = "async-executor-workload";
    const PEER: &'static str = "async-executor 1.14.1";

    type Task<T: Send + 'static> = Task<T>;
    type Semaphore = sync::Semaphore;
    type Notify = sync::Notify;
    type Stream = tcp::Stream;
    type Listener = tcp::Listener;

    fn start(workers: usize) -> io::Result<Self> {
        for i in 0..workers {
            let run = || async_io::block_on(EXECUTOR.run(futures_lite::future::pending::<()>()));
            thread::Builder::new().name(format!("worker-{i}")).spawn(run)?;
        }
        Ok(AsyncExecutor)
    }

    /// It counts nothing.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        async_io::block_on(future)
    }

    fn spawn_outside<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn detach<T: Send + 'static>(task: Task<T>) {
        task.detach();
    }

    fn spawn_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        blocking::unblock(job)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }

    async fn sleep_until(when: Instant) {
        async_io::Timer::at(when).await;
    }

    fn oneshot<T: Send + 'static>() -> (impl FnOnce(T) + Send + 'static, impl Future<Output = T> + Send + 'static) {
        let (sender, receiver) = async_channel::bounded(1);
        let send = move |value| assert!(sender.try_send(value).is_ok(), "the receiver is gone");
        (send, async move { receiver.recv().await.expect("the sender is gone") })
    }

    fn channel<T: Send + 'static>(capacity: usize) -> (impl Sender<T>, impl Receiver<T>) {
        let (sender, receiver) = async_channel::bounded(capacity);
        (sync::Sender(sender), sync::Receiver(receiver))
    }

    fn unbounded<T: Send + 'static>() -> (impl Sender<T>, impl Receiver<T>) {
        let (sender, receiver) = async_channel::unbounded();
        (sync::Sender(sender), sync::Receiver(receiver))
    }
}
