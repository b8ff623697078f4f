//! smol's channels, semaphore and notifications, as the workloads call them.

use async_lock::SemaphoreGuard;
use event_listener::{listener, Event, IntoNotification};
use workload_common as common;

pub struct Sender<T>(pub async_channel::Sender<T>);
pub struct Receiver<T>(pub async_channel::Receiver<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender(self.0.clone())
    }
}

impl<T: Send + 'static> common::Sender<T> for Sender<T> {
    async fn send(&self, value: T) {
        assert!(self.0.send(value).await.is_ok(), "the receiver is gone");
    }
}

impl<T: Send + 'static> common::Receiver<T> for Receiver<T> {
    async fn recv(&mut self) -> T {
        self.0.recv().await.expect("the senders are gone")
    }
}

pub struct Semaphore(async_lock::Semaphore);

impl common::Semaphore for Semaphore {
    type Permit<'a> = SemaphoreGuard<'a>;

    fn new(permits: usize) -> Self {
        Semaphore(async_lock::Semaphore::new(permits))
    }

    async fn acquire(&self) -> SemaphoreGuard<'_> {
        self.0.acquire().await
    }

    fn available(&self) -> usize {
        self.0.available_permits()
    }

    fn post(&self) {
        self.0.add_permits(1);
    }

    async fn wait(&self) {
        self.0.acquire().await.forget();
    }
}

pub struct Notify(Event);

impl common::Notify for Notify {
    fn new() -> Self {
        Notify(Event::new())
    }

    fn notify_waiters(&self) {
        self.0.notify(usize::MAX);
    }

    fn notify_one(&self) {
        self.0.notify(1.additional());
    }

    async fn notified(&self) {
        listener!(self.0 => listener); // on the stack, not on the heap as by listen()
        listener.await;
    }
}
