//! A reader of `text/event-stream` (WHATWG HTML, section 9.2), as far as the box writes it.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::Method;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use crate::link::Link;
use crate::terminal::Terminal;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent {
    /// The cursor to go on from.
    pub id: String,
    /// The kind.
    pub kind: String,
    /// The event.
    pub data: Value,
}

/// An open event stream on a connection of its own.
#[derive(Debug)]
pub struct EventStream {
    /// Comments passed over: the box's signs of life.
    pub comments: u32,
    body: Incoming,
    text: String,
    // Dropping the sender would end the connection.
    _link: Link,
}

/// What came of waiting for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(StreamEvent),
    /// Nothing within the time given.
    Quiet,
    /// The box ended the stream.
    Ended,
}

impl EventStream {
    /// Opens `/api/sync/events` from now on, or from `last` (`Last-Event-ID`).
    pub async fn open(terminal: &Terminal, last: Option<&str>) -> Self {
        let mut link = terminal.link().twin();
        let mut request = terminal.head(Method::GET, "/api/sync/events").header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = link.send(request.body(Full::default()).unwrap()).await.expect("the box answers");
        assert_eq!(response.status(), 200, "no stream: {:?}", response.headers());
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/event-stream"), "not a stream: {kind}");
        Self { comments: 0, body: response.into_body(), text: String::new(), _link: link }
    }

    /// The next event, or a failed test if it does not come within ten seconds.
    pub async fn next(&mut self) -> StreamEvent {
        match self.next_within(Duration::from_secs(10)).await {
            Next::Event(event) => event,
            other => panic!("no event came: {other:?}"),
        }
    }

    /// Waits for the next event. Comments (signs of life) are passed over.
    pub async fn next_within(&mut self, within: Duration) -> Next {
        let wait = async {
            loop {
                if let Some(event) = self.take_event() {
                    return Next::Event(event);
                }
                match self.body.frame().await {
                    Some(Ok(frame)) => {
                        let data = frame.into_data().unwrap_or_default();
                        self.text.push_str(std::str::from_utf8(&data).expect("the stream is text"));
                    }
                    Some(Err(_)) | None => return Next::Ended,
                }
            }
        };
        timeout(within, wait).await.unwrap_or(Next::Quiet)
    }

    fn take_event(&mut self) -> Option<StreamEvent> {
        loop {
            let end = self.text.find("\n\n")?;
            let block: String = self.text.drain(..end + 2).collect();
            let (mut id, mut kind, mut data) = (String::new(), String::new(), String::new());
            for line in block.lines() {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "" => self.comments += 1,
                    "id" => value.clone_into(&mut id),
                    "event" => value.clone_into(&mut kind),
                    "data" => data.push_str(value),
                    _ => {}
                }
            }
            if !data.is_empty() {
                let data = serde_json::from_str(&data).expect("the event's data is JSON");
                return Some(StreamEvent { id, kind, data });
            }
        }
    }
}
