//! Connections that stay open, and clients that wait for each echo.

use super::loopback::{self, Servers, MESSAGE};
use crate::random::Random;
use crate::runtime::{Runtime, Stream};
use crate::workload::{Entry, Outcome, Setup, Workload};
use std::io;

const CONNECTIONS: u64 = 64;
const ROUNDS: u64 = 50;

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    vec![Entry::fallible("echo", CONNECTIONS * ROUNDS, Echo::open).described(
        "TCP on loopback, both ends here: 64 connections, 50 round trips of 64 bytes on each",
        "each byte came back as it was sent",
    )]
}

struct Echo<R: Runtime> {
    clients: Vec<Client<R::Stream>>,
    servers: Servers<R>,
    sent: u64,
}

/// One connection's near end, and the generator that its messages come from.
struct Client<S> {
    stream: S,
    random: Random,
}

impl<S: Stream> Client<S> {
    async fn talk(mut self) -> io::Result<Self> {
        let mut answer = [0; MESSAGE];
        for _ in 0..ROUNDS {
            let message = loopback::next_message(&mut self.random);
            self.stream.write_all(&message).await?;
            self.stream.read_exact(&mut answer).await?;
            loopback::compare(&answer, &message)?;
        }
        Ok(self)
    }
}

impl<R: Runtime> Echo<R> {
    fn open(setup: &Setup<R>) -> io::Result<Self> {
        let (servers, streams) = loopback::open(setup, CONNECTIONS)?;
        let client = |(i, stream)| Client { stream, random: Random::new(setup.seed, i) };
        Ok(Echo { clients: (0..).zip(streams).map(client).collect(), servers, sent: 0 })
    }
}

impl<R: Runtime> Workload<R> for Echo<R> {
    fn iterate(&mut self, runtime: &R) -> Outcome {
        let talks: Vec<_> = self.clients.drain(..).map(|client| runtime.spawn_outside(client.talk())).collect();
        self.sent += CONNECTIONS * ROUNDS * MESSAGE as u64;
        runtime.block_on(async {
            for talk in talks {
                self.clients.push(talk.await.map_err(|error| error.to_string())?);
            }
            Ok(())
        })
    }

    fn finish(&mut self, runtime: &R) -> Outcome {
        self.clients.clear();
        self.servers.end(runtime, self.sent)
    }
}
