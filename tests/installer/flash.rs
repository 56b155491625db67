//! Writing cards (B8).

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use storebox_tests::Folder;

use crate::card::{Loop, MIB, Mounted, SITE_MIB, SITE_START, make_image};
use crate::liar::{Fault, Liar};
use crate::program::{Said, folder, program, provision, run};

const SITE: &str = "# for the corner shop\r\n[claim]\r\ntoken = \"7Q2M-XK4D\"\r\n";
const LOST: &str = "IS NOT BOOTABLE NOW";

/// A folder with an image, whose bytes are given, too, and an installer's file.
fn bench(label: &str) -> (Folder, Vec<u8>) {
    let folder = folder(label);
    let image = make_image(&folder.path().join("storebox-test.img"));
    fs::write(folder.path().join("storebox.toml"), SITE).unwrap();
    (folder, image)
}

/// Flashes a loop device; being built in is no objection against one.
fn flash(folder: &Path, card: &Loop, more: &[&str]) -> Said {
    let device = card.path().to_str().unwrap().to_owned();
    let words = [&["flash", "storebox-test.img", &device, "--fixed", "--yes"], more].concat();
    provision(folder, words)
}

/// What mtools reads of the file on a card.
fn site_file(card: &Path) -> Vec<u8> {
    let place = format!("{}@@{SITE_START}", card.display());
    run("mcopy", &["-i".as_ref(), place.as_ref(), "::storebox.toml".as_ref(), "-".as_ref()])
}

#[test]
fn b8_flash_leaves_every_byte_of_the_image_and_nothing_of_what_was_there() {
    let (folder, image) = bench("identical");
    let (card, file) = Loop::filled(folder.path(), 96, 0xff);
    let said = flash(folder.path(), &card, &[]).expect(0, &["Writing", "Checking", "Done", "has no storebox.toml yet"]);
    assert!(said.out.is_empty(), "{}", said.out);
    let found = fs::read(&file).unwrap();
    assert!(found[..image.len()] == image, "the card differs from the image");
    assert!(found[95 * MIB..].iter().all(|byte| *byte == 0), "where a copy of the old table was");
    assert!(found[75 * MIB..95 * MIB].iter().all(|byte| *byte == 0xff), "the rest is nobody's business");
}

#[test]
fn b8_flash_takes_what_is_downloaded_and_puts_the_installers_file_where_laptops_see_it() {
    let (folder, image) = bench("site");
    run("zstd", &["-q".as_ref(), folder.path().join("storebox-test.img").as_ref()]);
    fs::remove_file(folder.path().join("storebox-test.img")).unwrap();
    let (card, file) = Loop::filled(folder.path(), 96, 0xff);
    let words = ["flash", "storebox-test.img.zst", card.path().to_str().unwrap(), "--fixed", "--yes"];
    let said = provision(folder.path(), [&words[..], &["--site", "storebox.toml"]].concat());
    let said = said.expect(0, &["storebox.toml is on it", "new box", "put it into the box"]);
    assert!(!said.err.contains("7Q2M"), "a token is not shown");
    assert_eq!(site_file(&file), SITE.as_bytes(), "to the letter, comments and all");
    let found = fs::read(&file).unwrap();
    let site = SITE_START..SITE_START + SITE_MIB * MIB;
    assert!(found[..site.start] == image[..site.start] && found[site.end..image.len()] == image[site.end..]);
    let partition = folder.path().join("partition");
    fs::write(&partition, &found[site]).unwrap();
    run("fsck.vfat", &["-n".as_ref(), partition.as_ref()]);
    run("sfdisk", &["--verify".as_ref(), card.path().as_ref()]);
}

