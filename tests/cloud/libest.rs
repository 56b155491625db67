//! The real box at an EST server that is none of ours: libEST's, which is written in C, by Cisco, on OpenSSL (B8, U11).

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use storebox_tests::sample;

use crate::installed::{Installed, cloud_of};
use crate::peer::{Authority, Peer, free_port};

/// Names the folder libEST was unpacked into; `tests/run` sets it.
const LIBEST: &str = "STOREBOX_LIBEST";
/// The only user that the server knows, and his password, as the token of a claim.
const TOKEN: &str = "estuser:estpwd";

/// The server's authority, which certifies for a year that began so many days ago.
fn authority(days_ago: i64) -> Authority {
    let authority = Authority::new("libest");
    let begin = date(-days_ago);
    let end = date(365 - days_ago);
    fs::create_dir(authority.path("issued")).unwrap();
    fs::write(authority.path("index.txt"), "").unwrap();
    fs::write(authority.path("serial"), "1000\n").unwrap();
    let config = format!(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = issued\ncertificate = ca.pem\n\
         private_key = ca.key\nserial = serial\ndefault_startdate = {begin}\ndefault_enddate = {end}\ndefault_md = sha256\n\
         policy = any\nunique_subject = no\nemail_in_dn = no\nx509_extensions = client\n[any]\ncommonName = supplied\n\
         [client]\nbasicConstraints = CA:FALSE\nkeyUsage = digitalSignature\nextendedKeyUsage = clientAuth\n\
         subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n"
    );
    fs::write(authority.path("ca.cnf"), config).unwrap();
    authority
}

/// A day so far from today, as OpenSSL writes it.
fn date(days: i64) -> String {
    let output = Command::new("date").args(["-u", "-d", &format!("{days} days"), "+%y%m%d%H%M%SZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// libEST's server. It can only listen on every address; what it serves is worth nothing to anybody.
async fn server(authority: &Authority, options: &[&str]) -> Peer {
    let home = PathBuf::from(
        std::env::var_os(LIBEST).unwrap_or_else(|| panic!("{LIBEST} must name libEST's folder; tests/run sets it")),
    );
    let port = free_port();
    let mut command = Command::new(home.join("bin/estserver"));
    command.env("LD_LIBRARY_PATH", home.join("lib"));
    let files = [("EST_TRUSTED_CERTS", "ca.pem"), ("EST_CACERTS_RESP", "ca.pem"), ("EST_OPENSSL_CACONFIG", "ca.cnf")];
    command.envs(files).args(["-v", "-b", "-c", "server.pem", "-k", "server.key", "-r", "storebox"]);
    command.args(["-p", &port.to_string()]).args(options);
    Peer::start(&authority.path(""), port, &mut command).await
}

/// OpenSSL finds that the certificate the box keeps came from the authority, and names the box; gives its serial number.
fn verify(authority: &Authority, installed: &Installed) -> String {
    let kept = installed.kept();
    let [certificate] = &kept.certificate.unwrap().chain[..] else { panic!("the authority signed it itself") };
    fs::write(authority.path("box.der"), certificate).unwrap();
    authority.openssl(&["x509", "-in", "box.der", "-inform", "DER", "-out", "box.pem"]);
    let verified = authority.openssl(&["verify", "-CAfile", "ca.pem", "-purpose", "sslclient", "box.pem"]);
    assert_eq!(verified, b"box.pem: OK\n");
    let said = authority.openssl(&["x509", "-in", "box.pem", "-noout", "-serial", "-subject"]);
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(&format!("CN = {}", kept.id.unwrap())), "{said}");
    said.lines().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_u11_a_box_enrols_and_enrols_again_at_a_server_of_another_make() {
    // So that the certificate is of an age to be renewed as soon as it is there. Then its key is what lets the box in.
    let authority = authority(300);
    let server = server(&authority, &["-o"]).await;
    let installed = Installed::start(&authority.site(server.port(), TOKEN)).await;
    let status = installed.says("[ok] The box has its certificate [!!] The box is registered").await;
    // It is no cloud, and says so.
    installed.says("The cloud does not understand what the box sent.").await;
    installed.logs("the cloud gave the box a certificate", 2).await;
    installed.logs("the cloud answers 400 Bad Request", 1).await;
    let mut till = installed.till().await;
    let shown = cloud_of(&mut till).await;
    assert_eq!(shown["steps"][6]["state"], "reached", "{shown}");
    assert_eq!(verify(&authority, &installed), "serial=1001", "the second one");
    assert!(server.log().contains("\"POST /.well-known/est/simplereenroll HTTP/1.1\""), "{}", server.log());
    assert!(!status.contains("estpwd"), "the token is a secret: {status}");
    assert!(installed.on_card("storebox.toml").contains(TOKEN), "it is kept until the box is registered");
    till.post("/pos/orders", sample::two_coffees()).await.must_be(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_u11_a_box_waits_for_a_person_at_a_server_of_another_make() {
    let authority = authority(0);
    // The server takes the first request of a key for the moment at which a person is asked, who has a minute.
    let server = server(&authority, &["-m", "60"]).await;
    let mut installed = Installed::start(&authority.site(server.port(), TOKEN)).await;
    let status = installed.says("Somebody has yet to let this box in.").await;
    assert!(status.contains("[!!] The claim is accepted"), "{status}");
    // Without Retry-After it would have asked again after a second.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let asked = server.log().matches("\"POST /.well-known/est/simpleenroll HTTP/1.1\"").count();
    assert!(asked == 1 && server.log().contains("/simpleenroll HTTP/1.1\" 202"), "{}", server.log());
    // Somebody pulls the plug, and the box asks as it starts.
    installed.running.restart().await;
    installed.says("[ok] The box has its certificate").await;
    verify(&authority, &installed);
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_u11_a_server_of_another_make_refuses_in_words_of_its_own() {
    let authority = authority(0);
    let server = server(&authority, &[]).await;
    let installed = Installed::start(&authority.site(server.port(), "estuser:wrong")).await;
    installed.says("The cloud does not know the claim.").await;
    installed.write_site(&authority.site(server.port(), TOKEN));
    installed.says("[ok] The box has its certificate").await;
}
