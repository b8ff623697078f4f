//! What the workloads ask of a runtime.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

pub trait Runtime: Clone + Send + Sync + 'static {
    /// The program's name.
    const PROGRAM: &'static str;
    /// The runtime's name and exact version.
    const PEER: &'static str;
    /// What `--serve` offers.
    const SERVICES: &'static [&'static str] = &["echo"];
    /// What the service "echo" may be had over.
    const TRANSPORTS: &'static [&'static str] = &["tcp"];

    /// A join handle; its output is the task's. What becomes of the task when it is dropped is the runtime's affair.
    type Task<T: Send + 'static>: Future<Output = T> + Send;
    type Semaphore: Semaphore;
    type Notify: Notify;
    type Stream: Stream;
    type Listener: Listener<Stream = Self::Stream>;

    fn start(workers: usize) -> io::Result<Self>;

    /// What the runtime itself counts, as far as it adds up.
    fn counters(&self) -> Vec<(&'static str, u64)>;

    // For the main thread and others outside the runtime.

    fn block_on<F: Future>(&self, future: F) -> F::Output;
    fn spawn_outside<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static;

    // For tasks, and for what block_on runs.

    fn spawn<F>(future: F) -> Self::Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static;
    /// Lets the task go on without its handle.
    fn detach<T: Send + 'static>(task: Self::Task<T>);
    fn spawn_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Self::Task<T>;
    fn yield_now() -> impl Future<Output = ()> + Send;
    fn sleep_until(when: Instant) -> impl Future<Output = ()> + Send;

    /// To send is to call the sender.
    fn oneshot<T: Send + 'static>() -> (impl FnOnce(T) + Send + 'static, impl Future<Output = T> + Send + 'static);
    fn channel<T: Send + 'static>(capacity: usize) -> (impl Sender<T>, impl Receiver<T>);
    fn unbounded<T: Send + 'static>() -> (impl Sender<T>, impl Receiver<T>);

    /// What `SERVICES` has beside "echo", which serve.rs has for all.
    fn serve(_service: &str, _listener: Self::Listener) -> impl Future<Output = io::Result<()>> + Send + 'static {
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Echoes on a Unix socket, where `TRANSPORTS` has it. To be called within the runtime; listens when it returns.
    fn serve_unix(_path: &str) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
        Err::<std::future::Pending<_>, _>(io::ErrorKind::Unsupported.into())
    }
}

pub trait Sender<T>: Clone + Send + Sync + 'static {
    fn send(&self, value: T) -> impl Future<Output = ()> + Send;
}

pub trait Receiver<T>: Send + 'static {
    fn recv(&mut self) -> impl Future<Output = T> + Send;
}

pub trait Semaphore: Send + Sync + 'static {
    type Permit<'a>: Send;

    fn new(permits: usize) -> Self;
    /// A permit for as long as the value lives.
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> + Send;
    fn available(&self) -> usize;
    /// Adds a permit.
    fn post(&self);
    /// Takes a permit for good.
    fn wait(&self) -> impl Future<Output = ()> + Send;
}

pub trait Notify: Send + Sync + 'static {
    fn new() -> Self;
    fn notify_waiters(&self);
    fn notify_one(&self);
    fn notified(&self) -> impl Future<Output = ()> + Send;
}

pub trait ReadHalf: Send + 'static {
    fn read_exact(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<()>> + Send;
}

pub trait WriteHalf: Send + 'static {
    fn write_all(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
}

/// What echoing takes.
pub trait Duplex: WriteHalf {
    fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
}

pub trait Stream: Duplex + ReadHalf + Sized {
    type ReadHalf: ReadHalf;
    type WriteHalf: WriteHalf;

    /// With TCP_NODELAY.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self>> + Send;
    /// For a task each.
    fn into_split(self) -> (Self::ReadHalf, Self::WriteHalf);
}

pub trait Listener: Sized + Send + 'static {
    type Stream: Stream;

    fn bind(address: SocketAddr) -> impl Future<Output = io::Result<Self>> + Send;
    fn local_addr(&self) -> io::Result<SocketAddr>;
    /// With TCP_NODELAY.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}
