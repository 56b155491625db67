//! Whatever bytes come, the helper answers or closes, and goes on answering.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use nix::unistd::Uid;
use proptest::prelude::*;
use storebox_helper::bounded::{List, Text};
use storebox_helper::client::Client;
use storebox_helper::content::Content;
use storebox_helper::data::tpm::Tpm;
use storebox_helper::files::Root;
use storebox_helper::limits::FRAME_BYTES_MAX;
use storebox_helper::machine::{Machine, Mount};
use storebox_helper::program::{Ended, Program, ProgramError};
use storebox_helper::protocol::{
    Answer, Mark, NetworkPlan, Refusal, Reply, Request, SlotName, StaticAddress, decode, encode,
};
use storebox_helper::server;
use storebox_helper::verbs::Verbs;
use storebox_helper::verbs::site::{Seen, Visit, VisitError};

/// A machine on which everything succeeds and nothing happens.
struct Nowhere;

impl Machine for Nowhere {
    fn run(&self, program: &Program) -> Result<Ended, ProgramError> {
        Ok(Ended { file: program.file, code: 0, output: String::new() })
    }
    fn set_clock(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn set_host_name(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn space(&self, _: &Path) -> io::Result<(u64, u64)> {
        Ok((2, 1))
    }
    fn mount(&self, _: &Mount, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn unmount(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn visit(&self, _: &Mount, _: Visit) -> Result<Seen, VisitError> {
        Ok(Seen::Nothing)
    }
    fn tpm(&self) -> Tpm {
        Tpm::None
    }
}

/// The socket of a helper that serves as long as the tests run.
fn socket() -> &'static Path {
    static SOCKET: OnceLock<PathBuf> = OnceLock::new();
    SOCKET.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("storebox-helper-{}-protocol", std::process::id()));
        let _left = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("usr/lib")).unwrap();
        fs::write(folder.join("usr/lib/clock-epoch"), "").unwrap();
        let socket = folder.join("helper.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let verbs = Arc::new(Verbs::new(Root::below(&folder), Nowhere));
        thread::spawn(move || server::serve(&listener, &verbs, Uid::current(), Duration::from_secs(600)).unwrap());
        socket
    })
}

/// Sends bytes and no more; the answer, if one came before the close.
fn send(bytes: &[u8]) -> Option<Answer> {
    let mut stream = UnixStream::connect(socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The helper may have seen enough before all is sent.
    let _sent = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut frame = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => frame.extend_from_slice(buffer.get(..read).unwrap()),
            // What was sent and not read is lost when the helper closes; its answer is not.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("neither an answer nor a close: {error}"),
        }
    }
    if frame.is_empty() {
        return None;
    }
    let (header, body) = frame.split_at(4);
    assert_eq!(u32::from_be_bytes(header.try_into().unwrap()), u32::try_from(body.len()).unwrap());
    Some(decode(body).unwrap())
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [length.as_slice(), body].concat()
}

fn assert_alive() {
    assert!(matches!(Client::at(socket()).ask(&Request::PowerOff), Ok(Reply::Done)));
}

fn request() -> impl Strategy<Value = Request> {
    let slot = prop_oneof![Just(SlotName::A), Just(SlotName::B)];
    let mark = prop_oneof![Just(Mark::Good), Just(Mark::Bad), Just(Mark::Active)];
    let address = (1..255_u8, 1..31_u8).prop_filter_map("a host", |(last, prefix)| {
        StaticAddress::new([10, 1, 2, last].into(), prefix, None, Vec::new()).ok()
    });
    prop_oneof![
        Just(Request::Reboot),
        Just(Request::PowerOff),
        any::<u64>().prop_map(|unix_ms| Request::SetTime { unix_ms }),
        Just(Request::ApplyNetwork(NetworkPlan::Dhcp)),
        address.prop_map(|address| Request::ApplyNetwork(NetworkPlan::Static(address))),
        "\\PC{0,60}".prop_map(|file| Request::InstallBundle { file: Text::cut(&file) }),
        (slot, mark).prop_map(|(slot, mark)| Request::MarkSlot { slot, mark }),
        Just(Request::ReadSiteFile),
        "\\PC{0,200}".prop_map(|text| Request::WriteSiteStatus { text: Text::cut(&text) }),
        Just(Request::MountUsb),
        Just(Request::UnmountUsb),
        "\\PC{0,60}".prop_map(|sentence| Request::FactoryReset { sentence: Text::cut(&sentence) }),
        Just(Request::ReadHealth),
        proptest::collection::vec(any::<u8>(), 0..200)
            .prop_map(|bytes| Request::WriteSiteFile { contents: List::new(bytes).unwrap() }),
    ]
}

proptest! {
    #[test]
    fn a_request_is_decoded_as_it_was_and_answered(request in request()) {
        let body = encode(&request).unwrap();
        prop_assert_eq!(decode::<Request>(&body), Ok(request));
        prop_assert!(send(&framed(&body)).is_some());
    }

    #[test]
    fn a_frame_of_any_bytes_is_answered(body in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(send(&framed(&body)).is_some());
    }

    #[test]
    fn any_bytes_at_all_are_answered_or_closed(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        send(&bytes);
        assert_alive();
    }

    #[test]
    fn a_flipped_bit_is_answered_or_closed(request in request(), place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = framed(&encode(&request).unwrap());
        let place = place.index(bytes.len());
        *bytes.get_mut(place).unwrap() ^= 1 << bit;
        send(&bytes);
        assert_alive();
    }

    #[test]
    fn a_frame_cut_short_is_closed_without_being_carried_out(request in request(), cut in any::<prop::sample::Index>()) {
        let bytes = framed(&encode(&request).unwrap());
        let cut = cut.index(bytes.len());
        prop_assert_eq!(send(bytes.get(..cut).unwrap()), None);
    }

    #[test]
    fn bytes_behind_a_request_make_it_none(request in request(), more in prop::collection::vec(any::<u8>(), 1..50)) {
        let body = [encode(&request).unwrap(), more].concat();
        prop_assert_eq!(send(&framed(&body)), Some(Err(Refusal::Malformed)));
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_unread(excess in 1..=u32::MAX - u32::try_from(FRAME_BYTES_MAX).unwrap()) {
        let length = u32::try_from(FRAME_BYTES_MAX).unwrap() + excess;
        prop_assert_eq!(send(&length.to_be_bytes()), Some(Err(Refusal::TooLong)));
    }

    #[test]
    fn another_version_is_named(version in 2..=u8::MAX, body in prop::collection::vec(any::<u8>(), 0..50)) {
        let body = [&[version], body.as_slice()].concat();
        prop_assert_eq!(send(&framed(&body)), Some(Err(Refusal::Version { understood: 1 })));
    }

    #[test]
    fn any_content_of_a_partition_is_told_without_trouble(head in prop::collection::vec(any::<u8>(), 0..2048)) {
        let is_told = storebox_helper::content::tell(&head) != Content::Luks || head.starts_with(b"LUKS");
        prop_assert!(is_told);
    }
}

#[test]
fn the_longest_frame_is_read_to_its_end() {
    let body = vec![1; FRAME_BYTES_MAX];
    assert_eq!(send(&framed(&body)), Some(Err(Refusal::Malformed)));
    assert_alive();
}
