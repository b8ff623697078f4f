//! TCP over loopback, both ends on the runtime: connections that stay open, and clients that wait for each echo.

use super::{expect, Entry, Workload};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const CONNECTIONS: u64 = 64;
const ROUNDS: u64 = 50;
const MESSAGE: usize = 64;

pub const ENTRY: Entry = Entry {
    name: "echo",
    summary: "TCP on loopback, both ends here: 64 connections, 50 round trips of 64 bytes on each",
    check: "each byte came back as it was sent",
    ops: CONNECTIONS * ROUNDS,
    setup: |runtime, seed| Ok(Box::new(runtime.block_on(Echo::open(seed))?)),
};

struct Echo {
    clients: Vec<Client>,
    servers: Vec<JoinHandle<io::Result<()>>>,
    echoed: Arc<AtomicU64>,
    sent: u64,
}

/// One connection's near end, and the generator that its messages come from.
struct Client {
    stream: TcpStream,
    random: u64,
}

impl Echo {
    async fn open(seed: u64) -> io::Result<Echo> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut echo = Echo { clients: Vec::new(), servers: Vec::new(), echoed: Arc::default(), sent: 0 };
        for i in 0..CONNECTIONS {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (served, _) = listener.accept().await?;
            served.set_nodelay(true)?;
            echo.servers.push(tokio::spawn(serve(served, echo.echoed.clone())));
            echo.clients.push(Client { stream, random: mix(seed, i) });
        }
        Ok(echo)
    }
}

/// Never 0, from which xorshift would not move.
fn mix(seed: u64, i: u64) -> u64 {
    (seed ^ (i + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1
}

async fn serve(mut stream: TcpStream, echoed: Arc<AtomicU64>) -> io::Result<()> {
    let mut buffer = [0; MESSAGE];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
        echoed.fetch_add(n as u64, Relaxed);
    }
}

impl Client {
    fn fill(&mut self, message: &mut [u8; MESSAGE]) {
        for word in message.chunks_exact_mut(8) {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            word.copy_from_slice(&self.random.to_le_bytes());
        }
    }

    async fn talk(mut self) -> io::Result<Client> {
        let (mut message, mut answer) = ([0; MESSAGE], [0; MESSAGE]);
        for _ in 0..ROUNDS {
            self.fill(&mut message);
            self.stream.write_all(&message).await?;
            self.stream.read_exact(&mut answer).await?;
            if answer != message {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "an echo differs from what was sent"));
            }
        }
        Ok(self)
    }
}

impl Workload for Echo {
    fn iterate(&mut self, runtime: &Runtime) -> Result<(), String> {
        let talks: Vec<_> = self.clients.drain(..).map(|client| runtime.spawn(client.talk())).collect();
        let clients = &mut self.clients;
        self.sent += CONNECTIONS * ROUNDS * MESSAGE as u64;
        runtime.block_on(async {
            for talk in talks {
                clients.push(talk.await.unwrap().map_err(|error| error.to_string())?);
            }
            Ok(())
        })
    }

    fn finish(&mut self, runtime: &Runtime) -> Result<(), String> {
        self.clients.clear();
        runtime.block_on(async {
            for server in self.servers.drain(..) {
                server.await.unwrap().map_err(|error| error.to_string())?;
            }
            expect("bytes echoed", self.echoed.load(Relaxed), self.sent)
        })
    }
}