#[test]
fn b8_flash_into_a_file_is_a_copy_with_the_installers_file_in_it() {
    let (folder, image) = bench("file");
    let copy = |more: &[&str]| {
        provision(folder.path(), [&["flash", "storebox-test.img", "--file", "copy.img"], more].concat())
    };
    copy(&[]).expect(0, &["Done: copy.img"]);
    let path = folder.path().join("copy.img");
    assert!(fs::read(&path).unwrap() == image);
    let blocks = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&path).unwrap());
    assert!(blocks * 512 < 20 << 20, "what is empty takes no room: {blocks} blocks");
    copy(&[]).expect(70, &["is there already"]);
    copy(&["--force", "--site", "storebox.toml"]).expect(0, &["is on it"]);
    assert_eq!(site_file(&path), SITE.as_bytes());
    provision(folder.path(), ["flash", "storebox-test.img", "copy.img", "--yes"]).expect(70, &["there is no disk"]);
    provision(folder.path(), ["flash", "storebox-test.img", "./copy.img", "--yes"]).expect(64, &["--file"]);
}

#[test]
fn b8_flash_refuses_what_is_no_image_before_anything_is_lost() {
    let (folder, image) = bench("no-image");
    let (card, file) = Loop::filled(folder.path(), 96, 0xa5);
    let path = folder.path().join("storebox-test.img");
    fs::write(&path, "not an image").unwrap();
    flash(folder.path(), &card, &[]).expect(65, &["is no image of a store box"]);
    let mut damaged = image.clone();
    damaged[1100] ^= 1;
    fs::write(&path, &damaged).unwrap();
    flash(folder.path(), &card, &[]).expect(65, &["is no image", "checksum"]);
    fs::write(&path, &image[..image.len() - MIB]).unwrap();
    flash(folder.path(), &card, &[]).expect(65, &["is no image"]);
    fs::write(&path, &image).unwrap();
    run("zstd", &["-q".as_ref(), path.as_ref()]);
    let packed = fs::read(path.with_extension("img.zst")).unwrap();
    fs::write(&path, &packed[..packed.len() - 1000]).unwrap();
    flash(folder.path(), &card, &[]).expect(70, &["ends early", "download it again"]);
    fs::write(&path, &image).unwrap();
    fs::write(folder.path().join("manifest.json"), r#"{"board": "test", "imageSha256": "00"}"#).unwrap();
    flash(folder.path(), &card, &[]).expect(65, &["manifest.json"]);
    fs::remove_file(folder.path().join("manifest.json")).unwrap();
    fs::write(folder.path().join("storebox.toml"), "[cloud]\n").unwrap();
    flash(folder.path(), &card, &["--site", "storebox.toml"]).expect(65, &["line 1", "url"]);
    assert!(fs::read(&file).unwrap().iter().all(|byte| *byte == 0xa5), "nothing was written");
}

#[test]
fn b8_flash_refuses_a_disk_that_is_mounted_read_only_too_small_or_not_asked_for() {
    let (folder, _) = bench("refuses");
    let (card, file) = Loop::filled(folder.path(), 96, 0);
    let device = card.path().to_str().unwrap();
    provision(folder.path(), ["flash", "storebox-test.img", device, "--yes"])
        .expect(70, &["does not come out", "--fixed"]);
    provision(folder.path(), ["flash", "storebox-test.img", device, "--fixed"])
        .expect(64, &["nobody can be asked", "--yes"]);
    provision(folder.path(), ["flash", "storebox-test.img", "--yes"]).expect(64, &["which disk"]);
    provision(folder.path(), ["flash", "storebox-test.img", "/dev/null", "--yes"]).expect(64, &["is no disk"]);
    provision(folder.path(), ["flash", "storebox-test.img", "/dev/nothing", "--yes"]).expect(70, &["there is no disk"]);
    provision(folder.path(), ["flash", "--list"]).expect(0, &["Not offered", &card.name(), "does not come out"]);

    run("mkfs.ext4", &["-q".as_ref(), card.path().as_ref()]);
    let before = fs::read(&file).unwrap();
    {
        let place = folder.path().join("mounted here");
        let _mounted = Mounted::new(&place, &[device]);
        let why = format!("is not written to: it is mounted at {}", place.display());
        flash(folder.path(), &card, &[]).expect(70, &[&why, "unmount it first"]);
        provision(folder.path(), ["flash", "--list"]).expect(0, &[&place.display().to_string()]);
    }
    drop(card);
    assert!(fs::read(&file).unwrap()[4096..] == before[4096..], "nothing was written but by mounting");

    let locked = Loop::over(&file, &["--read-only"]);
    flash(folder.path(), &locked, &[]).expect(70, &["read-only", "lock"]);
    drop(locked);
    fs::write(&file, vec![0xa5; 73 * MIB]).unwrap();
    let small = Loop::over(&file, &[]);
    flash(folder.path(), &small, &[]).expect(70, &["too small", "76.5 MB", "77.6 MB"]);
    drop(small);
    assert!(fs::read(&file).unwrap().iter().all(|byte| *byte == 0xa5), "nothing was written");
}

/// By the number of the device, whatever its name.
#[test]
fn b8_flash_refuses_a_partition_and_names_its_disk() {
    let (folder, image) = bench("partition");
    let file = folder.path().join("card");
    fs::write(&file, &image).unwrap();
    let card = Loop::over(&file, &["--partscan"]);
    let (start, length) = ((SITE_START / 512).to_string(), (SITE_MIB * MIB / 512).to_string());
    let name = format!("{}p2", card.name());
    // A kernel that reads such tables has made it already.
    if !Path::new("/dev").join(&name).exists() {
        run("addpart", &[card.path().as_ref(), "2".as_ref(), start.as_ref(), length.as_ref()]);
    }
    let said = provision(folder.path(), ["flash", "storebox-test.img", &name, "--fixed", "--yes"]);
    said.expect(70, &[&format!("{name} is a partition of {}", card.name())]);
    assert!(fs::read(&file).unwrap() == image, "nothing was written");
}

/// Started by a user who may write to no disk at all, without being sure and with nobody to ask: three reasons not to
/// write besides the one that is tested.
#[test]
fn b8_flash_refuses_the_disk_this_computer_runs_from() {
    let (folder, _) = bench("system");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[4] == "/").then(|| words[2].to_owned())
    });
    let device = fs::canonicalize(Path::new("/sys/dev/block").join(root.unwrap())).expect("the root is on a disk");
    let name = device.file_name().unwrap().to_str().unwrap().to_owned();
    let copy = folder.path().join("provision");
    fs::copy(program(), &copy).unwrap();
    run("chmod", &["-R".as_ref(), "a+rX".as_ref(), folder.path().as_ref()]);
    let mut command = Command::new(&copy);
    command.current_dir(folder.path()).args(["flash", "storebox-test.img", &name, "--fixed"]);
    let said = Said::of(command.stdin(Stdio::null()).uid(65534).gid(65534).output().unwrap());
    let said = said.expect(70, &["is not written to", "this computer runs from it (/)"]);
    assert!(!said.err.contains("Reading"), "{}", said.err);
    let said = Said::of(Command::new(&copy).args(["flash", "--list"]).uid(65534).gid(65534).output().unwrap());
    let said = said.expect(0, &["this computer runs from it (/)"]);
    assert!(!said.out.split("Not offered").next().unwrap().contains(&format!(" {name} ")), "{}", said.out);
}

