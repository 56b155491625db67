//! A TLS connection for bytes that are not, or not yet, a request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::link::{Door, Link};
use crate::trust::Trust;

/// A bare connection over TLS.
#[derive(Debug)]
pub struct Raw {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
}

/// An answer as it came over a bare connection.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// As much of the body as its length promised.
    pub body: String,
}

impl Raw {
    /// Connects without checking who is there.
    pub async fn connect(door: &Door) -> Self {
        let link = Link::new(door, &Trust::Anyone);
        Self { stream: link.open().await.expect("the box answers"), unread: Vec::new() }
    }

    /// Writes, or fails the test.
    pub async fn write(&mut self, text: &str) {
        self.try_write(text.as_bytes()).await.expect("the box still reads");
    }

    /// Writes.
    ///
    /// # Errors
    /// Whatever the connection says, once the box has hung up.
    pub async fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next answer, or nothing if the box hangs up or stays silent for so long.
    pub async fn answer(&mut self, within: Duration) -> Option<RawAnswer> {
        timeout(within, self.read_answer()).await.ok().flatten()
    }

    /// Whether the box hangs up within so long; what it says before is passed over.
    pub async fn is_closed(&mut self, within: Duration) -> bool {
        let mut rest = [0; 4096];
        let closed = async { while !matches!(self.stream.read(&mut rest).await, Ok(0) | Err(_)) {} };
        timeout(within, closed).await.is_ok()
    }

    async fn read_answer(&mut self) -> Option<RawAnswer> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).expect("the head is text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, length)| length.trim().parse().expect("a length"));
        while self.unread.len() < length {
            self.read_more().await?;
        }
        let body = String::from_utf8_lossy(&self.unread.drain(..length).collect::<Vec<_>>()).into_owned();
        Some(RawAnswer { status, head, body })
    }

    async fn read_more(&mut self) -> Option<()> {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        self.unread.extend_from_slice(&piece[..count]);
        Some(())
    }
}
