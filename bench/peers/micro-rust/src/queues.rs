//! crossbeam's queues.

use crate::item::Reference;
use crate::queue::{fill, Missed, Queue};
use crossbeam_deque::{Steal, Worker};

/// Unbounded, in linked segments.
pub struct SegQueue(crossbeam_queue::SegQueue<Reference>);

impl Queue for SegQueue {
    const NAME: &'static str = "crossbeam_segqueue";
    const BOUNDED: bool = false;
    type Local = ();

    fn new(_capacity: usize) -> Self {
        SegQueue(crossbeam_queue::SegQueue::new())
    }

    fn attach(&self) {}

    fn push(&self, item: Reference) -> bool {
        self.0.push(item);
        true
    }

    fn pop(&self) -> Result<Reference, Missed> {
        self.0.pop().ok_or(Missed::Empty)
    }
}

/// Bounded, after Vyukov.
pub struct ArrayQueue(crossbeam_queue::ArrayQueue<Reference>);

impl Queue for ArrayQueue {
    const NAME: &'static str = "crossbeam_arrayqueue";
    const BOUNDED: bool = true;
    type Local = ();

    fn new(capacity: usize) -> Self {
        ArrayQueue(crossbeam_queue::ArrayQueue::new(capacity))
    }

    fn attach(&self) {}

    fn push(&self, item: Reference) -> bool {
        self.0.push(item).is_ok()
    }

    fn pop(&self) -> Result<Reference, Missed> {
        self.0.pop().ok_or(Missed::Empty)
    }
}

/// The global queue that goes with crossbeam's deques.
pub struct Injector(crossbeam_deque::Injector<Reference>);

fn stolen(steal: Steal<Reference>) -> Result<Reference, Missed> {
    match steal {
        Steal::Success(item) => Ok(item),
        Steal::Empty => Err(Missed::Empty),
        Steal::Retry => Err(Missed::Retry),
    }
}

impl Queue for Injector {
    const NAME: &'static str = "crossbeam_injector";
    const BOUNDED: bool = false;
    type Local = Worker<Reference>;

    fn new(_capacity: usize) -> Self {
        Injector(crossbeam_deque::Injector::new())
    }

    fn attach(&self) -> Worker<Reference> {
        Worker::new_fifo()
    }

    fn push(&self, item: Reference) -> bool {
        self.0.push(item);
        true
    }

    fn pop(&self) -> Result<Reference, Missed> {
        stolen(self.0.steal())
    }

    fn pop_batch(&self, local: &Worker<Reference>, items: &mut [Reference]) -> Result<usize, Missed> {
        items[0] = stolen(self.0.steal_batch_with_limit_and_pop(local, items.len()))?;
        Ok(1 + fill(&mut items[1..], || local.pop()))
    }
}
