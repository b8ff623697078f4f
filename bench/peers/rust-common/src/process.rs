//! What a process can say about itself, and what it asks of the system directly.

use std::time::Duration;

pub fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours, and this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The high-water mark of this program's own memory, 0 if unknown. Not getrusage's ru_maxrss: that survives exec, so it
/// would tell the size of whoever started us.
pub fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

pub fn online_processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// Blocks the thread in the kernel, for 0 too, which `thread::sleep` leaves out.
pub fn nanosleep(time: Duration) {
    let time = libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: the pointer is to a timespec of ours; what remains after a signal is not wanted.
    unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
}
