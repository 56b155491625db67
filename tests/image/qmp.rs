//! What QEMU is told and tells (QEMU Machine Protocol, docs/interop/qmp-spec.rst).

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;

const LOOK_AGAIN: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_secs(20);

/// A conversation with a machine's emulator.
pub struct Qmp {
    to: OwnedWriteHalf,
    said: Arc<Mutex<Vec<Said>>>,
    asked: usize,
}

struct Said {
    at: Instant,
    message: Value,
}

impl Qmp {
    /// Waits until the emulator listens, and begins.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn connect(socket: &Path, limit: Duration) -> Result<Self, String> {
        let begun = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => break stream,
                Err(err) if begun.elapsed() > limit => return Err(format!("QEMU does not listen: {err}")),
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        let (from, to) = stream.into_split();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(from).lines();
            // Ends with the emulator.
            while let Ok(Some(line)) = lines.next_line().await {
                let message = serde_json::from_str(&line).unwrap_or(Value::Null);
                heard.lock().unwrap().push(Said { at: Instant::now(), message });
            }
        });
        let mut qmp = Self { to, said, asked: 0 };
        qmp.ask("qmp_capabilities", json!({})).await?;
        Ok(qmp)
    }

    /// Has a command carried out.
    ///
    /// # Errors
    /// What the emulator says against it.
    pub async fn ask(&mut self, command: &str, arguments: Value) -> Result<(), String> {
        self.asked += 1;
        let id = self.asked;
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments, "id": id }));
        self.to.write_all(line.as_bytes()).await.map_err(|err| format!("QEMU does not listen any more: {err}"))?;
        let begun = Instant::now();
        loop {
            let answer = self.find(begun, |message| message["id"] == id);
            match answer {
                Some((_, answer)) if answer.get("return").is_some() => return Ok(()),
                Some((_, answer)) => return Err(format!("{command}: {answer}")),
                None if begun.elapsed() > ANSWER => return Err(format!("{command}: no answer")),
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// When an event of this name first came at or after `since`.
    pub fn event(&self, name: &str, since: Instant) -> Option<Instant> {
        self.find(since, |message| message["event"] == name).map(|(at, _)| at)
    }

    /// The events' names, for messages.
    pub fn events(&self) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter().filter_map(|said| said.message["event"].as_str().map(str::to_owned)).collect()
    }

    fn find(&self, since: Instant, wanted: impl Fn(&Value) -> bool) -> Option<(Instant, Value)> {
        let said = self.said.lock().unwrap();
        said.iter().find(|said| said.at >= since && wanted(&said.message)).map(|said| (said.at, said.message.clone()))
    }
}
