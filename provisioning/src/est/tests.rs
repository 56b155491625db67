use rcgen::{BasicConstraints, IsCa, Issuer, PKCS_ECDSA_P256_SHA256};
use x509_parser::prelude::X509CertificationRequest;

use super::*;

/// What `openssl crl2pkcs7 -nocrl` made of an authority and a certificate of it.
const OF_OPENSSL: &[u8] = include_bytes!("openssl.p7b.base64");

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

/// An authority, or one below another.
fn authority(name: &str, above: Option<&Issuer<'static, KeyPair>>) -> (Vec<u8>, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = key();
    let certificate = match above {
        Some(above) => params.signed_by(&key, above),
        None => params.self_signed(&key),
    };
    (certificate.unwrap().der().to_vec(), Issuer::new(params, key))
}

/// RFC 7030, section 4.2.1: PKCS#10 in base64.
#[test]
fn u11_a_request_names_the_box_by_its_key() {
    let key = key();
    let body = request(&key).unwrap();
    assert!(body.lines().count() > 2 && body.lines().all(|line| line.len() <= 76) && body.ends_with("\r\n"), "{body}");
    let der = bytes(body.as_bytes()).unwrap();
    let (rest, request) = X509CertificationRequest::from_der(&der).unwrap();
    let info = &request.certification_request_info;
    assert!(rest.is_empty());
    assert_eq!(info.subject_pki.raw, key.subject_public_key_info());
    assert_eq!(info.subject.to_string(), format!("CN={}", BoxId::of_key(info.subject_pki.raw)));
}

#[test]
fn u11_a_box_knows_its_certificate_in_whatever_order_it_comes() {
    let (root, above) = authority("Root", None);
    let (middle, issuer) = authority("Middle", Some(&above));
    let key = key();
    let id = BoxId::of_key(&key.subject_public_key_info());
    let leaf = CertificateParams::default().signed_by(&key, &issuer).unwrap().der().to_vec();
    let orders = [vec![&leaf, &middle], vec![&middle, &leaf], vec![&root, &middle, &leaf]];
    for order in orders {
        let sent: Vec<Vec<u8>> = order.into_iter().cloned().collect();
        let received = certificates(answer(&sent).unwrap().as_bytes()).unwrap();
        let certificate = certificate_of(id, &received, std::slice::from_ref(&root)).unwrap();
        assert_eq!(certificate.chain, [leaf.clone(), middle.clone()]);
        assert!(certificate.from < certificate.until);
    }
    let stranger = BoxId::new([0; 32]);
    let (other_root, _) = authority("Another root", None);
    let sent = [leaf, middle];
    for (id, root) in [(stranger, &root), (id, &other_root)] {
        assert_eq!(certificate_of(id, &sent, std::slice::from_ref(root)), Err(Malformed::NotOurs));
    }
}

/// RFC 8951, section 3.1: with line breaks, without them, and some leave the padding out.
#[test]
fn u11_an_answer_of_openssl_is_understood_however_it_is_wrapped() {
    let wrapped = certificates(OF_OPENSSL).unwrap();
    assert_eq!(wrapped.len(), 2);
    let text = String::from_utf8(OF_OPENSSL.to_vec()).unwrap();
    for other in [text.replace('\n', ""), text.replace('\n', "\r\n"), text.trim_end().trim_end_matches('=').to_owned()]
    {
        assert_eq!(certificates(other.as_bytes()), Ok(wrapped.clone()));
    }
    let again = certificates(answer(&wrapped).unwrap().as_bytes()).unwrap();
    assert_eq!(again.len(), 2);
    assert!(wrapped.iter().all(|certificate| again.contains(certificate)));
}

#[test]
fn u11_what_is_no_answer_is_refused_in_words() {
    assert_eq!(certificates(b"*"), Err(Malformed::Base64));
    assert_eq!(certificates(b"AAAA"), Err(Malformed::Pkcs7));
    assert_eq!(certificates(b""), Err(Malformed::Pkcs7));
    assert_eq!(certificates(answer(&[]).unwrap().as_bytes()), Err(Malformed::Count));
    assert_eq!(answer(&[vec![1, 2, 3]]), Err(Malformed::Certificate));
    let request = request(&key()).unwrap();
    assert_eq!(certificates(request.as_bytes()), Err(Malformed::Pkcs7));
    assert!(!Malformed::NotOurs.to_string().is_empty());
}
