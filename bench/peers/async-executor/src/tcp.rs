//! smol's TCP, as the workloads call it.

use async_net::{TcpListener, TcpStream};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use std::io;
use std::net::SocketAddr;
use workload_common as common;

pub struct Stream(TcpStream);
pub struct Listener(TcpListener);

impl common::Stream for Stream {
    type ReadHalf = Stream;
    type WriteHalf = Stream;

    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Stream(stream))
    }

    /// Clones share the socket.
    fn into_split(self) -> (Stream, Stream) {
        (Stream(self.0.clone()), self)
    }
}

impl common::Duplex for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

impl common::ReadHalf for Stream {
    async fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(buffer).await
    }
}

impl common::WriteHalf for Stream {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }
}

impl common::Listener for Listener {
    type Stream = Stream;

    async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Listener)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    async fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok(Stream(stream))
    }
}
