//! The bouncing producer-consumer: work that moves on with the one who makes it.

use super::{spin, sum_of};
use crate::runtime::Runtime;
use crate::workload::{expect, Entry};
use std::time::Duration;

const WORK: Duration = Duration::from_micros(1);

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |name, producers: u64, consumers: u64| {
        Entry::new(name, producers * (consumers + 1), move |_| {
            move |runtime: &R| {
                let ran = runtime.block_on(async { produce::<R>(producers, consumers).await });
                expect("consumers that ran", ran, producers * consumers)
            }
        })
        .described(
            format!("{producers} producers; each spawns the next and {consumers} consumers that spin 1 us"),
            "each consumer's output arrived",
        )
    };
    vec![entry("bpc", 1_000, 9), entry("bpc_10000", 10_000, 999).long()]
}

fn produce<R: Runtime>(producers: u64, consumers: u64) -> R::Task<u64> {
    R::spawn(async move {
        let next = (producers > 1).then(|| produce::<R>(producers - 1, consumers));
        let consume = |_| {
            R::spawn(async {
                spin(WORK);
                1
            })
        };
        let consumers: Vec<_> = (0..consumers).map(consume).collect();
        sum_of::<R>(consumers.into_iter().chain(next)).await
    })
}
