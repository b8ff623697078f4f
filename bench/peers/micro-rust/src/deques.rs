//! The deques of crossbeam and of st3.

use crate::deque::Deque;
use crate::item::Reference;
use crate::queue::Missed;
use crossbeam_deque::{Steal, Stealer, Worker};
use st3::StealError;

pub struct Crossbeam<const LIFO: bool>(Worker<Reference>);

impl<const LIFO: bool> Deque for Crossbeam<LIFO> {
    const NAME: &'static str = if LIFO { "crossbeam_lifo" } else { "crossbeam_fifo" };
    const BOUNDED: bool = false;
    const LIFO: bool = LIFO;
    type Stealer = Stealer<Reference>;

    fn new(_capacity: usize) -> Self {
        Crossbeam(if LIFO { Worker::new_lifo() } else { Worker::new_fifo() })
    }

    fn stealer(&self) -> Stealer<Reference> {
        self.0.stealer()
    }

    fn push(&self, item: Reference) -> bool {
        self.0.push(item);
        true
    }

    fn pop(&self) -> Option<Reference> {
        self.0.pop()
    }

    fn steal(victim: &Stealer<Reference>, own: &Self, max: usize) -> Result<Reference, Missed> {
        match victim.steal_batch_with_limit_and_pop(&own.0, max) {
            Steal::Success(item) => Ok(item),
            Steal::Empty => Err(Missed::Empty),
            Steal::Retry => Err(Missed::Retry),
        }
    }
}

fn missed(error: StealError) -> Missed {
    match error {
        StealError::Empty => Missed::Empty,
        StealError::Busy => Missed::Retry,
    }
}

fn half(n: usize, max: usize) -> usize {
    n.div_ceil(2).min(max)
}

/// Its two kinds have no type or trait in common.
macro_rules! st3 {
    ($name:ident, $text:literal, $lifo:literal, $module:ident) => {
        pub struct $name(st3::$module::Worker<Reference>);

        impl Deque for $name {
            const NAME: &'static str = $text;
            const BOUNDED: bool = true;
            const LIFO: bool = $lifo;
            type Stealer = st3::$module::Stealer<Reference>;

            fn new(capacity: usize) -> Self {
                $name(st3::$module::Worker::new(capacity))
            }

            fn stealer(&self) -> Self::Stealer {
                self.0.stealer()
            }

            fn push(&self, item: Reference) -> bool {
                self.0.push(item).is_ok()
            }

            fn pop(&self) -> Option<Reference> {
                self.0.pop()
            }

            fn steal(victim: &Self::Stealer, own: &Self, max: usize) -> Result<Reference, Missed> {
                victim.steal_and_pop(&own.0, |n| half(n, max)).map(|(item, _)| item).map_err(missed)
            }
        }
    };
}

st3!(St3Lifo, "st3_lifo", true, lifo);
st3!(St3Fifo, "st3_fifo", false, fifo);
