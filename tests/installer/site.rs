//! The installer's file and its picture (B8, B9).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use storebox_provisioning::site::Site;

use crate::program::{folder, program, provision, run};

const PIN: &str = "sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=";
const WHOLE: [&str; 20] = [
    "site",
    "make",
    "--cloud",
    "https://cloud.example",
    "--pin",
    PIN,
    "--token",
    "7Q2M-XK4D",
    "--name",
    "Café Zoë 日本",
    "--timezone",
    "Asia/Jakarta",
    "--address",
    "192.168.7.20/24",
    "--gateway",
    "192.168.7.1",
    "--dns",
    "192.168.7.1",
    "--time-server",
    "192.168.7.1",
];

#[test]
fn b8_b9_a_file_is_made_of_options_and_checked_in_words() {
    let folder = folder("make");
    let said =
        provision(folder.path(), WHOLE).expect(0, &["https://cloud.example", "192.168.7.20/24", "storebox.toml"]);
    assert!(!said.err.contains("7Q2M"), "a token is not shown: {}", said.err);
    let path = folder.path().join("storebox.toml");
    let text = fs::read_to_string(&path).unwrap();
    let site = Site::read(text.as_bytes()).unwrap();
    assert_eq!(site.name.as_ref().unwrap().as_str(), "Café Zoë 日本");
    assert_eq!(site.write(), text);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "it holds a secret");
    provision(folder.path(), ["site", "check", "storebox.toml"])
        .expect(0, &["new box", "Café Zoë", "known by its pin"]);
}

