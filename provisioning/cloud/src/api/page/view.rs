//! What the pages look like.

use maud::{DOCTYPE, Markup, html};
use storebox_core::id::StoreId;
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;

use crate::api::claim::ClaimBody;
use crate::fleet::{BoxRow, State, StoreRow, short};

/// The rows one page shows; a search finds the others.
const ROWS: usize = 200;

/// A store with one of its boxes, or without any.
pub(super) struct Line {
    pub(super) store: StoreId,
    pub(super) name: Name,
    pub(super) register: Name,
    pub(super) device: Option<(BoxId, BoxRow, State)>,
}

impl Line {
    pub(super) fn new(id: StoreId, store: &StoreRow, device: Option<(BoxId, BoxRow, State)>) -> Self {
        Self { store: id, name: store.name.clone(), register: store.register.clone(), device }
    }

    /// Its state, in a word.
    fn word(&self) -> &'static str {
        self.device.as_ref().map_or("no box", |(_, _, state)| state.word())
    }

    /// Whether it holds all of these words, in small letters, anywhere.
    fn holds(&self, words: &str) -> bool {
        let mut text = format!("{} {} {} {}", self.name.as_str(), self.store, self.register.as_str(), self.word());
        if let Some((id, row, _)) = &self.device {
            text.push_str(&format!(" {id} {} ", short(*id)));
            if let Some(said) = &row.said {
                text.push_str(&format!("{} {}", said.board.as_str(), said.release.as_str()));
                said.addresses.iter().for_each(|address| text.push_str(&format!(" {address}")));
            }
        }
        let text = text.to_lowercase();
        words.split_whitespace().all(|word| text.contains(word))
    }
}

/// The whole fleet, or what of it was searched for.
pub(super) fn fleet(lines: &[Line], find: &str, form_token: &str, now: Timestamp) -> Markup {
    let words = find.to_lowercase();
    let found: Vec<&Line> = lines.iter().filter(|line| line.holds(&words)).collect();
    let count =
        |state: State| lines.iter().filter(|line| line.device.as_ref().is_some_and(|one| one.2 == state)).count();
    let counts = [State::Registered, State::Unreachable, State::Waiting, State::Replaced, State::Revoked]
        .map(|state| (state.word(), count(state)));
    let body = html! {
        nav.counts aria-label="Boxes by state" {
            @for (word, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                a class=(word) href=(format!("/?find={word}")) { b { (count) } " " (word) }
            }
        }
        form.find method="get" action="/" role="search" {
            input type="search" name="find" value=(find) aria-label="Find" placeholder="Store, box, address, state …";
            button { "Find" }
            @if !find.is_empty() { a href="/" { "Show all" } }
        }
        @if lines.is_empty() {
            p.empty { "There is no store yet. " a href="/claims" { "Make the first claim" } "." }
        } @else if found.is_empty() {
            p.empty { "Nothing is found." }
        } @else {
            table {
                thead {
                    tr {
                        @for title in ["Store", "Box", "State", "Last heard of", "Release", "Addresses", "Epoch"] {
                            th scope="col" { (title) }
                        }
                        th scope="col" { span.unseen { "What to do" } }
                    }
                }
                tbody { @for line in found.iter().take(ROWS) { (row(line, form_token, now)) } }
            }
        }
        @if found.len() > ROWS {
            p.empty { "These are the first " (ROWS) " of " (found.len()) ". Find the others by their names." }
        }
    };
    page("Fleet", Some(form_token), &body)
}

fn row(line: &Line, form_token: &str, now: Timestamp) -> Markup {
    html! {
        tr class=(line.word()) {
            th scope="row" {
                (line.name.as_str())
                span.more title="What its order numbers begin with" { (line.register.as_str()) }
            }
            @if let Some((id, device, state)) = &line.device {
                @let said = device.said.as_ref();
                td data-title="Box" {
                    div {
                        code title=(id) { (short(*id)) }
                        span.more { (said.map_or("", |said| said.board.as_str())) }
                    }
                }
                td data-title="State" { span class=(format!("state {}", state.word())) { (state.word()) } }
                td data-title="Last heard of" {
                    time datetime=(device.seen_at) {
                        (ago(device.seen_at, now))
                        span.more { (moment(device.seen_at)) }
                    }
                }
                td data-title="Release" { (said.map_or("–", |said| said.release.as_str())) }
                td data-title="Addresses" {
                    @let addresses = said.map(|said| said.addresses.as_slice()).unwrap_or_default();
                    div {
                        @if addresses.is_empty() { "–" }
                        @for address in addresses { span.address { (address) } " " }
                    }
                }
                td data-title="Epoch" { (if device.epoch == 0 { "–".to_owned() } else { device.epoch.to_string() }) }
                td {
                    div.act {
                        a href=(format!("/claims?store={}", line.store)) { "Claim" }
                        (service(*id, *state == State::Revoked, form_token))
                    }
                }
            } @else {
                td data-title="Box" { "–" }
                td data-title="State" { span.state { "no box" } }
                td data-title="Last heard of" { "never" }
                td.void {} td.void {} td.void {}
                td { div.act { a href=(format!("/claims?store={}", line.store)) { "Claim" } } }
            }
        }
    }
}

/// The button that puts a box back, or the two that take it out of service: nobody should do that with one slip.
fn service(id: BoxId, is_revoked: bool, form_token: &str) -> Markup {
    let form = |what: &str, label: &str, class: &str| {
        html! {
            form method="post" action=(format!("/boxes/{id}/{what}")) {
                input type="hidden" name="form" value=(form_token);
                button class=(class) { (label) }
            }
        }
    };
    if is_revoked {
        return form("restore", "Restore", "");
    }
    html! {
        details {
            summary { "Revoke" }
            div.confirm {
                p { "The box sells on, but the cloud no longer speaks with it." }
                (form("revoke", "Revoke it", "bad"))
            }
        }
    }
}

