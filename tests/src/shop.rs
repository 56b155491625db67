//! A store with one till, for tests that begin with selling.

use serde_json::{Value, json};

use crate::config::BoxConfig;
use crate::folder::Folder;
use crate::running_box::RunningBox;
use crate::sample;
use crate::terminal::Terminal;

/// A running box in a folder of its own, and a till.
#[derive(Debug)]
pub struct Shop {
    /// The box.
    pub running: RunningBox,
    /// The till.
    pub till: Terminal,
    // Goes after the box.
    _folder: Folder,
}

impl Shop {
    /// Opens a shop; `label` names its folder.
    pub async fn open(label: &str) -> Self {
        Self::open_with(label, |config| config).await
    }

    /// Opens a shop with another configuration.
    pub async fn open_with(label: &str, change: impl FnOnce(BoxConfig) -> BoxConfig) -> Self {
        let folder = Folder::new(label);
        let running = RunningBox::start(change(BoxConfig::new(folder.path()))).await;
        let till = Terminal::pair(&running, "Till 1", "pos").await;
        Self { running, till, _folder: folder }
    }

    /// Pairs another terminal.
    pub async fn terminal(&self, name: &str, kind: &str) -> Terminal {
        Terminal::pair(&self.running, name, kind).await
    }

    /// Opens an order of [`sample::two_coffees`] (7.70) at the till.
    pub async fn order(&mut self) -> Value {
        self.till.post("/pos/orders", sample::two_coffees()).await.expect(201)
    }

    /// Opens an order and pays it.
    pub async fn closed_order(&mut self) -> Value {
        let order = self.order().await;
        self.till.post(of(&order, "/close"), sample::cash(770)).await.expect(200)
    }

    /// Opens an order and voids it.
    pub async fn voided_order(&mut self) -> Value {
        let order = self.order().await;
        self.till.post(of(&order, "/void"), json!({})).await.expect(200)
    }

    /// Every order the box has, in the order of their ids.
    pub async fn all_orders(&mut self) -> Vec<Value> {
        all_orders(&mut self.till).await
    }
}

/// Every order a till can see, in the order of their ids, read page by page.
pub async fn all_orders(till: &mut Terminal) -> Vec<Value> {
    const EVERY_STATUS: &str = "/pos/orders?limit=500&status=pending,confirmed,preparing,ready,completed,voided";
    let mut orders = Vec::new();
    let mut path = EVERY_STATUS.to_owned();
    loop {
        let page = till.get(path).await;
        page.must_be(200);
        orders.extend(page.body.as_array().expect("a list").iter().cloned());
        if page.header("x-more") != Some("true") {
            return orders;
        }
        path = format!("{EVERY_STATUS}&since={}", page.header("x-cursor").expect("a cursor"));
    }
}

/// The path of an order, or of something under it (`/close`).
pub fn of(order: &Value, below: &str) -> String {
    format!("/pos/orders/{}{below}", order["id"].as_str().expect("an order has an id"))
}
