use proptest::prelude::*;

use super::*;

const PIN: &str = "sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=";

fn whole() -> String {
    format!(
        "[cloud]\nurl = \"https://cloud.example\"\npin = [\"{PIN}\"]\n\n\
         [claim]\ntoken = \"7Q2M-XK4D\"\nintent = \"replace\"\n\n\
         [store]\nname = \"Corner shop\"\ntimezone = \"Asia/Jakarta\"\n\n\
         [network]\naddress = \"192.168.7.20\"\nmask = \"255.255.255.0\"\ngateway = \"192.168.7.1\"\n\
         dns = [\"192.168.7.1\", \"9.9.9.9\"]\nproxy = \"http://192.168.7.5:3128/\"\n\n\
         [time]\nservers = \"192.168.7.1\"\n"
    )
}

fn faults(text: &str) -> Vec<String> {
    Site::read(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn b8_b9_an_installers_file_says_where_the_cloud_is_who_vouches_and_which_address() {
    let site = Site::read(whole().as_bytes()).unwrap();
    let cloud = site.cloud.unwrap();
    assert_eq!((cloud.url.as_str(), cloud.pins), ("https://cloud.example", vec![PIN.parse().unwrap()]));
    let claim = site.claim.unwrap();
    assert_eq!((claim.token(), claim.intent), ("7Q2M-XK4D", Intent::Replace));
    assert!(!format!("{claim:?}").contains("7Q2M"), "a token is not shown");
    let address = site.address.unwrap();
    assert_eq!((address.address().to_string(), address.prefix(), address.dns().len()), ("192.168.7.20".into(), 24, 2));
    assert_eq!(site.proxy.unwrap().as_str(), "192.168.7.5:3128");
    assert_eq!((site.name.unwrap().as_str(), site.timezone.unwrap().as_str()), ("Corner shop", "Asia/Jakarta"));
    assert_eq!(site.time_servers.len(), 1);
}

#[test]
fn u11_a_token_is_a_password_and_may_bring_a_user() {
    let sent = |token| Claim::new(token, Intent::New).unwrap().user_and_password();
    assert_eq!(sent("7Q2M-XK4D"), "storebox:7Q2M-XK4D");
    assert_eq!(sent("till-7:se:cret"), "till-7:se:cret");
}

#[test]
fn b8_a_token_is_taken_out_once_and_all_else_stays() {
    for written in [whole(), whole().replace("\"7Q2M-XK4D\"", "'''7Q2M-XK4D'''   # from the letter")] {
        let without = without_token(written.as_bytes()).unwrap();
        assert!(!without.contains("7Q2M") && without.contains("token = \"used\""), "{without}");
        let (before, after) = (Site::read(written.as_bytes()).unwrap(), Site::read(without.as_bytes()).unwrap());
        assert_eq!(after, Site { claim: None, ..before });
        assert_eq!(without_token(without.as_bytes()), None);
    }
    assert_eq!(without_token(b"[store]\nname = 'x'\n"), None);
    assert_eq!(without_token(b"half of ["), None);
}

#[test]
fn b8_a_file_that_says_nothing_changes_nothing() {
    assert_eq!(Site::read(b""), Ok(Site::default()));
    assert_eq!(Site::read(b"# later\r\n"), Ok(Site::default()));
}

#[test]
fn b9_the_length_of_the_prefix_may_stand_with_the_address() {
    let read = |network: &str| Site::read(format!("[network]\n{network}\n").as_bytes()).unwrap().address.unwrap();
    let long = read("address = '10.1.2.3'\nmask = '255.255.254.0'");
    assert_eq!(long, read("address = '10.1.2.3/23'"));
    assert_eq!(long, read("address = '10.1.2.3'\nmask = '23'"));
    assert_eq!(read("address = '2001:db8::20/64'\ngateway = 'fe80::1'\ndns = '2001:db8::1'").prefix(), 64);
}

/// Notepad, Word and a Mac's editor store text each in their own way.
#[test]
fn b8_the_file_is_understood_however_an_editor_stored_it() {
    let plain = Site::read(whole().as_bytes()).unwrap();
    let windows = whole().replace('\n', "\r\n");
    let marked = [b"\xef\xbb\xbf", windows.as_bytes()].concat();
    let little: Vec<u8> = [0xff, 0xfe].into_iter().chain(windows.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(windows.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    for stored in [windows.as_bytes().to_vec(), marked, little, big] {
        assert_eq!(Site::read(&stored).as_ref(), Ok(&plain));
    }
    assert_eq!(
        faults("[store]\nname = “Corner shop”\n"),
        ["line 2: the quotes are printer's quotes: write plain ones, \"like this\""]
    );
    let latin = Site::read(b"[store]\nname = \"Caf\xe9\"\n").unwrap_err();
    assert_eq!(latin[0].line, Some(2));
    assert!(latin[0].what.contains("UTF-8"), "{latin:?}");
    assert_eq!(Site::read(&vec![b'#'; SITE_FILE_BYTES + 1]).unwrap_err()[0].line, None);
}

#[test]
fn b8_everything_that_is_wrong_is_said_at_once_with_its_line() {
    let said = faults(
        "[cloud]\nurl = \"http://cloud.example\"\npin = \"md5/1234\"\n[claim]\ntoken = \"two words\"\n\
         [store]\ntimezone = \"local time\"\n[network]\naddress = \"192.168.7.20\"\nmask = \"255.0.255.0\"\n\
         proxy = \"the office\"\n",
    );
    let expected =
        [(2, "https://"), (3, "sha256/"), (5, "copy it"), (7, "Asia/Jakarta"), (10, "255.255.255.0"), (11, ":3128")];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, (line, word)) in said.iter().zip(expected) {
        assert!(said.starts_with(&format!("line {line}: ")) && said.contains(word), "{said}: {line} {word}");
    }
}

#[test]
fn b9_an_address_that_cannot_be_is_refused_where_it_is_wrong() {
    for (network, line, word) in [
        ("address = '192.168.7.20'", 2, "mask"),
        ("address = '192.168.7.20/24'\nmask = '255.255.255.0'", 3, "already"),
        ("address = '192.168.7'\nmask = '255.255.255.0'", 2, "no address"),
        ("address = '192.168.7.20/x'", 2, "/24"),
        ("address = '192.168.7.20/31'", 2, "mask"),
        ("address = '192.168.7.20'\nmask = '255.255.255.255'", 3, "no room"),
        ("address = '192.168.7.0/24'", 2, "no host"),
        ("address = '192.168.7.20/24'\ngateway = '192.168.8.1'", 3, "not in the same network"),
        ("address = '192.168.7.20/24'\ndns = ['9.9.9.9', '0.0.0.0']", 3, "name server"),
        ("address = '192.168.7.20/24'\ndns = ['1.1.1.1', '1.0.0.1', '9.9.9.9', '8.8.8.8']", 3, "more than 3"),
        ("gateway = '192.168.7.1'", 2, "belongs to an address"),
        ("dns = '192.168.7.1'", 2, "belongs to an address"),
        ("adress = '192.168.7.20/24'", 2, "adress"),
        ("address = 5", 2, "string"),
    ] {
        let said = faults(&format!("[network]\n{network}\n"));
        assert_eq!(said.len(), 1, "{network}: {said:?}");
        assert!(said[0].starts_with(&format!("line {line}: ")) && said[0].contains(word), "{network}: {said:?}");
    }
}

proptest! {
    /// Whatever lies on a stick under the file's name.
    #[test]
    fn b8_no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(faults) = Site::read(&bytes) {
            prop_assert!(!faults.is_empty());
        }
    }

    /// A line that went missing or was typed twice is refused or understood, and never takes a box elsewhere.
    #[test]
    fn b8_no_slip_of_the_editor_brings_it_down(at in 0..300_usize, byte in any::<u8>()) {
        let mut bytes = whole().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Err(faults) = Site::read(&bytes) {
            for fault in faults {
                let lines = whole().lines().count() + 1;
                prop_assert!(fault.line.is_none_or(|line| (1..=lines + 1).contains(&line)), "{fault}");
            }
        }
    }
}
