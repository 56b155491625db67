//! Ending a connection so that the other side gets to read the last answer.
//!
//! A socket that is closed with unread bytes in it is reset, and the answer that is on its way is lost with it. So a
//! connection that the box ends says so in TLS (close_notify, RFC 8446 §6.1), then takes what still comes for a short
//! while and throws it away.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use storebox_core::limits::{BODY_DISCARD_BYTES, LINGER_S};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink};
use tokio::sync::OwnedSemaphorePermit;

/// A stream that ends politely when it is dropped, and gives its permit back only then.
pub struct Closing<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(Option<(S, OwnedSemaphorePermit)>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Closing<S> {
    /// Takes over a stream.
    pub fn new(stream: S, permit: OwnedSemaphorePermit) -> Self {
        Self(Some((stream, permit)))
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        let stream = self.0.as_mut().map(|(stream, _)| Pin::new(stream));
        stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Closing<S> {
    fn drop(&mut self) {
        let Some((mut stream, permit)) = self.0.take() else { return };
        // While the runtime shuts down there is nobody left to be polite.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let _ended = tokio::time::timeout(Duration::from_secs(LINGER_S), async {
                stream.shutdown().await?;
                copy(&mut stream.take(BODY_DISCARD_BYTES as u64), &mut sink()).await
            })
            .await;
            drop(permit);
        });
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Closing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Closing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
