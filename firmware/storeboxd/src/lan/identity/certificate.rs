//! What the two certificates say (RFC 5280), and how one read from disk is recognised as ours.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use super::names::{DNS_PERMITTED, LeafNames, V4_PERMITTED, V6_PERMITTED};
use super::{IdentityError, hex};
use crate::entropy;

/// No clock is right before this moment, in seconds since 1970. Builds that set `SOURCE_DATE_EPOCH` (as
/// reproducible builds do) carry their own; the others carry 2026-01-01.
pub const BUILD_TIME_S: i64 = match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => match i64::from_str_radix(text, 10) {
        Ok(seconds) if seconds > FIRST_BUILD_S => seconds,
        Ok(_) | Err(_) => FIRST_BUILD_S,
    },
    None => FIRST_BUILD_S,
};
/// 2026-01-01T00:00:00Z.
const FIRST_BUILD_S: i64 = 1_767_225_600;

const DAY_S: i64 = 24 * 3600;
/// The CA outlives the hardware: replacing it means visiting every terminal.
const CA_LIFE_S: i64 = 20 * 365 * DAY_S + 5 * DAY_S;
/// 397 days, both ends included: browsers refuse server certificates that live longer than 398.
pub(super) const LEAF_LIFE_S: i64 = 397 * DAY_S - 1;
/// A certificate starts so long ago, for terminals whose clocks are behind.
const BACKDATED_S: i64 = DAY_S;
/// 9900-01-01T00:00:00Z: later times are a broken clock, and validities must end before the year 10000.
const LATEST_S: i64 = 250_246_627_200;

/// SHA-256 of a key's SubjectPublicKeyInfo (DER).
pub(super) fn spki_sha256(key: &KeyPair) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, &key.subject_public_key_info());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Makes the CA certificate for `key`.
///
/// It starts with the build and not with the clock: a clock that was ahead at first start must not leave a CA
/// no terminal accepts yet, because the CA is never made again.
pub(super) fn make_ca(key: &KeyPair, now_s: i64) -> Result<Certificate, IdentityError> {
    let mut params = ca_params(key);
    let end_s = now_s.clamp(BUILD_TIME_S, LATEST_S) - BACKDATED_S + CA_LIFE_S;
    set_validity(&mut params, BUILD_TIME_S - BACKDATED_S, end_s)?;
    params.serial_number = Some(random_serial());
    params.self_signed(key).map_err(IdentityError::Making)
}

/// Everything but time and number. The name follows from the key, so that a CA certificate made again from the
/// same key is the same issuer, and two stores are never confused.
fn ca_params(key: &KeyPair) -> CertificateParams {
    let dns = DNS_PERMITTED.iter().map(|&name| GeneralSubtree::DnsName(name.to_owned()));
    let v4 = V4_PERMITTED.iter().map(|(network, prefix)| CidrSubnet::from_v4_prefix(network.octets(), *prefix));
    let v6 = V6_PERMITTED.iter().map(|(network, prefix)| CidrSubnet::from_v6_prefix(network.octets(), *prefix));
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Storebox store CA", key);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: dns.chain(v4.chain(v6).map(GeneralSubtree::IpAddress)).collect(),
        excluded_subtrees: Vec::new(),
    });
    params
}

/// The CA certificate in `pem`, if it is the one of `key` and undamaged; otherwise what is wrong.
pub(super) fn read_ca(pem: &str, key: &KeyPair) -> Result<CertificateDer<'static>, &'static str> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| "is not a complete certificate (PEM)")?;
    let certificate = parse(&der).ok_or("is not a certificate (X.509)")?;
    if certificate.public_key().raw != key.subject_public_key_info().as_slice() {
        return Err("does not belong to ca.key");
    }
    if !is_signed_by(&certificate, key) || !certificate.is_ca() {
        return Err("is damaged or no CA certificate");
    }
    Ok(der)
}

/// The certificate the box serves with.
pub(super) struct Leaf {
    pub(super) der: CertificateDer<'static>,
    pub(super) not_before_s: i64,
    pub(super) not_after_s: i64,
    names: LeafNames,
    pem: String,
}

