//! What clients check, what a power loss leaves behind, and what a wrong clock does.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;

use rcgen::{CertificateParams, Issuer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::certificate::{LEAF_LIFE_S, Leaf};
use super::*;
use crate::files::Scratch;

const DAY_S: i64 = 24 * 3600;
/// A day in the life of the box, well after its build.
const NOW_S: i64 = BUILD_TIME_S + 100 * DAY_S;
const FILES: [&str; 4] = [CA_KEY, LAN_KEY, CA_PEM, LAN_PEM];

fn load(dir: &Scratch, now_s: i64) -> Result<LanIdentity, IdentityError> {
    LanIdentity::load_or_make(&dir.0, now_s, &LeafNames::fixed())
}

fn kitchen() -> LeafNames {
    LeafNames::new(["kitchen.local".to_owned()], ["192.168.7.9".parse().unwrap()])
}

fn parsed(der: &[u8]) -> X509Certificate<'_> {
    X509Certificate::from_der(der).unwrap().1
}

/// Whether rustls, trusting only this CA, takes `leaf` for `name` at `now_s`.
fn accepted(identity: &LanIdentity, leaf: &CertificateDer<'_>, name: &str, now_s: i64) -> bool {
    use rustls::client::{WebPkiServerVerifier, danger::ServerCertVerifier as _};
    use rustls::pki_types::{ServerName, UnixTime};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(identity.ca_der.clone()).unwrap();
    let provider = rustls::crypto::ring::default_provider().into();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now_s.try_into().unwrap()));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(leaf, &[], &name, &[], now).is_ok()
}

#[test]
fn the_ca_vouches_for_the_lan_only() {
    let dir = Scratch::new();
    let identity = load(&dir, NOW_S).unwrap();
    let ca = parsed(&identity.ca_der);

    let basic = ca.basic_constraints().unwrap().unwrap();
    assert!(basic.critical && basic.value.ca);
    assert_eq!(basic.value.path_len_constraint, Some(0));
    let usage = ca.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.value.to_string(), "Key Cert Sign");

    let constraints = ca.name_constraints().unwrap().unwrap();
    assert!(constraints.critical);
    assert!(constraints.value.excluded_subtrees.is_none());
    let permitted: Vec<_> = constraints.value.permitted_subtrees.as_ref().unwrap().iter().map(shown).collect();
    assert_eq!(
        permitted,
        [
            "local",
            "localhost",
            "10.0.0.0/255.0.0.0",
            "172.16.0.0/255.240.0.0",
            "192.168.0.0/255.255.0.0",
            "169.254.0.0/255.255.0.0",
            "127.0.0.0/255.0.0.0",
            "fc00::/fe00::",
            "fe80::/ffc0::",
            "::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ]
    );

    let life_s = ca.validity().not_after.timestamp() - NOW_S;
    assert!((19 * 365 * DAY_S..=20 * 366 * DAY_S).contains(&life_s), "{life_s}");
    assert_eq!(ca.validity().not_before.timestamp(), BUILD_TIME_S - DAY_S, "whatever the clock says");
}

fn shown(subtree: &x509_parser::extensions::GeneralSubtree<'_>) -> String {
    match &subtree.base {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => {
            let (address, mask) = bytes.split_at(bytes.len() / 2);
            format!("{}/{}", address_of(address), address_of(mask))
        }
        other => panic!("unexpected {other:?}"),
    }
}

fn address_of(bytes: &[u8]) -> IpAddr {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).unwrap()
}

#[test]
fn the_leaf_is_a_server_certificate_for_the_given_names() {
    let dir = Scratch::new();
    let identity = LanIdentity::load_or_make(&dir.0, NOW_S, &kitchen()).unwrap();
    let leaf = parsed(&identity.leaf.der);

    let mut names = Vec::new();
    for name in &leaf.subject_alternative_name().unwrap().unwrap().value.general_names {
        names.push(match name {
            GeneralName::DNSName(name) => (*name).to_owned(),
            GeneralName::IPAddress(bytes) => address_of(bytes).to_string(),
            other => panic!("unexpected {other:?}"),
        });
    }
    assert_eq!(names, ["kitchen.local", "localhost", "storebox.local", "127.0.0.1", "192.168.7.9", "::1"]);

    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth && !usage.any);
    assert!(!leaf.is_ca());
    assert_eq!(leaf.validity().not_before.timestamp(), NOW_S - DAY_S);
    let life_s = leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp();
    assert_eq!(life_s, LEAF_LIFE_S);
    assert!(life_s < 397 * DAY_S);
    assert_eq!(leaf.issuer(), parsed(&identity.ca_der).subject());

    let digest = ring::digest::digest(&ring::digest::SHA256, leaf.public_key().raw);
    assert_eq!(digest.as_ref(), identity.fingerprint());
    for name in ["kitchen.local", "localhost", "192.168.7.9", "::1"] {
        assert!(accepted(&identity, &identity.leaf.der, name, NOW_S), "{name}");
    }
    assert!(!accepted(&identity, &identity.leaf.der, "other.local", NOW_S));
}