/// The form that makes a claim, for a new store or for one there is.
pub(super) fn claim_form(store: Option<(StoreId, &StoreRow)>, sends_mail: bool, form_token: &str) -> Markup {
    let holder = store.and_then(|(_, row)| row.holder);
    let intents = [
        ("new", "A new box", "The first box of its store."),
        ("replace", "Replace the box", "It takes the place of the one there is, which is told so."),
        ("reset", "Reset the box", "The same box again, with nothing of what it held."),
    ];
    // A new store has no box that could be replaced.
    let intents = intents.into_iter().filter(|(value, ..)| store.is_some() || *value != "replace");
    let chosen = if holder.is_some() { "replace" } else { "new" };
    let body = html! {
        form.claim method="post" action="/claims" {
            input type="hidden" name="form" value=(form_token);
            @if let Some((id, row)) = store {
                input type="hidden" name="store_id" value=(id);
                p { "For the store " b { (row.name.as_str()) } ", register " (row.register.as_str()) "." }
            } @else {
                p.hint { "For a store that is there already, choose “Claim” in its row." }
                label { "Store's name" input name="store_name" required maxlength="100" autocomplete="off"; }
                label {
                    "Register"
                    input name="register" value="A" required pattern="[A-Z0-9]{1,8}" maxlength="8" autocomplete="off"
                        aria-describedby="register-hint";
                    span.hint id="register-hint" { "What its order numbers begin with: capital letters and digits." }
                }
            }
            fieldset {
                legend { "What the box is to become" }
                @for (value, label, hint) in intents {
                    label.choice {
                        input type="radio" name="intent" value=(value) checked[value == chosen];
                        span { (label) span.hint { (hint) } }
                    }
                }
            }
            @if store.is_none() {
                fieldset {
                    legend { "Who is told if the box cannot be reached" }
                    @if sends_mail {
                        label { "Mail addresses" input name="mail" autocomplete="off" placeholder="shop@example.com, …"; }
                    }
                    label {
                        "Webhooks"
                        input name="webhooks" autocomplete="off" placeholder="https://example.com/alerts …";
                    }
                }
            }
            label { "Days the claim holds" input name="days" type="number" min="1" max="365" value="30" required; }
            button.main { "Make the claim" }
        }
    };
    page("New claim", Some(form_token), &body)
}

/// A claim that was made. Its token is shown here and never again.
pub(super) fn claimed(claim: &ClaimBody, store_name: &str, intent: &str, form_token: &str) -> Markup {
    let body = html! {
        p { "The claim for " b { (store_name) } " is for one box, once, until " (moment(claim.expires)) "." }
        p.warn { "Its token is shown only now. Copy it, or keep the file." }
        h2 { "Token" }
        pre.token { (claim.token) }
        h2 { "storebox.toml" }
        p.hint { "Put it on the STOREBOX partition of the box's card, or on a USB stick." }
        pre { (claim.site) }
        form method="post" action="/claims/file" {
            input type="hidden" name="form" value=(form_token);
            input type="hidden" name="token" value=(claim.token);
            input type="hidden" name="intent" value=(intent);
            button.main { "Download storebox.toml" }
        }
    };
    page("Claim made", Some(form_token), &body)
}

/// Where people sign in.
pub(super) fn sign_in(is_wrong: bool) -> Markup {
    let body = html! {
        form.claim method="post" action="/sign-in" {
            @if is_wrong { p.bad role="alert" { "That is not the admin's token." } }
            label {
                "Admin's token"
                input type="password" name="token" required autofocus autocomplete="current-password";
                span.hint { "It is in the file " code { "admin-token" } " beside the cloud's keys." }
            }
            button.main { "Sign in" }
            // The session's cookie does not come with a link from elsewhere, but with this one.
            p.hint { "Signed in already? " a href="/" { "Go to the fleet" } "." }
        }
    };
    page("Sign in", None, &body)
}

/// What has gone wrong.
pub(super) fn trouble(title: &str, detail: &str) -> Markup {
    page(title, None, &html! { p { (detail) } p { a href="/" { "Go to the fleet" } } })
}

fn page(title: &str, form_token: Option<&str>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – store boxes" }
                link rel="stylesheet" href="/fleet.css";
            }
            body {
                header {
                    h1 { (title) }
                    @if let Some(form_token) = form_token {
                        nav {
                            @if title != "Fleet" { a href="/" { "Fleet" } }
                            @if title != "New claim" { a href="/claims" { "New claim" } }
                            form method="post" action="/sign-out" {
                                input type="hidden" name="form" value=(form_token);
                                button.plain { "Sign out" }
                            }
                        }
                    }
                }
                main { (body) }
            }
        }
    }
}

/// How long ago, in the largest unit that says something.
fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.millis_since(then) / 1_000 {
        0..5 => "just now".to_owned(),
        seconds @ 5..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// A moment to the second.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = (text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default());
    format!("{day} {time} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u15_times_are_said_as_people_say_them() {
        let then = Timestamp::from_millis(1_790_000_000_000);
        assert_eq!(moment(then), "2026-09-21 14:13:20 UTC");
        for (seconds, said) in [
            (0, "just now"),
            (5, "5 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_199, "119 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(then, then.plus_millis(seconds * 1_000)), said);
        }
        assert_eq!(ago(then.plus_millis(9_000), then), "just now", "another instance's clock is a little ahead");
    }
}
