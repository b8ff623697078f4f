//! tokio's channels, semaphore and notifications, as the workloads call them.

use tokio::sync::{self, mpsc, SemaphorePermit};
use workload_common as common;

pub struct Sender<T>(pub mpsc::Sender<T>);
pub struct Receiver<T>(pub mpsc::Receiver<T>);
pub struct UnboundedSender<T>(pub mpsc::UnboundedSender<T>);
pub struct UnboundedReceiver<T>(pub mpsc::UnboundedReceiver<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender(self.0.clone())
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        UnboundedSender(self.0.clone())
    }
}

impl<T: Send + 'static> common::Sender<T> for Sender<T> {
    async fn send(&self, value: T) {
        assert!(self.0.send(value).await.is_ok(), "the receiver is gone");
    }
}

impl<T: Send + 'static> common::Sender<T> for UnboundedSender<T> {
    async fn send(&self, value: T) {
        assert!(self.0.send(value).is_ok(), "the receiver is gone");
    }
}

impl<T: Send + 'static> common::Receiver<T> for Receiver<T> {
    async fn recv(&mut self) -> T {
        self.0.recv().await.expect("the senders are gone")
    }
}

impl<T: Send + 'static> common::Receiver<T> for UnboundedReceiver<T> {
    async fn recv(&mut self) -> T {
        self.0.recv().await.expect("the senders are gone")
    }
}

pub struct Semaphore(sync::Semaphore);

impl common::Semaphore for Semaphore {
    type Permit<'a> = SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Semaphore(sync::Semaphore::new(permits))
    }

    async fn acquire(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.unwrap()
    }

    fn available(&self) -> usize {
        self.0.available_permits()
    }

    fn post(&self) {
        self.0.add_permits(1);
    }

    async fn wait(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

pub struct Notify(sync::Notify);

impl common::Notify for Notify {
    fn new() -> Self {
        Notify(sync::Notify::new())
    }

    fn notify_waiters(&self) {
        self.0.notify_waiters();
    }

    fn notify_one(&self) {
        self.0.notify_one();
    }

    async fn notified(&self) {
        self.0.notified().await;
    }
}