/// The constraints are not decoration: even who steals `ca.key` cannot pose as the rest of the world.
#[test]
fn a_certificate_for_the_world_signed_by_the_ca_is_refused_by_clients() {
    let dir = Scratch::new();
    let identity = load(&dir, NOW_S).unwrap();
    // Named as the CA is, so that nothing but the names is wrong.
    let subject = parsed(&identity.ca_der).subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned();
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = rcgen::DistinguishedName::new();
    issuer.distinguished_name.push(rcgen::DnType::CommonName, subject);
    let issuer = Issuer::from_params(&issuer, &identity.ca_key);
    for (name, inside) in [("till.local", true), ("bank.example", false), ("8.8.8.8", false), ("2001:db8::1", false)] {
        let forged = CertificateParams::new([name.to_owned()]).unwrap();
        let forged = forged.signed_by(&identity.leaf_key, &issuer).unwrap();
        assert_eq!(accepted(&identity, forged.der(), name, NOW_S), inside, "{name}");
    }
}

#[test]
fn a_second_start_serves_the_same_files() {
    let dir = Scratch::new();
    let first = load(&dir, NOW_S).unwrap();
    let before = contents(&dir);
    let second = load(&dir, NOW_S + DAY_S).unwrap();
    assert_eq!(contents(&dir), before);
    assert_eq!(second.chain(), first.chain());
    assert_eq!(second.ca_pem(), fs::read_to_string(dir.0.join(CA_PEM)).unwrap());
    assert!(second.unsaved().is_none());
}

