//! People at a terminal: signing in, and the owner and manager that tests need.

use std::fs;

use hyper::header::HeaderValue;
use serde_json::json;

use crate::answer::Answer;
use crate::running_box::RunningBox;
use crate::shop::Shop;
use crate::terminal::Terminal;

/// The PIN that tests give the owner.
pub const OWNER_PIN: &str = "927463";
/// The PIN of everybody whom the owner enters.
pub const STAFF_PIN: &str = "550182";

impl Terminal {
    /// Signs somebody in; every later request of this terminal carries the session.
    ///
    /// # Errors
    /// The box's refusal.
    pub async fn sign_in(&mut self, employee: &str, pin: &str) -> Result<Answer, Answer> {
        let answer = self.post("/api/auth/sign-in", json!({ "employee": employee, "pin": pin })).await;
        if answer.status != 200 {
            return Err(answer);
        }
        let session = HeaderValue::from_str(&answer.text("session")).expect("a session is text");
        self.session = Some(session);
        Ok(answer)
    }

    /// Forgets the session without telling the box.
    pub fn forget_session(&mut self) {
        self.session = None;
    }
}

impl RunningBox {
    /// A till with the owner signed in, an admin, whose PIN is [`OWNER_PIN`] from the first call on.
    pub async fn owner_at(&self, till: &Terminal) -> Terminal {
        let mut till = till.twin();
        let Ok(first) = fs::read_to_string(self.state("lan/owner-pin")) else {
            return signed_in(till, "owner", OWNER_PIN).await;
        };
        let first = first.trim();
        till = signed_in(till, "owner", first).await;
        let change = json!({ "oldPin": first, "newPin": OWNER_PIN });
        till.post("/api/auth/pin", change).await.must_be(204);
        till
    }
}

impl Shop {
    /// The till with the owner signed in.
    pub async fn owner(&self) -> Terminal {
        self.running.owner_at(&self.till).await
    }

    /// The till with a manager signed in.
    pub async fn manager(&self) -> Terminal {
        self.signed_in_as("manager", "manager").await
    }

    /// The till with somebody signed in who only sells and serves.
    pub async fn staff(&self, name: &str) -> Terminal {
        self.signed_in_as(name, "staff").await
    }

    /// The till with somebody signed in whom the owner enters first, if need be.
    pub async fn signed_in_as(&self, name: &str, role: &str) -> Terminal {
        let mut owner = self.owner().await;
        let new = json!({ "login": name, "name": name, "role": role, "pin": STAFF_PIN, "mustChangePin": false });
        let answer = owner.post("/api/employees", new).await;
        assert!(matches!(answer.status, 201 | 409), "{answer}");
        signed_in(self.till.twin(), name, STAFF_PIN).await
    }
}

async fn signed_in(mut terminal: Terminal, employee: &str, pin: &str) -> Terminal {
    terminal.forget_session();
    match terminal.sign_in(employee, pin).await {
        Ok(_) => terminal,
        Err(refusal) => panic!("{employee} cannot sign in: {refusal}"),
    }
}