impl Leaf {
    /// Issues a leaf for `key`, valid from a day before `now_s`. A clock before the build is not believed: the
    /// validity of `previous` is kept then, or counted from the build.
    pub(super) fn issue(
        key: &KeyPair,
        ca_key: &KeyPair,
        names: &LeafNames,
        now_s: i64,
        previous: Option<&Self>,
    ) -> Result<Self, IdentityError> {
        let not_before_s = match previous {
            Some(previous) if now_s < BUILD_TIME_S => previous.not_before_s,
            Some(_) | None => now_s.clamp(BUILD_TIME_S, LATEST_S) - BACKDATED_S,
        };
        let not_after_s = not_before_s + LEAF_LIFE_S;
        let mut params = CertificateParams::default();
        params.distinguished_name = name("Storebox", key);
        set_validity(&mut params, not_before_s, not_after_s)?;
        // Never the same twice: browsers refuse a second certificate with an issuer's number they have seen.
        params.serial_number = Some(random_serial());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        for dns in &names.dns {
            let dns = dns.as_str().try_into().map_err(IdentityError::Making)?;
            params.subject_alt_names.push(SanType::DnsName(dns));
        }
        params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));

        let ca = ca_params(ca_key);
        let issued = params.signed_by(key, &Issuer::from_params(&ca, ca_key)).map_err(IdentityError::Making)?;
        let (names, pem) = (names.clone(), issued.pem());
        Ok(Self { der: issued.into(), not_before_s, not_after_s, names, pem })
    }

    /// The leaf in `pem`, if it is whole, for `key` and signed by `ca_key`.
    pub(super) fn read(pem: &str, key: &KeyPair, ca_key: &KeyPair) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let certificate = parse(&der)?;
        let ours = certificate.public_key().raw == key.subject_public_key_info().as_slice()
            && is_signed_by(&certificate, ca_key);
        if !ours {
            return None;
        }
        let not_before_s = certificate.validity().not_before.timestamp();
        let not_after_s = certificate.validity().not_after.timestamp();
        let names = names_of(&certificate)?;
        Some(Self { not_before_s, not_after_s, names, pem: pem.to_owned(), der })
    }

    /// Whether another one should be issued.
    pub(super) fn is_due(&self, now_s: i64, names: &LeafNames) -> bool {
        if self.names != *names {
            return true;
        }
        let two_thirds_s = (self.not_after_s - self.not_before_s) / 3 * 2;
        now_s >= BUILD_TIME_S && !(self.not_before_s..self.not_before_s + two_thirds_s).contains(&now_s)
    }

    /// The leaf as PEM text.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

/// The signature covers every byte that matters, so this also finds damage.
fn is_signed_by(certificate: &X509Certificate<'_>, key: &KeyPair) -> bool {
    let issuer =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_ASN1, key.public_key_raw());
    issuer.verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data).is_ok()
}

fn names_of(certificate: &X509Certificate<'_>) -> Option<LeafNames> {
    let mut names = LeafNames { dns: BTreeSet::new(), addresses: BTreeSet::new() };
    for name in &certificate.subject_alternative_name().ok()??.value.general_names {
        match name {
            GeneralName::DNSName(dns) => {
                names.dns.insert((*dns).to_owned());
            }
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(|v4| IpAddr::from(Ipv4Addr::from(v4)));
                let v6 = <[u8; 16]>::try_from(*bytes).map(|v6| IpAddr::from(Ipv6Addr::from(v6)));
                names.addresses.insert(v4.or(v6).ok()?);
            }
            _ => return None,
        }
    }
    Some(names)
}

fn name(role: &str, key: &KeyPair) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    let short = spki_sha256(key);
    name.push(DnType::CommonName, format!("{role} {}", hex(short.get(..8).unwrap_or_default())));
    name
}

/// 127 random bits: positive, never zero in practice, within the 20 bytes of RFC 5280 section 4.1.2.2.
fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = entropy::random();
    if let Some(first) = bytes.first_mut() {
        *first &= 0x7f;
    }
    SerialNumber::from_slice(&bytes)
}

/// Sets both ends of the validity, in seconds since 1970.
fn set_validity(params: &mut CertificateParams, start_s: i64, end_s: i64) -> Result<(), IdentityError> {
    let moment = |seconds| ASN1Time::from_timestamp(seconds).map_err(|_| IdentityError::Time);
    params.not_before = moment(start_s)?.to_datetime();
    params.not_after = moment(end_s)?.to_datetime();
    Ok(())
}
