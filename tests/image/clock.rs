//! A clock without a battery shows anything (B11).

use storebox_core::time::Timestamp;
use storebox_image::layout::Slot;
use storebox_tests::Terminal;
use storebox_tests::sample::two_coffees;

use crate::disk;
use crate::full;
use crate::machine::{Hardware, Machine};
use crate::tools::image;

const DAY_MS: u64 = 86_400_000;

/// The battery is empty: time begins no earlier than when the system was built. The clock is far ahead: the store sells
/// all the same, which the full form sees.
#[tokio::test]
async fn b11_whatever_the_clock_shows_the_store_sells_and_not_before_it_was_built() {
    let built = disk::root(&image("x86"), Slot::A.root_label()).built;
    let mut machine = Machine::new("clock", Hardware { clock: Some("1980-01-01T00:00:00"), ..Hardware::default() });
    machine.start().await;
    let paired = machine.pair("Till").await;
    // Whoever holds the key: the box's certificate may be as wrong as its clock.
    let mut till = Terminal::newcomer(machine.door()).with_token(&paired.token);
    let first = sell(&mut till).await;
    eprintln!("built {built}, sold {first} by a clock that shows 1980");
    assert!(first >= built, "time begins before the system was built");
    assert!(first.millis_since(built) < DAY_MS, "it is nobody else's time");

    if !full() {
        return;
    }
    machine.hardware.clock = Some("2099-06-01T12:00:00");
    machine.start().await;
    let second = sell(&mut till).await;
    eprintln!("sold {second} by a clock that shows 2099");
    assert!(second >= first, "time went back");
}

async fn sell(till: &mut Terminal) -> Timestamp {
    let order = till.post("/pos/orders", two_coffees()).await;
    order.must_be(201);
    order.text("updatedAt").parse().expect("times are RFC 3339")
}
