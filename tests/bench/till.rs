//! One till at work: an order, its acknowledgement, the next order. Cheap, because it shares the machine with the
//! box it loads: a request is a block of bytes in which only the key changes, and of an answer only the status and
//! the length are read.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use storebox_tests::{Random, Terminal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Crockford's base 32, as ULIDs are written.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// A ULID: ten digits of milliseconds, sixteen of chance.
const KEY_CHARS: usize = 26;
/// An answer is an order of about a kilobyte.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A till and its kept connection.
#[derive(Debug)]
pub(crate) struct Till {
    stream: TlsStream<TcpStream>,
    request: Vec<u8>,
    key_at: usize,
    random: Random,
    answer: Vec<u8>,
}

/// What one till, or all of them, did.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Orders acknowledged in all.
    pub(crate) acknowledged: u64,
    /// How long each acknowledgement within the window took, in microseconds.
    pub(crate) ack_us: Vec<u32>,
}

/// When to begin counting and when to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Orders before are not counted: caches fill and batches form.
    pub(crate) from: Instant,
    /// No order is begun after.
    pub(crate) until: Instant,
}

impl Window {
    /// A window that begins after `warm_up` from now.
    pub(crate) fn after(warm_up: Duration, length: Duration) -> Self {
        let from = Instant::now() + warm_up;
        Self { from, until: from + length }
    }
}

impl Till {
    /// Connects a paired terminal; `seed` sets its keys apart from those of other tills.
    pub(crate) async fn connect(terminal: &Terminal, seed: u64) -> Self {
        let stream = terminal.link().open().await.expect("the box answers");
        let (request, key_at) = request(terminal.authorization());
        Self { stream, request, key_at, random: Random::new(seed), answer: vec![0; ANSWER_BYTES_MAX] }
    }

    /// Sends one order after another until the window ends. Every answer must be 201.
    pub(crate) async fn work(mut self, window: Window) -> Work {
        let mut work = Work::default();
        loop {
            let sent = Instant::now();
            if sent >= window.until {
                return work;
            }
            self.order().await;
            let answered = Instant::now();
            work.acknowledged += 1;
            if answered >= window.from && answered < window.until {
                let took = answered.duration_since(sent).as_micros();
                work.ack_us.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
        }
    }

    async fn order(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
        let millis = u64::try_from(now.as_millis()).unwrap();
        let key = &mut self.request[self.key_at..self.key_at + KEY_CHARS];
        write_key(key, millis, self.random.number(), self.random.number());
        self.stream.write_all(&self.request).await.expect("the box takes the order");
        self.stream.flush().await.expect("the box takes the order");
        let mut filled = 0;
        while !is_whole(&self.answer[..filled]) {
            assert!(filled < self.answer.len(), "an answer is too long: {}", self.shown(filled));
            let count = self.stream.read(&mut self.answer[filled..]).await.expect("the box answers");
            assert!(count > 0, "the box hung up in the middle of an answer: {}", self.shown(filled));
            filled += count;
        }
        assert!(self.answer.starts_with(b"HTTP/1.1 201 "), "an order was not accepted: {}", self.shown(filled));
    }

    fn shown(&self, filled: usize) -> String {
        String::from_utf8_lossy(&self.answer[..filled]).into_owned()
    }
}

impl Work {
    /// Adds what another till did.
    pub(crate) fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.ack_us.extend(other.ack_us);
    }
}

/// An order of three items with modifiers, and where in it the key is.
fn request(authorization: &str) -> (Vec<u8>, usize) {
    let item = |id: &str, name: &str, price: u32, extra: &str| {
        json!({"itemId": id, "name": name, "quantity": 1, "unitPrice": price,
               "modifiers": [{"name": extra, "price": 50}]})
    };
    let body = json!({
        "tableId": "T12",
        "orderType": "dine_in",
        "items": [
            item("burger", "Burger", 1250, "Extra cheese"),
            item("fries", "Fries", 400, "Large"),
            item("cola", "Cola", 300, "No ice"),
        ],
    })
    .to_string();
    let before_key = format!(
        "POST /pos/orders HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {authorization}\r\n\
         content-type: application/json\r\nidempotency-key: "
    );
    let (length, key) = (body.len(), "0".repeat(KEY_CHARS));
    let request = format!("{before_key}{key}\r\ncontent-length: {length}\r\n\r\n{body}");
    (request.into_bytes(), before_key.len())
}

fn write_key(key: &mut [u8], millis: u64, first: u64, second: u64) {
    let (time, chance) = key.split_at_mut(10);
    write_digits(time, millis);
    write_digits(&mut chance[..8], first);
    write_digits(&mut chance[8..], second);
}

/// The lowest digits of a number, the highest of them first.
fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = DIGITS[(number % 32) as usize];
        number /= 32;
    }
}

/// Whether all of an answer is there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    answer.len() >= head + 4 + content_length(&answer[..head])
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME));
    let text = line.and_then(|line| std::str::from_utf8(&line[NAME.len()..]).ok());
    text.and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(|| panic!("an answer without its length: {}", String::from_utf8_lossy(head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_ulids_in_the_order_of_time() {
        let key = |millis, first, second| {
            let mut key = [b'-'; KEY_CHARS];
            write_key(&mut key, millis, first, second);
            String::from_utf8(key.to_vec()).unwrap()
        };
        // The example of the ULID specification: 1469918176385 is 01ARYZ6S41.
        assert!(key(1_469_918_176_385, 0, 0).starts_with("01ARYZ6S41"));
        assert_eq!(key(0, 1, 31), "0000000000000000010000000Z");
        assert!(key(1, 0, 0) > key(0, u64::MAX, u64::MAX));
    }

    #[test]
    fn an_order_is_about_400_bytes_and_its_key_is_found() {
        let (mut request, key_at) = request("Bearer token");
        write_key(&mut request[key_at..key_at + KEY_CHARS], 1, 2, 3);
        let text = String::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!((350..450).contains(&body.len()), "{}", body.len());
        assert!(
            head.contains("\r\nidempotency-key: 000000000100000002") && head.contains("Bearer token\r\n"),
            "{head}"
        );
    }

    #[test]
    fn an_answer_is_whole_when_all_its_length_is_there() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..answer.len() {
            assert!(!is_whole(&answer[..cut]), "{cut}");
        }
        assert!(is_whole(answer));
    }
}
