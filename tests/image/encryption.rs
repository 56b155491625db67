//! Data at rest on a machine with a TPM (B12).

use std::time::Instant;

use storebox_image::layout::DATA_LABEL;
use storebox_tests::all_orders;
use storebox_tests::sample::two_coffees;

use crate::full;
use crate::machine::{Hardware, Machine, START};

/// How a LUKS2 header begins (LUKS2 On-Disk Format Specification, section 2.1), and the sectors of header and keys.
const LUKS: &[u8] = b"LUKS\xba\xbe\x00\x02";
const HEADER_SECTORS: u64 = 32_768;
const OWN: &str = "own-tpm";
const OTHER: &str = "other-tpm";

/// The key is in the TPM: the machine opens its disk by itself at every start. Another machine does not, says so, and
/// leaves everything as it was, which the full form sees.
#[tokio::test]
async fn b12_with_a_tpm_the_data_is_encrypted_and_only_this_machine_opens_it() {
    let mut machine = Machine::new("encryption", Hardware { tpm: Some(OWN), ..Hardware::default() });
    machine.start().await;
    let mut till = machine.pair("Till").await;
    till.post("/pos/orders", two_coffees()).await.must_be(201);
    let orders = all_orders(&mut till).await;
    assert!(!machine.console().contains("not encrypted"), "the screen says that the data is not encrypted");

    machine.start().await;
    assert_eq!(all_orders(&mut till).await, orders, "a restart opens the disk");
    machine.cut_power();
    let data = machine.partitions()[DATA_LABEL].clone();
    let header = machine.beginning(&data, HEADER_SECTORS);
    assert_eq!(&header[..LUKS.len()], LUKS, "the data is not encrypted");

    if !full() {
        return;
    }
    machine.hardware.tpm = Some(OTHER);
    let begun = Instant::now();
    machine.switch_on().await;
    machine.wait_for_console("this machine's TPM does not unlock it", START).await;
    // After three tries the machine starts anew: a TPM may have been late.
    machine.event("RESET", begun, START).await;
    assert!(!machine.console().contains("Ready."), "another machine sells from this disk");
    machine.cut_power();
    assert_eq!(machine.partitions()[DATA_LABEL], data);
    assert!(machine.beginning(&data, HEADER_SECTORS) == header, "another machine changed the header");

    machine.hardware.tpm = Some(OWN);
    machine.start().await;
    assert_eq!(all_orders(&mut till).await, orders, "the disk is back in its machine");
}