#[test]
fn b8_a_file_that_is_there_is_not_replaced_unless_told_so() {
    let folder = folder("replace");
    let path = folder.path().join("storebox.toml");
    fs::write(&path, "mine").unwrap();
    provision(folder.path(), WHOLE).expect(70, &["is there already", "--force"]);
    provision(folder.path(), [&WHOLE[..], &["-o", "new.toml", "--qr", "new.png"]].concat()).expect(0, &["new.png"]);
    provision(folder.path(), [&WHOLE[..], &["-o", "newer.toml", "--qr", "new.png"]].concat()).expect(70, &["new.png"]);
    assert!(!folder.path().join("newer.toml").exists(), "nothing is written if not everything can be");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    provision(folder.path(), [&WHOLE[..], &["--force"]].concat()).expect(0, &[]);
    assert!(Site::read(&fs::read(&path).unwrap()).is_ok());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn b8_b9_what_is_wrong_is_said_at_once_and_nothing_is_written() {
    let folder = folder("wrong");
    let wrong = ["site", "make", "--cloud", "http://x", "--token", "short", "--address", "10.0.0.0/8"];
    provision(folder.path(), wrong).expect(64, &["url: ", "https://", "token: ", "no host can have"]);
    provision(folder.path(), ["site", "make"]).expect(64, &["what shall the file say", "--cloud"]);
    provision(folder.path(), ["site", "make", "--what"]).expect(64, &["--what"]);
    provision(folder.path(), ["site"]).expect(64, &["make", "check"]);
    provision(folder.path(), ["nothing"]).expect(64, &["no command", "site"]);
    provision(folder.path(), ["site", "check"]).expect(64, &["which file"]);
    provision(folder.path(), ["site", "check", "none.toml"]).expect(70, &["cannot read none.toml"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    fs::write(folder.path().join("storebox.txt"), "[cloud]\nurl = 1\n").unwrap();
    provision(folder.path(), ["site", "check", "storebox.txt"]).expect(65, &["line 2: "]);
    let two = "[network]\naddress = '10.0.0.2'\n[time]\nservers = ['a', 'b', 'c', 'd', 'e']\n";
    fs::write(folder.path().join("storebox.txt"), two).unwrap();
    provision(folder.path(), ["site", "check", "storebox.txt"]).expect(65, &["line 2: ", "line 4: ", "at most 4"]);
    fs::write(folder.path().join("storebox.txt"), "").unwrap();
    provision(folder.path(), ["site", "check", "storebox.txt"]).expect(0, &["under the name storebox.toml"]);
}

/// With a decoder that knows nothing of us.
#[test]
fn b8_the_picture_is_read_as_the_files_very_text() {
    let folder = folder("picture");
    let make = |more: &[&str]| provision(folder.path(), [&WHOLE[..], &["--force"], more].concat()).expect(0, &[]);
    make(&["--qr", "site.png"]);
    let text = fs::read_to_string(folder.path().join("storebox.toml")).unwrap();
    let read = |picture: &std::path::Path| {
        let read = run("zbarimg", &["--raw".as_ref(), "-q".as_ref(), "--oneshot".as_ref(), picture.as_ref()]);
        String::from_utf8(read).unwrap()
    };
    assert_eq!(read(&folder.path().join("site.png")), text);

    let blocks = make(&["--qr", "-"]).out;
    let picture = folder.path().join("terminal.pgm");
    fs::write(&picture, photographed(&blocks)).unwrap();
    assert_eq!(read(&picture), text);

    let drawing = make(&["--qr", "site.svg"]);
    drop(drawing);
    let svg = fs::read_to_string(folder.path().join("site.svg")).unwrap();
    let picture = folder.path().join("drawing.pgm");
    fs::write(&picture, printed(&svg)).unwrap();
    assert_eq!(read(&picture), text);
}

/// What a camera sees of half blocks on a terminal, as a picture (PGM).
fn photographed(blocks: &str) -> Vec<u8> {
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for line in blocks.lines() {
        let line = line.strip_prefix("\x1b[30;107m").unwrap().strip_suffix("\x1b[0m").unwrap();
        rows.push(line.chars().map(|c| matches!(c, '▀' | '█')).collect());
        rows.push(line.chars().map(|c| matches!(c, '▄' | '█')).collect());
    }
    pgm(&rows)
}

/// What a printer makes of the drawing.
fn printed(svg: &str) -> Vec<u8> {
    let side: usize = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let mut rows = vec![vec![false; side]; side];
    for module in svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap().split_terminator("h1v1h-1z") {
        let (x, y) = module.strip_prefix('M').unwrap().split_once(' ').unwrap();
        rows[y.parse::<usize>().unwrap()][x.parse::<usize>().unwrap()] = true;
    }
    pgm(&rows)
}

fn pgm(rows: &[Vec<bool>]) -> Vec<u8> {
    const DOTS: usize = 4;
    let mut picture = format!("P5 {} {} 255\n", rows[0].len() * DOTS, rows.len() * DOTS).into_bytes();
    for row in rows {
        let line: Vec<u8> = row.iter().flat_map(|dark| [if *dark { 0 } else { 255 }; DOTS]).collect();
        picture.extend(line.repeat(DOTS));
    }
    picture
}

/// `script` is the terminal.
#[test]
fn b8_b9_on_a_terminal_it_asks_until_every_answer_is_right() {
    let folder = folder("asks");
    let answers = "http://cloud.example\nhttps://cloud.example\nno pin\n\n7Q2M-XK4D\n\nCorner shop\nNowhere\n\
                   Asia/Jakarta\n192.168.7.20/24\n192.168.8.1\n192.168.7.1\n9.9.9.9, 1.1.1.1\n\n\n";
    let mut script = Command::new("script");
    let command = format!("'{}' site make", program().display());
    script.current_dir(folder.path()).args(["-qec", &command, "/dev/null"]);
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script(1) is there");
    std::io::Write::write_all(&mut script.stdin.take().unwrap(), answers.as_bytes()).unwrap();
    let said = crate::program::Said::of(script.wait_with_output().unwrap());
    let said = said.expect(0, &["begins with https://", "a pin is sha256/", "IANA name", "not in the same network"]);
    let site = Site::read(&fs::read(folder.path().join("storebox.toml")).expect(&said.out)).unwrap();
    assert_eq!(site.claim.unwrap().token(), "7Q2M-XK4D");
    assert_eq!(site.address.unwrap().dns().len(), 2);
    assert_eq!((site.cloud.unwrap().pins.len(), site.proxy), (0, None));
}
