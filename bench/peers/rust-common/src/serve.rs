//! `--serve`: a server process for a load generator.

use crate::cli::ServeOptions;
use crate::runtime::{Duplex, Listener, Runtime};
use crate::EXIT_CHECK_FAILED;
use std::future::Future;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};

/// As much as one read of a small request needs, and what a server would take for it.
const BUFFER: usize = 4096;

/// Returns on SIGTERM.
pub fn run<R: Runtime>(options: &ServeOptions) -> io::Result<()> {
    raise_descriptor_limit();
    let sigterm = block_sigterm(); // before there are other threads, which inherit it
    let runtime = R::start(options.workers)?;
    let (server, place) = match &options.path {
        Some(path) => (start_unix(&runtime, path)?, options.place()),
        None => start_tcp(&runtime, options)?,
    };
    println!("listening on {place}");
    io::stdout().flush()?;
    let mut signal = 0;
    // SAFETY: both are ours.
    unsafe { libc::sigwait(&sigterm, &mut signal) };
    R::detach(server);
    options.path.as_ref().map_or(Ok(()), std::fs::remove_file)
}

/// On a worker, as the connections are: the main thread only waits for the signal.
fn start_tcp<R: Runtime>(runtime: &R, options: &ServeOptions) -> io::Result<(R::Task<()>, String)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = runtime.block_on(R::Listener::bind(address))?;
    let address = listener.local_addr()?;
    let server = match options.service.as_str() {
        "echo" => runtime.spawn_outside(until_error::<R>(serve_echo::<R>(listener))),
        other => runtime.spawn_outside(until_error::<R>(R::serve(other, listener))),
    };
    Ok((server, address.to_string()))
}

fn start_unix<R: Runtime>(runtime: &R, path: &str) -> io::Result<R::Task<()>> {
    let server = runtime.block_on(async { R::serve_unix(path) })?;
    Ok(runtime.spawn_outside(until_error::<R>(server)))
}

/// A server that accepts no more connections must not look like a slow one.
async fn until_error<R: Runtime>(server: impl Future<Output = io::Result<()>>) {
    if let Err(error) = server.await {
        eprintln!("{}: the server ended: {error}", R::PROGRAM);
    }
    std::process::exit(EXIT_CHECK_FAILED.into());
}

async fn serve_echo<R: Runtime>(listener: R::Listener) -> io::Result<()> {
    loop {
        let stream = listener.accept().await?;
        R::detach(R::spawn(echo(stream)));
    }
}

/// Sends back what it receives, until the stream ends: so many bytes.
pub async fn echo<S: Duplex>(mut stream: S) -> io::Result<u64> {
    let mut buffer = [0; BUFFER];
    let mut echoed = 0;
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(echoed);
        }
        stream.write_all(&buffer[..n]).await?;
        echoed += n as u64;
    }
}

fn block_sigterm() -> libc::sigset_t {
    // SAFETY: the set is ours, and initialised by sigemptyset.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        set
    }
}

/// 10,000 connections are more than the usual soft limit.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to a struct of ours.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
