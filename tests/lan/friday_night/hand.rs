//! A terminal in somebody's hands: it asks until it is answered, and keeps what it was told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::{Answer, Random, STAFF_PIN, Terminal};

use super::ledger::Ledger;
use super::menu::Menu;

/// How long somebody goes on asking a box that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What everybody who works this night shares.
pub struct Night {
    /// What is sold.
    pub menu: Menu,
    /// The books the test keeps.
    ledger: Mutex<Ledger>,
    /// Writes that were answered.
    pub answered: AtomicU32,
    /// All guests are gone: the kitchen may stop when it has nothing to do.
    pub guests_gone: AtomicBool,
    /// Checks that a waiter has asked a till to close.
    pub asked_to_pay: Mutex<Vec<Value>>,
}

impl Night {
    pub fn new(menu: Menu) -> Arc<Self> {
        let ledger = Mutex::new(Ledger::new(menu.stocked()));
        let (answered, guests_gone) = (AtomicU32::new(0), AtomicBool::new(false));
        Arc::new(Self { menu, ledger, answered, guests_gone, asked_to_pay: Mutex::default() })
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// Waits until so many writes were answered.
    pub async fn busy_until(&self, answered: u32) {
        let started = Instant::now();
        while self.answered.load(Ordering::Relaxed) < answered {
            assert!(started.elapsed() < 3 * PATIENCE, "the evening does not go on");
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// A write and its answer.
pub struct Sent {
    pub method: Method,
    pub path: String,
    pub body: Value,
    pub key: String,
    pub answer: Answer,
}

/// A terminal and who holds it.
pub struct Hand {
    pub night: Arc<Night>,
    pub terminal: Terminal,
    pub random: Random,
    /// Login and id of who is signed in.
    who: Option<(&'static str, String)>,
    /// Every write that took effect.
    pub sent: Vec<Sent>,
}

impl Hand {
    /// A terminal that nobody signs in to.
    pub fn free(night: &Arc<Night>, terminal: Terminal, random: Random) -> Self {
        Self { night: night.clone(), terminal, random, who: None, sent: Vec::new() }
    }

    /// Somebody signs in.
    pub async fn of(night: &Arc<Night>, terminal: Terminal, login: &'static str, random: Random) -> Self {
        let mut hand = Self::free(night, terminal, random);
        hand.terminal.forget_session();
        let session = hand.terminal.sign_in(login, STAFF_PIN).await.expect("they can sign in");
        hand.who = Some((login, session.text("employeeId")));
        hand
    }

    /// The same person at the same terminal, over another connection.
    pub fn twin(&mut self) -> Self {
        let mut twin = Self::free(&self.night, self.terminal.twin(), self.random.fork());
        twin.who.clone_from(&self.who);
        twin
    }

    /// The employee's id; empty if nobody is signed in.
    pub fn who(&self) -> &str {
        self.who.as_ref().map_or("", |(_, id)| id)
    }

    /// The login of who is signed in.
    pub fn login(&self) -> Option<&'static str> {
        self.who.as_ref().map(|(login, _)| *login)
    }

    /// True so many times of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.random.below(u64::try_from(most - least + 1).unwrap())).unwrap()
    }

    /// Reads.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.until_answered(&Method::GET, path, &Value::Null, "").await
    }

    /// Writes with a new key. Now and then the answer is lost on the way, and the same is asked again.
    pub async fn post(&mut self, path: impl Into<String>, body: Value) -> Answer {
        self.write(Method::POST, path.into(), body).await
    }

    /// The same with `PATCH`.
    pub async fn patch(&mut self, path: impl Into<String>, body: Value) -> Answer {
        self.write(Method::PATCH, path.into(), body).await
    }

    async fn write(&mut self, method: Method, path: String, body: Value) -> Answer {
        let key = self.random.uuid();
        let answer = self.write_as(method, path, body, key).await;
        if self.random.below(12) == 0 {
            self.replay_last(&answer).await;
        }
        answer
    }

    /// Writes with this key.
    pub async fn write_as(&mut self, method: Method, path: String, body: Value, key: String) -> Answer {
        let answer = self.until_answered(&method, &path, &body, &key).await;
        if answer.status < 300 {
            self.sent.push(Sent { method, path, body, key, answer: answer.clone() });
        }
        self.night.answered.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Sends the last write again, if it was the one that got this answer.
    async fn replay_last(&mut self, answer: &Answer) {
        if answer.status < 300 {
            self.replay(self.sent.len() - 1).await;
        }
    }

    /// Sends a write again: the answer must be the same.
    pub async fn replay(&mut self, index: usize) {
        let sent = &self.sent[index];
        let (method, path, body, key) = (sent.method.clone(), sent.path.clone(), sent.body.clone(), sent.key.clone());
        let again = self.until_answered(&method, &path, &body, &key).await;
        again.replays(&self.sent[index].answer);
    }

    /// Writes about an order, which must be taken, and books what came of it.
    pub async fn order(&mut self, path: impl Into<String>, body: Value) -> Value {
        let path = path.into();
        let expected = if path == "/pos/orders" { 201 } else { 200 };
        let after = self.post(path, body).await.expect(expected);
        self.night.ledger().book(self.who(), &after);
        after
    }

    /// The same with `PATCH`.
    pub async fn change(&mut self, order: &Value, body: Value) -> Value {
        let after = self.patch(storebox_tests::of(order, ""), body).await.expect(200);
        self.night.ledger().book(self.who(), &after);
        after
    }

    async fn until_answered(&mut self, method: &Method, path: &str, body: &Value, key: &str) -> Answer {
        let started = Instant::now();
        loop {
            let mut call = self.terminal.call(method.clone(), path);
            if *method != Method::GET {
                call = call.json(body).key(key);
            }
            match call.send().await {
                // The box was away: it knows nobody's session any more.
                Ok(answer) if answer.status == 401 && self.who.is_some() => {
                    let (login, _) = self.who.as_ref().unwrap();
                    self.terminal.forget_session();
                    self.terminal.sign_in(login, STAFF_PIN).await.expect("they can sign in again");
                }
                Ok(answer) => return answer,
                Err(broken) => {
                    assert!(started.elapsed() < PATIENCE, "{method} {path}: {broken}");
                    self.night.ledger().note("cut off");
                }
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Clocks in or out.
    pub async fn clock(&mut self, way: &str) {
        let expected = if way == "in" { 201 } else { 200 };
        self.post(format!("/api/shifts/clock-{way}"), json!({})).await.must_be(expected);
    }
}
