//! A box without a line of our own.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::reference::Reference;

/// A box made of OpenSSL and curl; `name` is what its files begin with.
pub struct Stranger<'c> {
    pub cloud: &'c Reference,
    pub name: String,
    pub id: String,
}

impl<'c> Stranger<'c> {
    /// Makes its key and its request for a certificate.
    pub fn new(cloud: &'c Reference, name: &str) -> Self {
        let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
        cloud.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key]);
        let der = cloud.openssl(&["req", "-new", "-key", &key, "-subj", "/CN=whatever it says", "-outform", "DER"]);
        // With line breaks, as openssl's own base64 makes them.
        let encoded = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        std::fs::write(cloud.path(&request), lines.join("\r\n")).unwrap();
        let spki = cloud.openssl(&["pkey", "-in", &key, "-pubout", "-outform", "DER"]);
        let id = digest(&SHA256, &spki).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { cloud, name: name.to_owned(), id }
    }

    /// The same box, which asks another instance.
    pub fn at<'d>(&self, cloud: &'d Reference) -> Stranger<'d> {
        Stranger { cloud, name: self.name.clone(), id: self.id.clone() }
    }

    fn post(&self, path: &str, arguments: &[&str]) -> (u16, String) {
        let body = format!("@{}.csr", self.name);
        let all = [&["-H", "Content-Type: application/pkcs10", "--data-binary", &body], arguments].concat();
        self.cloud.curl(path, &all)
    }

    /// Enrols with a claim and keeps the certificate.
    pub fn enrol(&self, token: &str) -> Result<(), Value> {
        let answer = self.post("/.well-known/est/simpleenroll", &["-u", &format!("anybody:{token}")]);
        self.keep(answer)
    }

    /// Enrols again with the certificate it has.
    pub fn renew(&self, certificate: &str) -> Result<(), Value> {
        let key = format!("{}.key", self.name);
        let answer = self.post("/.well-known/est/simplereenroll", &["--cert", certificate, "--key", &key]);
        self.keep(answer)
    }

    fn keep(&self, (status, body): (u16, String)) -> Result<(), Value> {
        if status != 200 {
            return Err(problem(status, &body));
        }
        // Of several answers at once the last one is kept, whole.
        let [answer, unfinished] = ["p7b", "new"].map(|kind| format!("{}.{}.{kind}", self.name, self.cloud.port()));
        std::fs::write(self.cloud.path(&answer), BASE64_STANDARD.decode(body).unwrap()).unwrap();
        self.cloud.openssl(&["pkcs7", "-inform", "DER", "-in", &answer, "-print_certs", "-out", &unfinished]);
        std::fs::rename(self.cloud.path(&unfinished), self.cloud.path(&format!("{}.pem", self.name))).unwrap();
        Ok(())
    }

    /// Registers and gives what it has become.
    pub fn register(&self) -> Result<Value, Value> {
        let said = json!({
            "protocol": 1, "intent": "new", "board": "x86", "release": "0.1.0", "hostName": "storebox",
            "addresses": ["192.168.7.20"], "lanFingerprint": "ab", "encrypted": true,
            "time": "2026-11-21T00:00:00Z", "timeIsVerified": true
        });
        let path = format!("/v1/devices/{}/registration", self.id);
        match self.ask(&path, &["-X", "PUT", "--json", &said.to_string()]) {
            (200, body) => Ok(serde_json::from_str(&body).unwrap()),
            (status, body) => Err(problem(status, &body)),
        }
    }

    /// Shows that it is alive.
    pub fn beat(&self) -> Result<(), Value> {
        match self.ask(&format!("/v1/devices/{}/heartbeat", self.id), &["-X", "POST"]) {
            (204, _) => Ok(()),
            (status, body) => Err(problem(status, &body)),
        }
    }

    fn ask(&self, path: &str, arguments: &[&str]) -> (u16, String) {
        let (pem, key) = (format!("{}.pem", self.name), format!("{}.key", self.name));
        self.cloud.curl(path, &[arguments, &["--cert", &pem, "--key", &key]].concat())
    }
}

/// The last part of a problem's type. Every one says what to do.
pub fn problem(status: u16, body: &str) -> Value {
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{status} is no problem: {body}"));
    assert_eq!(problem["status"], status, "{body}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{body}");
    let kind = problem["type"].as_str().unwrap().strip_prefix("urn:storebox:problem:");
    json!(kind.unwrap_or_else(|| panic!("{body}")))
}

/// Makes a claim; gives its token and its store.
pub fn claim(cloud: &Reference, wish: Value) -> (String, String) {
    let (status, claim) = cloud.admin("/v1/claims", Some(wish));
    assert_eq!(status, 201, "{claim}");
    (claim["token"].as_str().unwrap().to_owned(), claim["storeId"].as_str().unwrap().to_owned())
}
