//! The page at `/`: what the box is and what it is doing, for whoever opens it in a browser.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use storebox_core::settings::Connectivity;
use storebox_provisioning::status::Mark;

use super::Api;
use super::identity::hex;
use super::status::{Snapshot, uptime_words};
use crate::uplink::View;

const STYLE: &str = include_str!("page.css");

/// The page.
pub async fn page(State(api): State<Arc<Api>>) -> Response {
    let markup = render(&api, &Snapshot::of(&api).await);
    let mut response = markup.into_string().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Seen every five seconds without a script; the page has none.
    headers.insert(header::REFRESH, HeaderValue::from_static("5"));
    response
}

/// The style sheet, a file of its own so that the page needs no inline style.
pub async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, STYLE).into_response()
}

fn render(api: &Api, state: &Snapshot) -> Markup {
    let (word, doing) = match state.word() {
        "healthy" => ("Selling", "Terminals are served and every order is on the disk before it is acknowledged."),
        "degraded" => ("Selling, with a fault", "Terminals are served, but something needs a look: see below."),
        _ if state.database == "full" => {
            ("Disk full", "Terminals can read, but nothing is written until there is room.")
        }
        _ => ("Not selling", "The store cannot be read or written. The box restarts by itself."),
    };
    let uplink = api.uplink.view();
    let cloud = match (uplink.as_ref().and_then(|view| view.sentence()), api.connectivity) {
        (Some(sentence), _) => sentence,
        (None, Connectivity::LocalOnly) => "none configured, and none needed".to_owned(),
        (None, Connectivity::Offline) => "offline; sales go on and are kept for it".to_owned(),
    };
    let rows: [(&str, String); 9] = [
        ("Cloud", cloud),
        ("Open orders", state.counts.open_orders.to_string()),
        ("Paired terminals", state.counts.devices.to_string()),
        ("Changes kept for the cloud", state.counts.outbox.to_string()),
        ("Refused writes to look at", state.counts.refused_writes.to_string()),
        ("Unreadable records", state.counts.quarantined.to_string()),
        ("Disk", state.disk_space()),
        ("Running for", uptime_words(state.uptime_s)),
        ("Release", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (api.in_force().settings.name.as_str()) " – store box" }
                link rel="stylesheet" href="/page.css";
            }
            body {
                main {
                    h1 { (api.in_force().settings.name.as_str()) }
                    p class=(format!("state {}", state.word())) { (word) }
                    p { (doing) }
                    dl { @for (name, value) in &rows { div { dt { (name) } dd { (value) } } } }
                    @if let Some(view) = &uplink { (registration(view)) }
                    h2 { "Connect a terminal" }
                    p {
                        "It pairs with the secret in the box's " code { "secret" } " file: see "
                        a href="/openapi.json" { "the API's description" } "."
                    }
                    p { a href="/licences" { "Licences and source code" } }
                    p class="fingerprint" { "Fingerprint " code { (PreEscaped(hex(&api.fingerprint))) } }
                }
            }
        }
    }
}

/// How far the box has come with being registered: the whole way until it is, one line from then on.
fn registration(view: &View) -> Markup {
    let View { cloud, id, store, standing, faults, answered_at: _ } = view;
    let is_there = standing.steps.iter().all(|(_, mark)| *mark == Mark::Reached);
    html! {
        h2 { "Registration" }
        @if let (true, Some(store)) = (is_there, store) {
            p { "This box speaks for " strong { (store.as_str()) } @if let Some(cloud) = cloud { " at " (cloud) } "." }
        } @else {
            @for fault in faults { p class="state unhealthy" { "storebox.toml was not taken: " (fault) } }
            @if cloud.is_some() {
                ol class="way" {
                    @for (stage, mark) in &standing.steps {
                        li class=(match mark {
                            Mark::Reached => "reached",
                            Mark::Broken => "broken",
                            Mark::ToCome => "to-come",
                        }) { (stage.title()) }
                    }
                }
            }
            @if !standing.what.is_empty() { p { strong { (standing.what) } } }
            p { (standing.to_do) }
        }
        @if let Some(id) = id { p class="fingerprint" { "Identity " code { (id.short()) } } }
    }
}
