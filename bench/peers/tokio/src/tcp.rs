//! tokio's TCP, as the workloads call it.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use workload_common as common;

pub struct Stream(TcpStream);
pub struct ReadHalf(OwnedReadHalf);
pub struct WriteHalf(OwnedWriteHalf);
pub struct Listener(TcpListener);

impl Stream {
    pub fn into_inner(self) -> TcpStream {
        self.0
    }
}

impl common::Stream for Stream {
    type ReadHalf = ReadHalf;
    type WriteHalf = WriteHalf;

    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Stream(stream))
    }

    fn into_split(self) -> (ReadHalf, WriteHalf) {
        let (read_half, write_half) = self.0.into_split();
        (ReadHalf(read_half), WriteHalf(write_half))
    }
}

impl common::Duplex for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

impl common::ReadHalf for Stream {
    async fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(buffer).await.map(drop)
    }
}

impl common::WriteHalf for Stream {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }
}

impl common::ReadHalf for ReadHalf {
    async fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(buffer).await.map(drop)
    }
}

impl common::WriteHalf for WriteHalf {
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
