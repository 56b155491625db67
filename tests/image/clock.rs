//! A clock without a battery shows anything (B11).

use storebox_core::time::Timestamp;
use storebox_image::layout::Slot;
use storebox_tests::Terminal;
use storebox_tests::sample::two_coffees;

use crate::disk;
use crate::machine::{Hardware, Machine};
use crate::tools::image;

/// The clock's battery is empty: time begins no earlier than when the system was built.
#[tokio::test]
async fn b11_a_clock_of_long_ago_is_set_to_the_build_at_least() {
    let built = disk::root(&image("x86"), Slot::A.root_label()).built;
    let time = time_of_an_order("1980-01-01T00:00:00").await;
    eprintln!("built {built}, sold {time}");
    assert!(time >= built, "time begins before the system was built");
    assert!(time.millis_since(built) < 86_400_000, "it is nobody else's time");
}

/// A clock that is far ahead does not stop the store.
#[tokio::test]
async fn b11_a_clock_that_is_far_ahead_does_not_stop_a_sale() {
    let time = time_of_an_order("2099-06-01T12:00:00").await;
    eprintln!("sold {time}");
    assert!(time >= "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
}

async fn time_of_an_order(clock: &'static str) -> Timestamp {
    let mut machine = Machine::new("clock", Hardware { clock: Some(clock), ..Hardware::default() });
    machine.start().await;
    let paired = machine.pair("Till").await;
    // Whoever holds the key: the box's certificate is as wrong as its clock.
    let mut till = Terminal::newcomer(machine.door()).with_token(&paired.token);
    let order = till.post("/pos/orders", two_coffees()).await;
    order.must_be(201);
    order.text("updatedAt").parse().expect("times are RFC 3339")
}