#[test]
fn keys_are_for_the_daemon_alone() {
    let dir = Scratch::new();
    let inner = dir.0.join("state/lan");
    LanIdentity::load_or_make(&inner, NOW_S, &LeafNames::fixed()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for key in [CA_KEY, LAN_KEY] {
        assert_eq!(mode(&inner.join(key)), 0o600);
        fs::set_permissions(inner.join(key), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let again = LanIdentity::load_or_make(&inner, NOW_S, &LeafNames::fixed()).unwrap();
    for key in [CA_KEY, LAN_KEY] {
        assert_eq!(mode(&inner.join(key)), 0o600, "narrowed after somebody widened it");
    }
    assert!(!format!("{again:?}").contains("PRIVATE"));
}

#[test]
fn a_renewal_comes_after_two_thirds_and_keeps_the_fingerprint() {
    let dir = Scratch::new();
    let mut identity = load(&dir, NOW_S).unwrap();
    let (fingerprint, first, ca) = (identity.fingerprint(), identity.chain(), identity.ca_pem().to_owned());
    assert!(!identity.renew_if_due(NOW_S + 260 * DAY_S, &LeafNames::fixed()).unwrap());
    let later_s = NOW_S + 265 * DAY_S;
    assert!(identity.renew_if_due(later_s, &LeafNames::fixed()).unwrap());
    assert!(!identity.renew_if_due(later_s, &LeafNames::fixed()).unwrap(), "once is enough");

    assert_eq!(identity.fingerprint(), fingerprint);
    assert_eq!(identity.ca_pem(), ca);
    assert_ne!(identity.chain(), first);
    assert_ne!(parsed(&identity.chain()[0]).serial, parsed(&first[0]).serial, "browsers refuse a number seen before");
    assert!(accepted(&identity, &identity.leaf.der, "localhost", later_s + 130 * DAY_S));
    assert_eq!(load(&dir, later_s).unwrap().chain(), identity.chain(), "and it is on disk");
}

#[test]
fn new_names_bring_a_new_leaf() {
    let dir = Scratch::new();
    let mut identity = load(&dir, NOW_S).unwrap();
    assert!(identity.renew_if_due(NOW_S, &kitchen()).unwrap());
    assert!(accepted(&identity, &identity.leaf.der, "192.168.7.9", NOW_S));
    assert!(!identity.renew_if_due(NOW_S, &kitchen()).unwrap());
    let again = load(&dir, NOW_S).unwrap();
    assert!(!accepted(&again, &again.leaf.der, "192.168.7.9", NOW_S), "an address that went away is dropped");
    assert_eq!(again.fingerprint(), identity.fingerprint());
}

#[test]
fn a_clock_that_was_never_set_still_serves() {
    let dir = Scratch::new();
    let identity = load(&dir, 0).unwrap();
    assert!(accepted(&identity, &identity.leaf.der, "localhost", BUILD_TIME_S));
    assert_eq!(identity.leaf.not_before_s, BUILD_TIME_S - DAY_S);
}

#[test]
fn a_clock_that_lost_the_time_keeps_the_validity_it_had() {
    let dir = Scratch::new();
    let later_s = NOW_S + 800 * DAY_S;
    let first = load(&dir, later_s).unwrap();
    let mut second = load(&dir, 5).unwrap();
    assert_eq!(second.chain(), first.chain());
    assert!(second.renew_if_due(5, &kitchen()).unwrap(), "names still follow the network");
    assert!(accepted(&second, &second.leaf.der, "192.168.7.9", later_s), "terminals know the time");
    assert!(!second.renew_if_due(5, &kitchen()).unwrap());
}

#[test]
fn a_clock_that_was_ahead_heals_when_it_is_set() {
    let dir = Scratch::new();
    let mut identity = load(&dir, NOW_S + 9_000 * DAY_S).unwrap();
    assert!(!accepted(&identity, &identity.leaf.der, "localhost", NOW_S));
    assert!(identity.renew_if_due(NOW_S, &LeafNames::fixed()).unwrap());
    assert!(accepted(&identity, &identity.leaf.der, "localhost", NOW_S));
    assert!(parsed(&identity.ca_der).validity().not_before.timestamp() < NOW_S, "the CA never depended on it");
}

#[test]
fn any_clock_at_all_gives_an_identity() {
    for now_s in [i64::MIN, -1, 0, BUILD_TIME_S, i64::MAX / 2, i64::MAX] {
        let dir = Scratch::new();
        let mut identity = load(&dir, now_s).unwrap();
        identity.renew_if_due(i64::MAX, &kitchen()).unwrap();
        identity.renew_if_due(i64::MIN, &LeafNames::fixed()).unwrap();
        assert!(load(&dir, NOW_S).is_ok());
    }
}

/// A start is cut short by making each write fail in turn: a folder stands where the file would be prepared.
#[test]
fn a_start_cut_short_at_any_step_is_completed_by_the_next_one() {
    for (step, name) in FILES.into_iter().enumerate() {
        let dir = Scratch::new();
        let obstacle = dir.0.join(format!("{name}.new"));
        fs::create_dir(&obstacle).unwrap();
        let cut = load(&dir, NOW_S);
        if name == LAN_PEM {
            let unsaved = cut.unwrap();
            assert!(unsaved.unsaved().unwrap().to_string().contains(LAN_PEM));
        } else {
            assert!(cut.unwrap_err().to_string().contains(name));
        }
        let there: Vec<_> = FILES.into_iter().filter(|file| dir.0.join(file).exists()).collect();
        assert_eq!(there, FILES[..step], "keys first, certificates after them");
        let before: Vec<_> = there.iter().map(|file| fs::read(dir.0.join(file)).unwrap()).collect();

        fs::remove_dir(&obstacle).unwrap();
        // What a power loss leaves: prepared, never renamed.
        fs::write(&obstacle, "-----BEGIN").unwrap();
        let identity = load(&dir, NOW_S).unwrap();
        assert!(identity.unsaved().is_none());
        let after: Vec<_> = there.iter().map(|file| fs::read(dir.0.join(file)).unwrap()).collect();
        assert_eq!(after, before, "what was made stays");
        assert!(accepted(&identity, &identity.leaf.der, "localhost", NOW_S));
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), FILES.len());
    }
}

#[test]
fn a_leaf_that_cannot_be_saved_is_served_and_saved_later() {
    let dir = Scratch::new();
    let mut identity = load(&dir, NOW_S).unwrap();
    let obstacle = dir.0.join("lan.pem.new");
    fs::create_dir(&obstacle).unwrap();
    let later_s = NOW_S + 390 * DAY_S;
    assert!(identity.renew_if_due(later_s, &LeafNames::fixed()).unwrap());
    assert!(identity.unsaved().is_some());
    assert!(accepted(&identity, &identity.leaf.der, "localhost", later_s));
    fs::remove_dir(&obstacle).unwrap();
    assert!(!identity.renew_if_due(later_s, &LeafNames::fixed()).unwrap(), "the same leaf, only saved");
    assert!(identity.unsaved().is_none());
    assert_eq!(load(&dir, later_s).unwrap().chain(), identity.chain());
}

#[test]
fn a_damaged_leaf_is_issued_again_and_nothing_else_changes() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.fill(0xff),
        |bytes| spoil_signature(bytes),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let dir = Scratch::new();
        let fingerprint = load(&dir, NOW_S).unwrap().fingerprint();
        let before = contents(&dir);
        let mut bytes = fs::read(dir.0.join(LAN_PEM)).unwrap();
        damage(&mut bytes);
        fs::write(dir.0.join(LAN_PEM), bytes).unwrap();
        let again = load(&dir, NOW_S).unwrap();
        assert_eq!(again.fingerprint(), fingerprint, "damage {number}");
        assert!(accepted(&again, &again.leaf.der, "localhost", NOW_S), "damage {number}");
        assert_eq!(contents(&dir)[..3], before[..3]);
    }
}

