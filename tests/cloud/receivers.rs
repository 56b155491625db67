//! Who is told by the cloud: a mail server, and webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use storebox_tests::Folder;

/// What has come, in the order in which it came.
pub type Received = Arc<Mutex<Vec<Value>>>;

/// The user and password of the mail server, as a URL has them.
pub const LOGIN: &str = "cloud:secret";

/// A real mail server. It ends with the value.
pub struct MailServer {
    process: Child,
    _until_it_ends: ChildStdin,
    folder: Folder,
    /// Where it listens.
    pub port: u16,
    /// Mails, each with `to` and `text`.
    pub mails: Received,
}

impl MailServer {
    pub fn start() -> Self {
        let folder = Folder::new("mail");
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("mail.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(folder.path().join("mail.key"), key.serialize_pem()).unwrap();
        let mut python = Command::new("/usr/bin/python3");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cloud/mail_server.py");
        python.current_dir(folder.path()).args(["-W", "ignore", script, "mail.crt", "mail.key"]).args(LOGIN.split(':'));
        let mut process = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next().expect("it says its port; tests/run installs aiosmtpd").unwrap().parse().unwrap();
        let mails = Received::default();
        let received = Arc::clone(&mails);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                received.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { process, _until_it_ends: input, folder, port, mails }
    }

    /// The authority of its certificate.
    pub fn authority(&self) -> String {
        self.folder.path().join("mail.crt").display().to_string()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// Something that listens for requests.
pub struct Listener {
    /// Where it listens.
    pub url: String,
    /// The bodies of requests it took.
    pub taken: Received,
    /// The bodies of requests it refused.
    pub refused: Received,
}

impl Listener {
    /// Refuses so many requests before it takes any, and lets each wait for its answer.
    pub fn start(refusals: usize, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let (taken, refused) = (Received::default(), Received::default());
        let lists = [Arc::clone(&taken), Arc::clone(&refused)];
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, [take, refuse]) = (stream.unwrap(), lists.clone());
                let is_refused = refuse.lock().unwrap().len() < refusals;
                let (list, status) = if is_refused { (refuse, "503 No") } else { (take, "204 Yes") };
                thread::spawn(move || answer(stream, &list, status, delay));
            }
        });
        Self { url, taken, refused }
    }
}

/// Reads one request, notes it, and answers when it is time.
fn answer(stream: TcpStream, list: &Received, status: &str, delay: Duration) {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    list.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    thread::sleep(delay);
    write!(stream.get_mut(), "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
}

/// Waits until so many have come, and gives them.
pub fn wait_for(received: &Received, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let now = received.lock().unwrap().clone();
        if now.len() >= count {
            return now;
        }
        assert!(begun.elapsed() < Duration::from_secs(45), "of {count} only these came: {now:#?}");
        thread::sleep(Duration::from_millis(50));
    }
}
