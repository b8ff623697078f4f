//! TCP connections on loopback, both ends on the runtime: the far ends echo.

use crate::random::Random;
use crate::runtime::{Listener, Runtime, Stream};
use crate::serve;
use crate::workload::{expect, Outcome, Setup};
use std::io;
use std::net::Ipv4Addr;

/// In bytes.
pub const MESSAGE: usize = 64;

/// The far ends.
pub struct Servers<R: Runtime> {
    tasks: Vec<R::Task<io::Result<u64>>>,
}

/// The servers, and the connections' near ends.
pub fn open<R: Runtime>(setup: &Setup<R>, connections: u64) -> io::Result<(Servers<R>, Vec<R::Stream>)> {
    let mut servers = Servers { tasks: Vec::new() };
    let mut streams = Vec::new();
    setup.runtime.block_on(async {
        let listener = R::Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let address = listener.local_addr()?;
        for _ in 0..connections {
            streams.push(R::Stream::connect(address).await?);
            servers.tasks.push(R::spawn(serve::echo(listener.accept().await?)));
        }
        Ok((servers, streams))
    })
}

impl<R: Runtime> Servers<R> {
    /// When the near ends are closed; so many bytes must have been echoed.
    pub fn end(&mut self, runtime: &R, sent: u64) -> Outcome {
        runtime.block_on(async {
            let mut echoed = 0;
            for task in self.tasks.drain(..) {
                echoed += task.await.map_err(|error| error.to_string())?;
            }
            expect("bytes echoed", echoed, sent)
        })
    }
}

pub fn next_message(random: &mut Random) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    random.fill(&mut message);
    message
}

pub fn compare(answer: &[u8], message: &[u8]) -> io::Result<()> {
    if answer == message {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "an echo differs from what was sent"))
}
