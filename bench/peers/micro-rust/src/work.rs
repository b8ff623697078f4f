//! Work of a known length between operations, and where threads run.

use std::arch::asm;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Processors that this process may run on.
pub fn processors() -> usize {
    allowed().len().max(1)
}

fn allowed() -> Vec<usize> {
    // SAFETY: the set is ours and as large as is said; an all-zero one is valid.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &mut set);
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &set)).collect()
    }
}

/// Lets the calling thread run on one processor only: the index-th that we may use, round and round.
pub fn pin(index: usize) {
    let allowed = allowed();
    // SAFETY: as above.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(allowed[index % allowed.len()], &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}

fn spin(turns: u64, mut x: u64) -> u64 {
    for _ in 0..turns {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); // Knuth's MMIX generator
                                                                                   // SAFETY: no instruction; it only keeps the compiler from a shortcut through several turns.
        unsafe { asm!("/* {0} */", inout(reg) x, options(nomem, nostack, preserves_flags)) };
    }
    x
}

/// Spins half to one and a half of `turns`, at random, so that threads do not fall into step. A chain of dependent
/// multiplications: no memory, no clock (reading one takes as long as the shortest work there is).
pub fn work(turns: u64, random: &mut u64) {
    if turns > 0 {
        let x = spin(1, *random);
        let part = (u128::from(turns) * u128::from(x >> 32)) >> 32;
        *random = spin(turns / 2 + part as u64, x);
    }
}

/// How long `turns` take, the least of some tries: what is longer was interrupted.
fn least(turns: u64) -> Duration {
    const TRIES: u32 = 7;
    let mut x = 1;
    let tries = (0..TRIES).map(|_| {
        let start = Instant::now();
        x = std::hint::black_box(spin(turns, x));
        start.elapsed()
    });
    tries.min().expect("some tries")
}

/// How many turns of the spin take `ns` on this machine; measured at the first call, which takes a few milliseconds.
pub fn spin_turns(ns: u64) -> u64 {
    const FEW: u64 = 10_000;
    const MORE: u64 = 110_000;
    static TURNS_PER_NS: OnceLock<f64> = OnceLock::new();
    if ns == 0 {
        return 0;
    }
    let turns_per_ns = TURNS_PER_NS.get_or_init(|| {
        let (few, more) = (least(FEW), least(MORE)); // the difference leaves the clock's own time out
        let ns = more.saturating_sub(few).as_nanos();
        if ns > 0 {
            (MORE - FEW) as f64 / ns as f64
        } else {
            1.0
        }
    });
    (ns as f64 * turns_per_ns) as u64 + 1
}
