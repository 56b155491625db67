//! What goes over the wire when a box enrols: Enrollment over Secure Transport (RFC 7030) as RFC 8951 reads it.
//!
//! A request is PKCS#10, an answer the certificates of a PKCS#7 without a signature, both in base64, with line breaks or
//! without.

use core::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cms::cert::CertificateChoices;
use cms::cert::x509::Certificate as X509;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerInfos};
use der::asn1::{ObjectIdentifier, SetOfVec};
use der::{Any, Decode, Encode};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData as _};
use storebox_core::limits::CERTIFICATES;
use storebox_core::time::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::enrolment::Certificate;
use crate::identity::BoxId;
use crate::pin::Pin;

/// Where authorities are fetched (section 4.1).
pub const AUTHORITIES: &str = "/.well-known/est/cacerts";
/// Where a box enrols (section 4.2.1).
pub const ENROL: &str = "/.well-known/est/simpleenroll";
/// Where it enrols again (section 4.2.2).
pub const RENEW: &str = "/.well-known/est/simplereenroll";
/// The type of a request's body.
pub const REQUEST_TYPE: &str = "application/pkcs10";
/// The type of an answer's body.
pub const ANSWER_TYPE: &str = "application/pkcs7-mime; smime-type=certs-only";

/// `id-data` and `id-signedData` (RFC 5652, sections 4 and 5.1).
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Some servers leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes on a line of a request's base64, which is 76 characters then (RFC 2045, section 6.8).
const LINE: usize = 57;

/// A request for a certificate of this key, as a body. Its subject is the box's name.
///
/// It has lines, as RFC 7030 took them from mail: a server that decodes with OpenSSL finds nothing in a text that does not
/// end its line, and every server that follows RFC 8951 passes over the ends.
///
/// # Errors
/// [`Malformed`] if the key cannot sign.
pub fn request(key: &KeyPair) -> Result<String, Malformed> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let id = BoxId::of_key(&key.subject_public_key_info());
    params.distinguished_name.push(DnType::CommonName, id.to_string());
    let request = params.serialize_request(key).map_err(|_| Malformed::Request)?;
    Ok(request.der().chunks(LINE).map(|bytes| BASE64.encode(bytes) + "\r\n").collect())
}

/// The bytes in a body, which is base64 with whatever line breaks.
///
/// # Errors
/// [`Malformed::Base64`].
pub fn bytes(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    let dense: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(dense).map_err(|_| Malformed::Base64)
}

/// The certificates of an answer, each in DER.
///
/// # Errors
/// [`Malformed`] if there is none, or more than a chain has.
pub fn certificates(body: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let info = ContentInfo::from_der(&bytes(body)?).map_err(|_| Malformed::Pkcs7)?;
    if info.content_type != SIGNED_DATA {
        return Err(Malformed::Pkcs7);
    }
    let signed: SignedData = info.content.decode_as().map_err(|_| Malformed::Pkcs7)?;
    let set = signed.certificates.map(|set| set.0.into_vec()).unwrap_or_default();
    let certificates: Result<Vec<_>, _> = set
        .iter()
        .filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate.to_der()),
            CertificateChoices::Other(_) => None,
        })
        .collect();
    match certificates {
        Ok(certificates) if (1..=CERTIFICATES).contains(&certificates.len()) => Ok(certificates),
        Ok(_) => Err(Malformed::Count),
        Err(_) => Err(Malformed::Pkcs7),
    }
}

/// An answer of certificates in DER, as a body.
///
/// # Errors
/// [`Malformed::Certificate`] if one is none.
pub fn answer(certificates: &[Vec<u8>]) -> Result<String, Malformed> {
    let parsed: Result<Vec<_>, _> =
        certificates.iter().map(|der| X509::from_der(der).map(CertificateChoices::Certificate)).collect();
    let set = SetOfVec::try_from(parsed.map_err(|_| Malformed::Certificate)?).map_err(|_| Malformed::Certificate)?;
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::new(),
        encap_content_info: EncapsulatedContentInfo { econtent_type: DATA, econtent: None },
        certificates: Some(CertificateSet(set)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::new()),
    };
    let content = Any::encode_from(&signed).map_err(|_| Malformed::Certificate)?;
    let info = ContentInfo { content_type: SIGNED_DATA, content };
    Ok(BASE64.encode(info.to_der().map_err(|_| Malformed::Certificate)?))
}

