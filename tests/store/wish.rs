//! The requests tests send.

use storebox_core::catalogue::LineWish;
use storebox_core::command::{Actor, Command, OpenOrder, OrderRef, Received, Request};
use storebox_core::device::{Device, DeviceKind};
use storebox_core::id::{DeviceId, EmployeeId, LineId, OrderId, TenderId};
use storebox_core::idempotency::RequestKey;
use storebox_core::money::{Currency, Money, TaxRule};
use storebox_core::order::{Action, Expected, Header, HeaderPatch, Means, Modification, TenderWish};
use storebox_core::payment::{Limits, Policy};
use storebox_core::people::{Role, Staff};
use storebox_core::quantity::Quantity;
use storebox_core::settings::Settings;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;

/// 2026-01-31T12:00:00Z: when tests begin.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_769_860_800_000);

pub(crate) fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

pub(crate) fn note(text: String) -> Option<Note> {
    Some(Note::new(text).unwrap())
}

pub(crate) fn settings(store: &str) -> Settings {
    Settings {
        name: name(store),
        currency: Currency::USD,
        timezone: name("UTC"),
        day_starts_at_h: 0,
        register: name("A"),
        tax_rule: TaxRule { rate_ppm: 100_000, included: false },
        cash_rounding: Money::from_minor(1),
        payments: Policy::standard(Some(Limits::USD)),
    }
}

/// The `n`-th order of a test; ids are neighbours, as close as ids can be.
pub(crate) fn order_id(n: u32) -> OrderId {
    let first = u128::from_be_bytes(OrderId::new(NOON, [0x0d; 10]).to_bytes());
    OrderId::from_bytes((first + u128::from(n)).to_be_bytes())
}

pub(crate) fn line_id(order: u32, line: u32) -> LineId {
    LineId::new(NOON.plus_millis(order.into()), [line as u8; 10])
}

/// The `n`-th terminal of a test.
pub(crate) fn device(n: u8, kind: DeviceKind) -> Device {
    Device {
        id: DeviceId::new(NOON, [n; 10]),
        name: name(&format!("terminal {n}")),
        kind,
        token_hash: [n; 32],
        paired_at: NOON,
        replaced_token_hash: None,
    }
}

pub(crate) fn actor(device: &Device) -> Actor {
    Actor { device: device.id, kind: device.kind, staff: None }
}

/// A till that works for whoever does not care which, with a manager signed in.
pub(crate) fn till() -> Actor {
    let staff = Staff { employee: EmployeeId::new(NOON, [1; 10]), role: Role::Manager };
    Actor { staff: Some(staff), ..actor(&device(1, DeviceKind::Pos)) }
}

pub(crate) fn line(order: u32, line: u32, notes: usize) -> LineWish {
    LineWish {
        id: line_id(order, line),
        field: format!("items[{line}]"),
        item_id: name("soup"),
        name: Some(name("Soup of the day")),
        quantity: Quantity::from_thousandths(1_500),
        unit_price: Some(Money::from_minor(650)),
        modifiers: Vec::new(),
        notes: (notes > 0).then(|| Note::new("n".repeat(notes)).unwrap()),
        listed_only: false,
    }
}

/// What the box asks of itself.
pub(crate) fn of_the_box(command: Command) -> Request {
    Request { actor: None, key: None, received: None, command }
}

/// A request of a terminal; the fingerprint stands for its body.
pub(crate) fn request(actor: Actor, key: &str, fingerprint: u8, command: Command) -> Request {
    Request {
        actor: Some(actor),
        key: Some(RequestKey { key: key.to_owned(), scope: [1; 8], fingerprint: [fingerprint; 32] }),
        received: Some(Received { route: format!("POST {key}"), body: "{}".to_owned() }),
        command,
    }
}

/// Opens the `n`-th order with so many lines; its key is `open-N`.
pub(crate) fn open(n: u32, lines: u32) -> Request {
    let command = Command::OpenOrder(OpenOrder {
        id: order_id(n),
        client_id: None,
        header: Header::default(),
        lines: (0..lines).map(|number| line(n, number, 0)).collect(),
    });
    request(till(), &format!("open-{n:06}"), 1, command)
}

/// The same with long notes on every line.
pub(crate) fn open_long(n: u32, lines: u32, notes: usize) -> Request {
    let mut request = open(n, lines);
    if let Command::OpenOrder(wish) = &mut request.command {
        wish.lines = (0..lines).map(|number| line(n, number, notes)).collect();
    }
    request
}

/// Does something with the `n`-th order.
pub(crate) fn change(n: u32, key: &str, version: Option<u32>, action: Action) -> Request {
    change_and_add(n, key, version, action, Vec::new())
}

/// Adds lines to the `n`-th order.
pub(crate) fn add(n: u32, key: &str, version: Option<u32>, lines: Vec<LineWish>) -> Request {
    change_and_add(n, key, version, Action::Modify(Modification::default()), lines)
}

fn change_and_add(n: u32, key: &str, version: Option<u32>, action: Action, added: Vec<LineWish>) -> Request {
    let order = OrderRef::Id(order_id(n));
    request(till(), key, 1, Command::ChangeOrder { order, expected: seen(version), action, added })
}

/// The version a terminal has seen.
pub(crate) fn seen(version: Option<u32>) -> Expected {
    Expected { version, updated_at: None }
}

pub(crate) fn table(table: &str) -> Action {
    let header = HeaderPatch { table_id: Some(Some(name(table))), ..HeaderPatch::default() };
    Action::Modify(Modification { header, ..Modification::default() })
}

pub(crate) fn pay(order: u32, minor: i64) -> Action {
    let id = TenderId::new(NOON.plus_millis(order.into()), [0x0e; 10]);
    let amount = Money::from_minor(minor);
    let cash = TenderWish { id, field: "tenders[0]".to_owned(), amount, tip: Money::ZERO, means: Means::Cash };
    Action::Close { tenders: vec![cash] }
}

pub(crate) fn void(reason: &str) -> Action {
    Action::Void { reason: note(reason.to_owned()) }
}
