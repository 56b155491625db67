//! A morning in a store: every kind of command, alone and in batches, with the refusals that belong to it.

use storebox_core::command::{Actor, Command, OpenOrder, OrderRef, Request};
use storebox_core::device::DeviceKind;
use storebox_core::money::Money;
use storebox_core::order::{Action, Header, LineChange, Modification};
use storebox_core::quantity::Quantity;
use storebox_core::settings::Connectivity;
use storebox_core::time::Timestamp;

use crate::wish::{
    NOON, actor, add, change, device, line, line_id, name, note, of_the_box, open, order_id, pay, request, seen,
    settings, table, void,
};

/// A step of the script.
pub(crate) enum Step {
    /// The wall clock is set.
    Clock(Timestamp),
    /// One request, answered before the next is sent.
    One(Request),
    /// While the first is being committed the others come in: they share the next commit.
    Together(Request, Vec<Request>),
}

/// The script. Every answer in it stays the same however often its request is repeated.
pub(crate) fn morning() -> Vec<Step> {
    let mut steps = opening();
    steps.extend(rush());
    steps.extend(closing());
    steps
}

/// The requests of a script, in the order they are sent.
pub(crate) fn requests(script: &[Step]) -> Vec<&Request> {
    let mut requests = Vec::new();
    for step in script {
        match step {
            Step::Clock(_) => {}
            Step::One(request) => requests.push(request),
            Step::Together(first, others) => requests.extend(std::iter::once(first).chain(others)),
        }
    }
    requests
}

fn opening() -> Vec<Step> {
    let mut other_body = open(1, 2);
    other_body.key.as_mut().unwrap().fingerprint = [9; 32];
    let mut keyless = open(1, 2);
    keyless.key = None;
    keyless.received.as_mut().unwrap().route = "POST ".to_owned();
    let mut absurd = open(15, 1);
    if let Command::OpenOrder(wish) = &mut absurd.command {
        wish.lines[0].unit_price = Some(Money::from_minor(-1));
    }
    vec![
        Step::One(pair(1, DeviceKind::Pos)),
        Step::One(pair(2, DeviceKind::Handheld)),
        Step::One(pair(3, DeviceKind::Kiosk)),
        Step::Clock(NOON.plus_millis(60_000)),
        Step::One(open(1, 2)),
        Step::One(open_tab("tab 7", 2)),
        Step::One(absurd),
        Step::One(open(3, 0)),
        Step::One(add(1, "add-1", None, vec![line(1, 7, 20)])),
        Step::One(of_tab("tab 7", "table-2", Some(1), table("12"))),
        Step::One(of_tab("tab 7", "stale-2", Some(1), table("14"))),
        Step::One(change(1, "send-1", Some(2), Action::SendToKitchen)),
        Step::One(change(1, "send-1-again", None, Action::SendToKitchen)),
        Step::One(open(14, 0)),
        Step::One(change(14, "send-14", None, Action::SendToKitchen)),
        Step::One(rekeyed(open(1, 2), "open-1-twice")),
        Step::One(rekeyed(open_tab("tab 7", 20), "open-tab-twice")),
        Step::One(other_body),
        Step::One(keyless),
        Step::One(change(99, "unknown", None, Action::SendToKitchen)),
        Step::One(open(1, 2)),
    ]
}

fn rush() -> Vec<Step> {
    let mut others: Vec<Request> = (4..10).map(|n| open(n, 1 + n % 3)).collect();
    others.extend([
        change(1, "less-1", None, less_of(1, 1)),
        of_tab("tab 7", "send-2", None, Action::SendToKitchen),
        open(1, 2),
        change(4, "stale-4", Some(8), table("3")),
        of_tab("tab 7", "close-2", Some(3), pay(2, 50_000)),
        of_tab("tab 7", "void-2", None, void("too late")),
    ]);
    vec![
        Step::Together(pair(4, DeviceKind::Kds), others),
        // The clock is set back a day; what happened before must stay before.
        Step::Clock(Timestamp::from_millis(NOON.as_millis() - 86_400_000)),
        Step::One(change(1, "close-1", Some(4), pay(1, 100_000))),
        Step::One(add(1, "add-1-late", None, vec![line(1, 8, 0)])),
        Step::One(change(1, "void-1", None, void("mistake"))),
        Step::One(change(3, "void-3", Some(1), void("left without ordering"))),
        Step::One(as_kiosk(open(10, 1))),
        Step::One(as_kiosk(add(4, "kiosk-4", None, vec![line(4, 9, 0)]))),
        Step::One(change(4, "header-4", None, table("5"))),
        Step::One(change(4, "underpaid-4", None, pay(4, 1))),
    ]
}

fn closing() -> Vec<Step> {
    let others = vec![
        change(5, "close-5", None, pay(5, 9_000)),
        change(6, "void-6", Some(1), void("guest left")),
        change(7, "send-7", None, Action::SendToKitchen),
        add(7, "add-7", Some(2), vec![line(7, 5, 200)]),
        change(7, "close-7", Some(3), pay(7, 90_000)),
        change(7, "close-7", Some(3), pay(7, 90_000)),
        open(11, 3),
    ];
    vec![
        Step::Clock(NOON.plus_millis(120_000)),
        Step::One(of_the_box(Command::ApplySettings(settings("Corner store and bakery")))),
        Step::One(of_the_box(Command::NoteConnectivity(Connectivity::Offline))),
        Step::Together(change(4, "table-4", Some(1), table("6")), others),
        Step::One(change(7, "close-7", Some(3), pay(7, 90_000))),
        Step::Together(open(12, 1), vec![open(13, 1), change(12, "send-12", Some(1), Action::SendToKitchen)]),
        Step::One(change(8, "close-8", None, pay(8, 5_000))),
    ]
}

fn pair(n: u8, kind: DeviceKind) -> Request {
    of_the_box(Command::PairDevice(device(n, kind)))
}

fn handheld() -> Actor {
    actor(&device(2, DeviceKind::Handheld))
}

fn as_kiosk(mut request: Request) -> Request {
    request.actor = Some(actor(&device(3, DeviceKind::Kiosk)));
    request
}

fn rekeyed(mut request: Request, key: &str) -> Request {
    request.key.as_mut().unwrap().key = key.to_owned();
    request
}

/// Opens the `n`-th order under a terminal's own name.
fn open_tab(tab: &str, n: u32) -> Request {
    let command = Command::OpenOrder(OpenOrder {
        id: order_id(n),
        client_id: Some(name(tab)),
        header: Header { notes: note("by the window".to_owned()), ..Header::default() },
        lines: vec![line(n, 1, 10)],
    });
    request(handheld(), &format!("open-{tab}"), 1, command)
}

fn of_tab(tab: &str, key: &str, version: Option<u32>, action: Action) -> Request {
    let command = Command::ChangeOrder {
        order: OrderRef::ClientId(name(tab)),
        expected: seen(version),
        action,
        added: Vec::new(),
    };
    request(handheld(), key, 1, command)
}

fn less_of(order: u32, line: u32) -> Action {
    let change = LineChange {
        id: line_id(order, line),
        quantity_delta: Quantity::from_thousandths(-500),
        notes: Some(note("rare".to_owned())),
    };
    let reason = note("one too many".to_owned());
    Action::Modify(Modification { changed: vec![change], reason, ..Modification::default() })
}
