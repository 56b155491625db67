//! One request to the cloud: over a proxy if there is one, in TLS, answered within a bound of time and of bytes.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use storebox_core::limits::{CLOUD_ANSWER_BYTES, CLOUD_CONNECT_S, CLOUD_REQUEST_S};
use storebox_core::network::CloudUrl;
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use storebox_provisioning::enrolment::Stage;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::trust::{self, Trust};

/// Whom to ask, and as who.
pub struct Peer<'p> {
    /// The cloud.
    pub url: &'p CloudUrl,
    /// The HTTP proxy on the way, as host and port.
    pub proxy: Option<&'p Name>,
    /// What the cloud has to show.
    pub trust: Trust,
    /// What the box shows.
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

/// What to ask.
pub struct Question {
    /// How.
    pub method: Method,
    /// Where, below the cloud's address.
    pub path: String,
    /// Type and authorization of the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Question {
    /// A request without a body.
    pub fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A request with a body of this type.
    pub fn with_body(method: Method, path: String, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Self { method, path, headers, body: body.into() }
    }
}

/// What the cloud answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// How long it asks to wait.
    pub retry_after: Option<Duration>,
    /// What its clock shows, if that is within the life of the certificate it showed.
    pub time: Option<Timestamp>,
}

/// There is no answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// How far the way goes.
    pub stage: Stage,
    /// Whether it ends at the proxy.
    pub is_of_proxy: bool,
    why: String,
}

impl NoAnswer {
    fn at(stage: Stage, why: impl fmt::Display) -> Self {
        Self { stage, is_of_proxy: false, why: why.to_string() }
    }

    fn of_proxy(proxy: &str, why: impl fmt::Display) -> Self {
        Self { is_of_proxy: true, ..Self::at(Stage::Tls, format!("the proxy {proxy}: {why}")) }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NoAnswer {}

/// Asks once.
///
/// # Errors
/// [`NoAnswer`]; the cloud may have got the request all the same.
pub async fn ask(peer: Peer<'_>, question: Question) -> Result<Answer, NoAnswer> {
    within(CLOUD_REQUEST_S, Stage::Tls, "the cloud did not answer in time", async {
        let Peer { url, proxy, trust, identity } = peer;
        let (config, seen) = trust::config(trust, identity).map_err(|error| NoAnswer::at(Stage::Tls, error))?;
        match proxy {
            None => speak(connect(url.host(), url.port()).await?, config, url, question, &seen).await,
            Some(proxy) => speak(tunnel(proxy.as_str(), url).await?, config, url, question, &seen).await,
        }
    })
    .await
}

async fn within<T>(
    seconds: u64,
    stage: Stage,
    why: &str,
    work: impl Future<Output = Result<T, NoAnswer>>,
) -> Result<T, NoAnswer> {
    tokio::time::timeout(Duration::from_secs(seconds), work).await.unwrap_or_else(|_| Err(NoAnswer::at(stage, why)))
}

/// A connection to the first address of the host that takes one.
async fn connect(host: &str, port: u16) -> Result<TcpStream, NoAnswer> {
    let bare = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((bare, port));
    let found = within(CLOUD_CONNECT_S, Stage::Names, "the name server did not answer in time", async {
        found.await.map_err(|error| NoAnswer::at(Stage::Names, format!("{bare} is not found: {error}")))
    });
    let mut last = NoAnswer::at(Stage::Names, format!("{bare} has no address"));
    for address in found.await? {
        let connecting = within(CLOUD_CONNECT_S, Stage::Tls, "nothing answers", async {
            TcpStream::connect(address).await.map_err(|error| NoAnswer::at(Stage::Tls, error))
        });
        match connecting.await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = NoAnswer { why: format!("{address}: {error}"), ..error },
        }
    }
    Err(last)
}

/// A connection to the cloud through a proxy (RFC 9110, section 9.3.6).
async fn tunnel(proxy: &str, url: &CloudUrl) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, NoAnswer> {
    let no_tunnel = |error: &dyn fmt::Display| NoAnswer::of_proxy(proxy, error);
    let (host, port) = proxy.rsplit_once(':').ok_or_else(|| no_tunnel(&"it has no port"))?;
    let port = port.parse().map_err(|_| no_tunnel(&"its port is no number"))?;
    let stream = connect(host, port).await.map_err(|error| no_tunnel(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| no_tunnel(&error))?;
    tokio::spawn(connection.with_upgrades());
    let to = format!("{}:{}", url.host(), url.port());
    let request = Request::connect(&to).header(header::HOST, &to).body(Empty::<Bytes>::new());
    let answer = sender.send_request(request.map_err(|error| no_tunnel(&error))?);
    let answer = tokio::time::timeout(Duration::from_secs(CLOUD_CONNECT_S), answer).await;
    let answer = answer.map_err(|_| no_tunnel(&"it does not answer in time"))?.map_err(|error| no_tunnel(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(no_tunnel(&format_args!("it answers {}", answer.status())));
    }
    Ok(TokioIo::new(hyper::upgrade::on(answer).await.map_err(|error| no_tunnel(&error))?))
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    config: ClientConfig,
    url: &CloudUrl,
    question: Question,
    seen: &trust::Seen,
) -> Result<Answer, NoAnswer> {
    let failed = |error: &dyn fmt::Display| NoAnswer::at(Stage::Tls, error);
    let name = ServerName::try_from(url.host().trim_matches(['[', ']']).to_owned()).map_err(|error| failed(&error))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = stream.map_err(|error: io::Error| failed(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends with the connection, which ends with the sender.
    let driving = tokio::spawn(connection);
    let Question { method, path, headers, body } = question;
    let uri: Uri = format!("{}{path}", url.path()).parse().map_err(|error| failed(&error))?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let host = HeaderValue::from_str(url.authority()).map_err(|error| failed(&error))?;
    request.headers_mut().insert(header::HOST, host);
    request
        .headers_mut()
        .insert(header::USER_AGENT, HeaderValue::from_static(concat!("storeboxd/", env!("CARGO_PKG_VERSION"))));
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, CLOUD_ANSWER_BYTES).collect().await.map_err(|error| failed(&error))?.to_bytes();
    drop(sender);
    driving.abort();
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let date = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let retry_after = text(header::RETRY_AFTER).and_then(|asked| wait(asked, date));
    Ok(Answer { status: parts.status, body, retry_after, time: date.and_then(|date| seen.believes(date)) })
}

/// How long `Retry-After` asks to wait (RFC 9110, section 10.2.3): in seconds, or until a moment by the cloud's own clock.
fn wait(asked: &str, date: Option<SystemTime>) -> Option<Duration> {
    let asked = asked.trim();
    match asked.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        // A moment that has passed means now.
        Err(_) => Some(httpdate::parse_http_date(asked).ok()?.duration_since(date?).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_the_cloud_says_when_to_ask_again_in_seconds_or_by_a_moment_of_its_own_clock() {
        let date = httpdate::parse_http_date("Sat, 21 Nov 2026 12:00:00 GMT").ok();
        let later = "Sat, 21 Nov 2026 12:02:00 GMT";
        assert_eq!(wait(" 120 ", None), Some(Duration::from_secs(120)));
        assert_eq!(wait(later, date), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sat, 21 Nov 2026 11:59:00 GMT", date), Some(Duration::ZERO));
        // The box's own clock may show anything.
        assert_eq!(wait(later, None), None);
        assert_eq!(wait("soon", date), None);
    }
}
