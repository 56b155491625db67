//! Finding a box, and what it says of itself (B8).

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use storebox_tests::{BoxConfig, Link, RunningBox, Trust};

use crate::card::{Loop, SITE_START, make_image};
use crate::program::{Said, folder, named, program, provision, run};

#[tokio::test]
async fn b8_a_box_is_shown_with_the_fingerprint_of_its_screen() {
    let folder = folder("status");
    let running = RunningBox::start(BoxConfig::new(folder.path())).await;
    let address = fs::read_to_string(running.state("lan/address")).unwrap();
    let mut link = Link::new(running.door(), &Trust::Anyone);
    link.connect().await.unwrap();
    let key = link.key_seen().unwrap().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let said = provision(folder.path(), ["status", address.trim()]);
    let said = said.expect(0, &["Test store", &key, version, "healthy", "never"]);
    assert!(said.err.is_empty(), "{}", said.err);
    drop(running);
    provision(folder.path(), ["status", address.trim()]).expect(70, &["does not answer"]);
    provision(folder.path(), ["status"]).expect(64, &["which box"]);
}

/// In a network of its own, in which two of fourteen addresses are boxes.
#[test]
fn b8_boxes_are_found_on_the_computers_own_network() {
    let folder = folder("find");
    let start = |name: &str, listen: &str| {
        let state = folder.path().join(name);
        fs::create_dir(&state).unwrap();
        let config =
            BoxConfig::new(&state).store("name", &format!("\"{name}\"")).lan("listen", &format!("\"{listen}\""));
        fs::write(state.join("config.toml"), config.to_toml()).unwrap();
        let (program, state) = (named("STOREBOX_BIN", "the box"), state.display());
        format!("'{}' --config '{state}/config.toml' 2>'{state}/log' & boxes=\"$boxes $!\"\n", program.display())
    };
    let script = format!(
        "ip link set lo up; ip link add shop type bridge; ip link set shop up\n\
         for last in 1 5 6; do ip addr add 10.77.0.$last/28 dev shop; done\n\
         boxes=\n{}{}trap 'kill $boxes; wait' EXIT\n\
         for turn in $(seq 200); do\n\
         [ -e bakery/state/lan/address ] && [ -e corner/state/lan/address ] && break; sleep 0.1\ndone\n\
         '{}' find --port 8443 --timeout 0.5\n",
        start("bakery", "10.77.0.5:443"),
        start("corner", "10.77.0.6:8443"),
        program().display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-ec", &script]).current_dir(folder.path()).stdin(Stdio::null());
    let said = Said::of(command.output().expect("unshare(1) is there"));
    let said = said.expect(0, &["Network 10.77.0.0/28", "28 of 28", "FINGERPRINT"]);
    let rows: Vec<Vec<&str>> = said.out.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 2, "{}", said.out);
    assert_eq!((rows[0][0], rows[0][3]), ("10.77.0.5", "bakery"));
    assert_eq!((rows[1][0], rows[1][3]), ("10.77.0.6:8443", "corner"));
    assert!(rows.iter().all(|row| row[4].len() == 64) && rows[0][4] != rows[1][4], "{}", said.out);
}

#[test]
fn b8_a_computer_without_a_network_is_told_so() {
    let folder = folder("alone");
    let mut command = Command::new("unshare");
    command.arg("--net").arg(program()).arg("find").current_dir(folder.path()).stdin(Stdio::null());
    Said::of(command.output().unwrap()).expect(70, &["has no network"]);
    provision(folder.path(), ["find", "--timeout", "0"]).expect(64, &["seconds"]);
}

/// The box writes it; here mtools does.
#[test]
fn b8_what_a_box_wrote_is_read_from_its_card_without_mounting_it() {
    let folder = folder("card");
    let file = folder.path().join("card");
    make_image(&file);
    provision(folder.path(), ["status", "--card", "card"]).expect(70, &["no STATUS.TXT on it yet"]);
    let text = folder.path().join("STATUS.TXT");
    fs::write(&text, "STORE BOX\r\n\r\n  [ok] Network cable\r\n").unwrap();
    let place = format!("{}@@{SITE_START}", file.display());
    run("mcopy", &["-i".as_ref(), place.as_ref(), text.as_ref(), "::".as_ref()]);
    let before = fs::read(&file).unwrap();
    let said = provision(folder.path(), ["status", "--card", "card"]).expect(0, &[]);
    assert_eq!(said.out, "STORE BOX\n\n  [ok] Network cable\n");
    // A card is larger than its image, and is named as it is listed.
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(96 << 20).unwrap();
    let card = Loop::over(&file, &["--read-only"]);
    provision(folder.path(), ["status", "--card", &card.name()]).expect(0, &["Network cable"]);
    drop(card);
    assert!(fs::read(&file).unwrap()[..before.len()] == before, "reading writes nothing");
    provision(folder.path(), ["status", "--card", "STATUS.TXT"]).expect(65, &["no card of a store box"]);
    provision(folder.path(), ["status", "--card", "/dev/none"]).expect(70, &["cannot open"]);
    assert!(Path::new("/dev/null").exists());
}
