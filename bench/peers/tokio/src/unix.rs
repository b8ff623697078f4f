//! tokio's Unix sockets: only as much as a server that echoes needs.

use std::future::Future;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use workload_common as common;

struct Stream(UnixStream);

impl common::Duplex for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

impl common::WriteHalf for Stream {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }
}

pub fn serve(path: &str) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
    let listener = UnixListener::bind(path)?;
    Ok(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(common::serve::echo(Stream(stream)));
        }
    })
}
