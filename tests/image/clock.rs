//! A clock without a battery shows anything (B11).

use serde_json::Value;
use storebox_core::time::Timestamp;
use storebox_image::layout::Slot;
use storebox_tests::Terminal;
use storebox_tests::sample::two_coffees;

use crate::disk;
use crate::full;
use crate::machine::{Hardware, Machine};
use crate::tools::image;

const DAY_MS: u64 = 86_400_000;

/// A PC's battery is empty, then its clock is far ahead. The short form sees a clock that shows 1970 on the ARM machine,
/// like a Raspberry Pi's, which has no battery at all.
#[tokio::test]
async fn b11_whatever_the_clock_shows_the_store_sells_and_not_before_it_was_built() {
    if !full() {
        return;
    }
    let mut machine = Machine::new("clock", Hardware { clock: Some("1980-01-01T00:00:00"), ..Hardware::default() });
    machine.start().await;
    let paired = machine.pair("Till").await;
    // Whoever holds the key: the box's certificate may be as wrong as its clock.
    let mut till = Terminal::newcomer(machine.door()).with_token(&paired.token);
    let first = till.post("/pos/orders", two_coffees()).await.expect(201);
    let first = assert_time_begins_when_it_was_built(&first, "x86");

    machine.hardware.clock = Some("2099-06-01T12:00:00");
    machine.start().await;
    let second = sold_at(&till.post("/pos/orders", two_coffees()).await.expect(201));
    eprintln!("sold {second} by a clock that shows 2099");
    assert!(second >= first, "time went back");
}

/// An order of a box whose clock showed a time long gone when it was switched on. Gives when it was sold.
pub fn assert_time_begins_when_it_was_built(order: &Value, board: &str) -> Timestamp {
    let built = disk::root(&image(board), Slot::A.root_label()).built;
    let sold = sold_at(order);
    eprintln!("built {built}, sold {sold} by a clock that shows a time long gone");
    assert!(sold >= built, "time begins before the system was built");
    assert!(sold.millis_since(built) < DAY_MS, "it is nobody else's time");
    sold
}

fn sold_at(order: &Value) -> Timestamp {
    let at = order["updatedAt"].as_str().expect("it says when");
    at.parse().expect("times are RFC 3339")
}