#[test]
fn b8_flash_says_that_a_full_disk_is_not_bootable() {
    let (folder, _) = bench("full");
    let place = folder.path().join("small");
    let _room = Mounted::new(&place, &["-t", "tmpfs", "-o", "size=8m", "storebox-tests"]);
    let file = place.join("card");
    fs::File::create(&file).unwrap().set_len(u64::try_from(96 * MIB).unwrap()).unwrap();
    let card = Loop::over(&file, &[]);
    let said = flash(folder.path(), &card, &[]).expect(70, &[LOST]);
    // Kernels tell it in one of two ways.
    assert!(said.err.contains("is full at") || said.err.contains("cannot be written at"), "{}", said.err);
    drop(card);
    assert!(fs::read(&file).unwrap()[..MIB].iter().all(|byte| *byte == 0), "no table is on it");
    fs::remove_file(&file).unwrap();
    let copy = ["flash", "storebox-test.img", "--file", "small/copy.img"];
    provision(folder.path(), copy).expect(70, &["is full at", "was removed"]);
    assert!(!place.join("copy.img").exists());
}

#[test]
fn b8_flash_says_that_a_card_pulled_out_midway_is_not_bootable() {
    let (folder, _) = bench("vanishes");
    let liar = Liar::new(folder.path(), 96 * MIB, Fault::Vanishes(50 << 20));
    let card = Loop::over(&liar.file(), &[]);
    let said = flash(folder.path(), &card, &[]).expect(70, &[LOST]);
    // Kernels tell it in one of two ways.
    assert!(said.err.contains("was gone at") || said.err.contains("or it was pulled out"), "{}", said.err);
    drop(card);
    assert!(liar.into_bytes()[..MIB].iter().all(|byte| *byte == 0), "no table is on it");
}

