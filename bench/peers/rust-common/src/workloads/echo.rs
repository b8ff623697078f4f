//! TCP over loopback, both ends on the runtime: connections that stay open, and clients that wait for each echo.

use crate::random::Random;
use crate::runtime::{Listener, Runtime, Stream};
use crate::serve;
use crate::workload::{expect, Entry, Outcome, Setup, Workload};
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

const CONNECTIONS: u64 = 64;
const ROUNDS: u64 = 50;
pub const MESSAGE: usize = 64;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![Entry::fallible("echo", CONNECTIONS * ROUNDS, Echo::open).described(
        "TCP on loopback, both ends here: 64 connections, 50 round trips of 64 bytes on each",
        "each byte came back as it was sent",
    )]
}

/// Connections whose far ends echo.
pub struct Connections<R: Runtime> {
    pub clients: Vec<Client<R::Stream>>,
    servers: Vec<R::Task<io::Result<()>>>,
    echoed: Arc<AtomicU64>,
}

/// One connection's near end, and the generator that its messages come from.
pub struct Client<S> {
    stream: S,
    random: Random,
}

impl<R: Runtime> Connections<R> {
    pub fn open(setup: &Setup<R>, connections: u64) -> io::Result<Self> {
        let mut open = Connections { clients: Vec::new(), servers: Vec::new(), echoed: Arc::default() };
        setup.runtime.block_on(async {
            let listener = R::Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
            let address = listener.local_addr()?;
            for i in 0..connections {
                let stream = R::Stream::connect(address).await?;
                let served = listener.accept().await?;
                open.servers.push(R::spawn(open.serve(served)));
                open.clients.push(Client { stream, random: Random::new(setup.seed, i) });
            }
            Ok(open)
        })
    }

    fn serve(&self, stream: R::Stream) -> impl std::future::Future<Output = io::Result<()>> + Send + 'static {
        let echoed = self.echoed.clone();
        serve::echo(stream, [0; MESSAGE], move |n| {
            echoed.fetch_add(n as u64, Relaxed);
        })
    }

    /// So many bytes must have been echoed.
    pub fn close(&mut self, runtime: &R, sent: u64) -> Outcome {
        self.clients.clear();
        runtime.block_on(async {
            for server in self.servers.drain(..) {
                server.await.map_err(|error| error.to_string())?;
            }
            expect("bytes echoed", self.echoed.load(Relaxed), sent)
        })
    }
}

impl<S: Stream> Client<S> {
    /// One round trip.
    pub async fn talk(&mut self) -> io::Result<()> {
        let (mut message, mut answer) = ([0; MESSAGE], [0; MESSAGE]);
        self.random.fill(&mut message);
        self.stream.write_all(&message).await?;
        self.stream.read_exact(&mut answer).await?;
        if answer != message {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an echo differs from what was sent"));
        }
        Ok(())
    }
}

struct Echo<R: Runtime> {
    connections: Connections<R>,
    sent: u64,
}

impl<R: Runtime> Echo<R> {
    fn open(setup: &Setup<R>) -> io::Result<Self> {
        Ok(Echo { connections: Connections::open(setup, CONNECTIONS)?, sent: 0 })
    }
}

async fn talk<S: Stream>(mut client: Client<S>) -> io::Result<Client<S>> {
    for _ in 0..ROUNDS {
        client.talk().await?;
    }
    Ok(client)
}

impl<R: Runtime> Workload<R> for Echo<R> {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        let clients = &mut self.connections.clients;
        let talks: Vec<_> = clients.drain(..).map(|client| runtime.spawn_outside(talk(client))).collect();
        self.sent += CONNECTIONS * ROUNDS * MESSAGE as u64;
        runtime.block_on(async {
            for talk in talks {
                clients.push(talk.await.map_err(|error| error.to_string())?);
            }
            Ok(())
        })
    }

    fn finish(&mut self, runtime: &R) -> Outcome {
        self.connections.close(runtime, self.sent)
    }
}
