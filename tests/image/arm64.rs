//! The root of the Raspberry Pis on a 64-bit ARM machine with a network: what the emulated Pi has not (B1, B2).

use storebox_image::host::gpt;
use storebox_tests::sample::two_coffees;
use storebox_tests::{Door, Pairing, Terminal, all_orders};

use crate::arm::Plan;
use crate::clock::assert_time_begins_when_it_was_built;
use crate::machine::{answers, free_port};
use crate::tools::Network;

/// Characters of a pairing secret.
const SECRET_LENGTH: usize = 26;

/// The box answers HTTPS from inside, a terminal pairs with what the screen shows, and sells, at a time that is not
/// before the system was built: like a Raspberry Pi the machine was switched on in 1970.
#[tokio::test]
async fn b1_b11_the_arm_root_answers_and_sells() {
    let port = free_port();
    let door = Door::at(port);
    let cable = format!("user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:443");
    let plan = Plan::new("arm64", 1280).with(&["-M", "virt", "-cpu", "cortex-a72", "-m", "1024", "-smp", "2"]);
    let plan = plan.with(&["-rtc", "base=1970-01-01T00:00:00"]);
    let plan = plan.with(&["-drive", "if=none,id=disk,format=raw,file=/build/disk.img"]);
    let plan = plan.with(&["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"]);
    let plan = plan.with(&["-netdev", &cable, "-device", "virtio-net-pci,netdev=lan,romfile="]);
    let mut machine = plan.switch_on(Network::Host).await;

    machine.wait_for_console("Pair the first terminal at https://").await;
    let is_secret =
        |word: &&str| word.len() == SECRET_LENGTH && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let find = |console: &str| console.split_whitespace().find(is_secret).map(str::to_owned);
    let secret = machine.wait_until("the secret on the screen", find).await;
    assert!(answers(&door).await, "the box answers from outside");

    let mut newcomer = Terminal::newcomer(&door);
    let paired = newcomer.pair_as(Pairing { name: "Till 1", kind: "pos", secret: &secret }).await;
    let paired = paired.unwrap_or_else(|refusal| panic!("pairing was refused: {refusal}"));
    // Whoever holds the key: its certificate may be as wrong as its clock.
    let mut till = Terminal::newcomer(&door).with_token(&paired.token);
    let order = till.post("/pos/orders", two_coffees()).key("the-first").await.expect(201);
    let again = till.post("/pos/orders", two_coffees()).key("the-first").await;
    assert_eq!(again.body["id"], order["id"], "the same order: {again}");
    assert_time_begins_when_it_was_built(&order, "rpi4");
    assert_eq!(all_orders(&mut till).await.len(), 1);

    let table = gpt::Gpt::read(&mut machine.cut_power()).unwrap();
    assert_eq!((table.first_usable_lba, table.partitions.len()), (storebox_image::layout::FIRST_USABLE_LBA, 7));
}