/// Changes one digit of the PEM body, a few bytes into the signature from its end.
fn spoil_signature(bytes: &mut [u8]) {
    let end = bytes.windows(5).rposition(|window| window == b"-----").unwrap() - "-----END CERTIFICATE".len();
    let place = (0..end).rev().filter(|&place| bytes[place].is_ascii_alphanumeric()).nth(8).unwrap();
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
}

#[test]
fn a_ca_with_one_wrong_digit_is_noticed() {
    let dir = Scratch::new();
    load(&dir, NOW_S).unwrap();
    let mut bytes = fs::read(dir.0.join(CA_PEM)).unwrap();
    spoil_signature(&mut bytes);
    fs::write(dir.0.join(CA_PEM), bytes).unwrap();
    assert!(matches!(load(&dir, NOW_S), Err(IdentityError::Damaged { path, .. }) if path.ends_with(CA_PEM)));
}

#[test]
fn a_leaf_of_another_box_is_replaced() {
    let (ours, theirs) = (Scratch::new(), Scratch::new());
    load(&ours, NOW_S).unwrap();
    load(&theirs, NOW_S).unwrap();
    fs::copy(theirs.0.join(LAN_PEM), ours.0.join(LAN_PEM)).unwrap();
    let identity = load(&ours, NOW_S).unwrap();
    assert!(accepted(&identity, &identity.leaf.der, "localhost", NOW_S));
}

#[test]
fn any_other_damaged_file_is_named_and_left_alone() {
    for name in [CA_KEY, LAN_KEY, CA_PEM] {
        for keep in [0, 1, 2] {
            let dir = Scratch::new();
            load(&dir, NOW_S).unwrap();
            let whole = fs::read(dir.0.join(name)).unwrap();
            fs::write(dir.0.join(name), &whole[..whole.len() * keep / 3]).unwrap();
            let before = contents(&dir);
            let refused = load(&dir, NOW_S).unwrap_err();
            assert!(matches!(&refused, IdentityError::Damaged { path, .. } if path.ends_with(name)), "{refused:?}");
            assert!(refused.to_string().contains("remove"), "says what to do: {refused}");
            assert_eq!(contents(&dir), before);
        }
    }
}

#[test]
fn a_key_that_vanished_is_not_silently_replaced() {
    for name in [CA_KEY, LAN_KEY] {
        let dir = Scratch::new();
        load(&dir, NOW_S).unwrap();
        fs::remove_file(dir.0.join(name)).unwrap();
        assert!(matches!(load(&dir, NOW_S), Err(IdentityError::Damaged { path, .. }) if path.ends_with(name)));
        assert!(!dir.0.join(name).exists());
    }
}

#[test]
fn a_ca_of_another_store_is_refused_and_one_made_again_verifies_the_old_leaf() {
    let (ours, theirs) = (Scratch::new(), Scratch::new());
    let first = load(&ours, NOW_S).unwrap();
    load(&theirs, NOW_S).unwrap();
    fs::copy(theirs.0.join(CA_PEM), ours.0.join(CA_PEM)).unwrap();
    assert!(load(&ours, NOW_S).unwrap_err().to_string().contains("does not belong to ca.key"));

    // As the message says.
    fs::remove_file(ours.0.join(CA_PEM)).unwrap();
    let again = load(&ours, NOW_S).unwrap();
    assert!(accepted(&again, &first.leaf.der, "localhost", NOW_S), "new CA file, old leaf");
    assert!(accepted(&first, &again.leaf.der, "localhost", NOW_S), "old CA file on a terminal");
}

#[test]
fn a_leaf_is_due_only_when_it_should_be() {
    let (ca, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let names = LeafNames::fixed();
    let leaf = Leaf::issue(&key, &ca, &names, NOW_S, None).unwrap();
    for (day, due) in [(-2, true), (-1, false), (0, false), (263, false), (264, true), (400, true)] {
        assert_eq!(leaf.is_due(NOW_S + day * DAY_S, &names), due, "day {day}");
    }
    assert!(!leaf.is_due(BUILD_TIME_S - 1, &names), "a clock before the build says nothing");
    assert!(leaf.is_due(NOW_S, &kitchen()));
}

fn contents(dir: &Scratch) -> Vec<Vec<u8>> {
    FILES.iter().map(|file| fs::read(dir.0.join(file)).unwrap()).collect()
}
