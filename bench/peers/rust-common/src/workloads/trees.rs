//! Trees of tasks: each spawns its children, awaits them in order and returns what they returned, put together.

use super::sum_of;
use crate::runtime::Runtime;
use crate::workload::{expect, Entry, Outcome};

const LEAVES: u64 = 1_000_000;
const CHILDREN: u64 = 10;
const LEAVES_SUM: u64 = 499_999_500_000;
const LIGHT_TASKS: u64 = 25_000;
const ROOTS: u64 = 300;
const DEPTH: u64 = 25;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![
        Entry::new("light_tasks", LIGHT_TASKS, |_| light_tasks)
            .described("a task spawns 25,000 tasks that return at once, and joins them", "each task's output arrived")
            .wide(),
        Entry::new("recursive_spawn", ROOTS * DEPTH, |_| recursive_spawn)
            .described("300 tasks that each spawn a child and join it, 25 deep", "the depths' sum")
            .wide(),
        Entry::new("skynet", 1_111_111, |_| skynet).described(
            "a tree of tasks with ten children each and 1,000,000 leaves, whose numbers are summed up",
            "the sum is 499999500000",
        ),
        // Operations are the calls of the recursion: 2 fib(n + 1) - 1.
        fib_entry("fib", 25, 75_025, 242_785),
        fib_entry("fib_42", 42, 267_914_296, 866_988_873).long(),
        queens_entry("nqueens", 10, 724, 35_538),
        queens_entry("nqueens_14", 14, 365_596, 27_358_552).long(),
    ]
}

fn light_tasks<R: Runtime>(runtime: &R) -> Outcome {
    let spawner = runtime.spawn_outside(async {
        let tasks: Vec<_> = (0..LIGHT_TASKS).map(|_| R::spawn(async { 1 })).collect();
        sum_of::<R>(tasks).await
    });
    expect("sum of the outputs", runtime.block_on(spawner), LIGHT_TASKS)
}

fn descend<R: Runtime>(depth: u64) -> R::Task<u64> {
    R::spawn(async move {
        if depth == 1 {
            return 1;
        }
        1 + descend::<R>(depth - 1).await
    })
}

fn recursive_spawn<R: Runtime>(runtime: &R) -> Outcome {
    let spawner = runtime.spawn_outside(async {
        let tasks: Vec<_> = (0..ROOTS).map(|_| descend::<R>(DEPTH)).collect();
        sum_of::<R>(tasks).await
    });
    expect("sum of the depths", runtime.block_on(spawner), ROOTS * DEPTH)
}

fn node<R: Runtime>(first: u64, leaves: u64) -> R::Task<u64> {
    R::spawn(async move {
        if leaves == 1 {
            return first;
        }
        let below = leaves / CHILDREN;
        let children: [_; CHILDREN as usize] = std::array::from_fn(|i| node::<R>(first + i as u64 * below, below));
        sum_of::<R>(children).await
    })
}

fn skynet<R: Runtime>(runtime: &R) -> Outcome {
    expect("sum", runtime.block_on(async { node::<R>(0, LEAVES).await }), LEAVES_SUM)
}

fn fib_entry<R: Runtime>(name: &str, n: u64, result: u64, calls: u64) -> Entry<R> {
    Entry::new(name, calls, move |_| {
        move |runtime: &R| expect(&format!("fib({n})"), runtime.block_on(async { fib::<R>(n).await }), result)
    })
    .described(
        format!("fib({n}) by naive recursion, a task for each call, no cut-off"),
        format!("fib({n}) is {result}"),
    )
}

fn fib<R: Runtime>(n: u64) -> R::Task<u64> {
    R::spawn(async move {
        if n < 2 {
            return n;
        }
        let (a, b) = (fib::<R>(n - 1), fib::<R>(n - 2));
        a.await + b.await
    })
}

fn queens_entry<R: Runtime>(name: &str, n: u32, solutions: u64, placements: u64) -> Entry<R> {
    let empty = Board { free: (1 << n) - 1, all: (1 << n) - 1, left: 0, right: 0 };
    Entry::new(name, placements, move |_| {
        move |runtime: &R| expect("solutions", runtime.block_on(async { queens::<R>(empty).await }), solutions)
    })
    .described(format!("{n} queens, a task for each legal placement"), format!("there are {solutions} solutions"))
}

/// Columns that are free, all there are, and those that queens above attack along the diagonals.
#[derive(Clone, Copy)]
struct Board {
    free: u32,
    all: u32,
    left: u32,
    right: u32,
}

impl Board {
    /// With a queen more, for each legal column of the next row.
    fn placements(self) -> impl Iterator<Item = Board> {
        let mut legal = self.free & !(self.left | self.right);
        std::iter::from_fn(move || {
            let column = legal & legal.wrapping_neg();
            legal ^= column;
            (column != 0).then_some(Board {
                free: self.free & !column,
                left: (self.left | column) << 1 & self.all,
                right: (self.right | column) >> 1,
                ..self
            })
        })
    }
}

fn queens<R: Runtime>(board: Board) -> R::Task<u64> {
    R::spawn(async move {
        if board.free == 0 {
            return 1;
        }
        let children: Vec<_> = board.placements().map(queens::<R>).collect();
        sum_of::<R>(children).await
    })
}