/// The certificate of the box among those of an answer, with what leads from it to an authority. The rest of the answer
/// may come in any order (RFC 7030, section 4.2.3).
///
/// # Errors
/// [`Malformed::NotOurs`] if none is of the box's key and comes from one of these authorities.
pub fn certificate_of(id: BoxId, certificates: &[Vec<u8>], authorities: &[Vec<u8>]) -> Result<Certificate, Malformed> {
    let parsed: Vec<Parsed<'_>> = certificates.iter().filter_map(|der| Parsed::of(der)).collect();
    let authorities: Vec<Parsed<'_>> = authorities.iter().filter_map(|der| Parsed::of(der)).collect();
    let leaf = parsed.iter().find(|certificate| certificate.key() == id).ok_or(Malformed::NotOurs)?;
    let mut chain = vec![leaf];
    // Up to an authority, which whoever checks the chain has.
    let mut last = leaf;
    while !authorities.iter().any(|authority| authority.issued(last)) {
        let next = parsed.iter().find(|certificate| certificate.issued(last)).ok_or(Malformed::NotOurs)?;
        if chain.len() == certificates.len() {
            return Err(Malformed::NotOurs);
        }
        chain.push(next);
        last = next;
    }
    let (from, until) = leaf.validity();
    Ok(Certificate { chain: chain.into_iter().map(|certificate| certificate.der.to_vec()).collect(), from, until })
}

/// The key of a certificate in DER, as it is pinned, and from when until when it holds; none if it does not decode.
pub fn key_and_life(der: &[u8]) -> Option<(Pin, (Timestamp, Timestamp))> {
    let parsed = Parsed::of(der)?;
    Some((Pin::new(*parsed.key().digest()), parsed.validity()))
}

/// A certificate, looked into.
struct Parsed<'c> {
    der: &'c [u8],
    certificate: X509Certificate<'c>,
}

impl<'c> Parsed<'c> {
    fn of(der: &'c [u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self { der, certificate })
    }

    fn key(&self) -> BoxId {
        BoxId::of_key(self.certificate.public_key().raw)
    }

    /// Whether this is the issuer of another. Signatures are checked when the chain is used.
    fn issued(&self, other: &Parsed<'_>) -> bool {
        self.certificate.subject().as_raw() == other.certificate.issuer().as_raw()
    }

    fn validity(&self) -> (Timestamp, Timestamp) {
        let moment =
            |unix_s: i64| Timestamp::from_millis(u64::try_from(unix_s).unwrap_or_default().saturating_mul(1_000));
        let validity = self.certificate.validity();
        (moment(validity.not_before.timestamp()), moment(validity.not_after.timestamp()))
    }
}

/// A body is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The key signs nothing.
    Request,
    /// It is no base64.
    Base64,
    /// It is no PKCS#7 of certificates.
    Pkcs7,
    /// It holds no certificate, or far too many.
    Count,
    /// A certificate is none.
    Certificate,
    /// No certificate is of this box's key and comes from the cloud's authorities.
    NotOurs,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "the box's key cannot sign a request",
            Self::Base64 => "the body is not base64",
            Self::Pkcs7 => "the body is not a PKCS#7 of certificates",
            Self::Count => "the body holds no certificate, or far too many",
            Self::Certificate => "a certificate does not decode",
            Self::NotOurs => "no certificate is of this box's key and comes from the cloud's authorities",
        })
    }
}

impl core::error::Error for Malformed {}

#[cfg(test)]
mod tests;