/// The card acknowledges everything, as those do that say they are larger than they are.
#[test]
fn b8_flash_finds_a_card_that_lies() {
    let (folder, image) = bench("lies");
    let liar = Liar::new(folder.path(), 96 * MIB, Fault::Forgets(50 << 20));
    let card = Loop::over(&liar.file(), &[]);
    // What it forgot reads as zeros, and the image, which is random, may begin with some there.
    let forgotten = image[50 << 20..].iter().position(|byte| *byte != 0).unwrap();
    let place = format!("first at byte {} ", (50 << 20) + forgotten);
    flash(folder.path(), &card, &[]).expect(70, &["something else than was written", &place, "take another", LOST]);
    drop(card);
    let found = liar.into_bytes();
    assert!(found[MIB..50 << 20] == image[MIB..50 << 20]);
    assert!(found[..MIB].iter().all(|byte| *byte == 0), "no table is on it");
}

/// Its last chunk is where the first one belongs, and only the first is written after everything was read back.
#[test]
fn b8_flash_finds_a_card_whose_end_is_its_begin() {
    let (folder, image) = bench("wraps");
    let liar = Liar::new(folder.path(), 96 * MIB, Fault::Wraps(73 << 20));
    let card = Loop::over(&liar.file(), &[]);
    assert_eq!(image.len(), 74 * MIB);
    flash(folder.path(), &card, &[]).expect(70, &["something else than was written", LOST]);
    drop(card);
    assert!(liar.into_bytes()[..MIB].iter().all(|byte| *byte == 0), "no table is on it");
}

#[test]
fn b8_flash_says_what_an_interrupt_left() {
    let (folder, _) = bench("interrupted");
    let liar = Liar::new(folder.path(), 96 * MIB, Fault::Stalls(50 << 20));
    let card = Loop::over(&liar.file(), &[]);
    let mut command = Command::new(program());
    command.current_dir(folder.path()).args(["flash", "storebox-test.img", "--fixed", "--yes"]).arg(card.path());
    let flashing = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    liar.wait_until_stalled();
    kill(Pid::from_raw(flashing.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    liar.go_on();
    Said::of(flashing.wait_with_output().unwrap()).expect(70, &["interrupted", LOST]);
    drop(card);
    assert!(liar.into_bytes()[..MIB].iter().all(|byte| *byte == 0), "no table is on it");
}

/// `script` is the terminal.
#[test]
fn b8_flash_erases_what_somebody_has_named_twice() {
    let (folder, image) = bench("asks");
    let (card, file) = Loop::filled(folder.path(), 96, 0xa5);
    let said = |answer: &str| {
        let command = format!("'{}' flash storebox-test.img {} --fixed", program().display(), card.name());
        let mut script = Command::new("script");
        script.current_dir(folder.path()).args(["-qec", &command, "/dev/null"]);
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script(1) is there");
        std::io::Write::write_all(&mut script.stdin.take().unwrap(), format!("{answer}\n").as_bytes()).unwrap();
        Said::of(script.wait_with_output().unwrap())
    };
    said("yes").expect(70, &["Everything on it will be lost", "100.7 MB", "that is not its name"]);
    assert!(fs::read(&file).unwrap().iter().all(|byte| *byte == 0xa5), "nothing was written");
    said(&card.name()).expect(0, &["Writing", "MB of 77.6 MB", "Done"]);
    assert!(fs::read(&file).unwrap()[..image.len()] == image);
}
