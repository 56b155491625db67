//! `provisioning/registration.openapi.yaml` says what the code does: its paths, problems, fields and limits, and the
//! reference cloud answers as it says (B8, U11).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use storebox_core::limits::{
    CERTIFICATES, CLAIM_RETRY_S, CLAIM_TOKEN_CHARS, CLOUD_ANSWER_BYTES, CLOUD_CONNECT_S, CLOUD_REQUEST_S,
    ENROLMENT_RETRY_MOST_S, HEARTBEATS_S, RETRY_AFTER_MOST_S,
};
use storebox_provisioning::est;
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::registration::{self, Conduct, PROTOCOL, Problem, Registration, Request};

use crate::reference::{Kind, Reference};
use crate::stranger::claim;

/// Names schemathesis; `tests/run` installs it and sets this.
const SCHEMATHESIS: &str = "SCHEMATHESIS";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../provisioning/registration.openapi.yaml")
}

fn schemathesis() -> PathBuf {
    std::env::var_os(SCHEMATHESIS)
        .unwrap_or_else(|| panic!("{SCHEMATHESIS} must name the program; tests/run sets it"))
        .into()
}

/// Asks `document.py`, by the Python that schemathesis was installed for.
fn look(arguments: &[&str], input: &str) -> Value {
    let mut python = Command::new(schemathesis().with_file_name("python"));
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("cloud/document.py")).arg(file()).args(arguments);
    let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
    python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "what is wrong with the document is said above");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The document, which is OpenAPI 3.1, and whose examples are what they are examples of.
fn document() -> Value {
    look(&[], "")
}

/// What is wrong with each of these by a schema of the document.
fn faults(schema: &str, items: &[Value]) -> Vec<Vec<String>> {
    serde_json::from_value(look(&[schema], &json!(items).to_string())).unwrap()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// What a schema requires of these words is what the code does, and every field is there.
fn has_the_fields_of<T: Serialize + DeserializeOwned>(document: &Value, schema: &str) -> Value {
    let described = &document["components"]["schemas"][schema];
    let example = described["examples"][0].clone();
    let value: T = serde_json::from_value(example.clone()).unwrap();
    let written = serde_json::to_value(&value).unwrap();
    assert_eq!(written, example, "the example has every field, as the code writes it");
    let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&written), keys(&described["properties"]));
    let required = texts(&described["required"]);
    for key in keys(&written) {
        let mut without = example.clone();
        without.as_object_mut().unwrap().remove(&key);
        assert_eq!(serde_json::from_value::<T>(without).is_err(), required.contains(key.as_str()), "{schema}: {key}");
    }
    let mut more = example.clone();
    more["noSuchField"] = json!(true);
    assert!(serde_json::from_value::<T>(more.clone()).is_ok(), "a field that is not known is passed over");
    assert_eq!(faults(schema, &[more]), [Vec::<String>::new()]);
    example
}

/// Document and code take the same values, and refuse the same.
fn agree<T: DeserializeOwned>(schema: &str, example: &Value, values: &[(&str, Value)]) {
    let items: Vec<Value> = values
        .iter()
        .map(|(key, value)| {
            let mut item = example.clone();
            item[key] = value.clone();
            item
        })
        .collect();
    for ((key, value), (item, faults)) in values.iter().zip(items.iter().zip(faults(schema, &items))) {
        let taken = serde_json::from_value::<T>(item.clone()).map(drop).map_err(|error| error.to_string());
        assert_eq!(faults.is_empty(), taken.is_ok(), "{schema}: {key} = {value}: {faults:?}, {taken:?}");
    }
}

#[test]
fn b8_the_document_has_the_fields_of_the_code() {
    let document = document();
    let request = has_the_fields_of::<Request>(&document, "Request");
    let registration = has_the_fields_of::<Registration>(&document, "Registration");
    assert_eq!(document["components"]["schemas"]["Request"]["properties"]["protocol"]["const"], PROTOCOL);
    let names =
        [json!("ü".repeat(128)), json!("ü".repeat(129)), json!(""), json!("a\u{7}b"), json!("a\u{85}"), json!(5)];
    let of_a_name = |key| names.iter().map(move |name| (key, name.clone()));
    let mut values: Vec<(&str, Value)> =
        ["board", "serial", "release", "hostName", "storeName"].into_iter().flat_map(of_a_name).collect();
    values.extend(["new", "replace", "reset", "old", "NEW"].map(|intent| ("intent", json!(intent))));
    values.extend(
        [json!([]), json!(["192.168.7.20", "2001:db8::7"]), json!(["storebox"]), json!("::1")]
            .map(|a| ("addresses", a)),
    );
    values.extend([json!(true), json!("true"), json!(1)].map(|value| ("encrypted", value)));
    values.extend(
        [json!("2026-11-21T14:29:58+02:00"), json!("1969-12-31T23:59:59Z"), json!("yesterday"), json!(0)]
            .map(|time| ("time", time)),
    );
    agree::<Request>("Request", &request, &values);
    let mut values: Vec<(&str, Value)> = ["storeName", "syncFormat"].into_iter().flat_map(of_a_name).collect();
    values.extend(
        [json!(60), json!(-1), json!(u32::MAX), json!(u64::from(u32::MAX) + 1), json!(0.5)].map(|s| ("heartbeatS", s)),
    );
    values.extend([json!(u32::MAX), json!(-1), json!("1")].map(|epoch| ("epoch", epoch)));
    values.extend(
        ["https://a:8444/b/c", "http://a", "https://", "https://a b", "https://a?b", "a"]
            .map(|url| ("syncUrl", json!(url))),
    );
    values.extend([json!("A"), json!("019aa5f0-4c00-7000-8000-1f2e3d4c5b6a")].map(|id| ("storeId", id)));
    values.extend(
        [json!({ "a.b": "5" }), json!({ "": "5" }), json!({ "a": 5 }), json!({ "a": "" }), json!([])]
            .map(|c| ("configuration", c)),
    );
    agree::<Registration>("Registration", &registration, &values);
}

#[test]
fn b8_the_document_has_the_problems_of_the_code() {
    let document = document();
    let examples = document["components"]["examples"].as_object().unwrap();
    let words: BTreeSet<&str> = examples.keys().map(String::as_str).collect();
    assert_eq!(words, Problem::ALL.map(Problem::word).into());
    let types = Problem::ALL.map(|problem| format!("{}{}", Problem::PREFIX, problem.word()));
    let in_schema = texts(&document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]);
    assert_eq!(in_schema, types.iter().map(String::as_str).collect());
    for (problem, kind) in Problem::ALL.into_iter().zip(&types) {
        let example = &examples[problem.word()];
        let value =
            json!({ "type": kind, "title": problem.title(), "status": problem.status(), "detail": problem.advice() });
        assert_eq!(example["value"], value);
        let does = match problem.conduct() {
            Conduct::AskAgain => "asks-again",
            Conduct::NeedsClaim => "needs-claim",
            Conduct::NeedsCertificate => "enrols-again",
            Conduct::Revoked => "out-of-service",
        };
        assert_eq!(example["x-box"], does, "{problem:?}");
    }
    let values: Vec<Value> = examples.values().map(|example| example["value"].clone()).collect();
    assert!(faults("Problem", &values).concat().is_empty());

    // Every problem is an answer to something, and always with its own status.
    let mut answered = BTreeSet::new();
    for (status, response) in responses(&document) {
        for (word, _) in response["content"]["application/problem+json"]["examples"].as_object().into_iter().flatten() {
            let problem = Problem::ALL.into_iter().find(|problem| problem.word() == word).unwrap();
            assert_eq!(&problem.status().to_string(), status, "{word}");
            answered.insert(problem.word());
        }
    }
    assert_eq!(answered, words);
}

/// Every answer to every operation, by its status.
fn responses(document: &Value) -> Vec<(&String, &Value)> {
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let all = operations.filter_map(|operation| operation.get("responses")?.as_object()).flatten();
    all.map(|(status, response)| match response["$ref"].as_str() {
        Some(reference) => (status, document.pointer(reference.trim_start_matches('#')).unwrap()),
        None => (status, response),
    })
    .collect()
}

#[test]
fn b8_the_document_has_the_paths_and_limits_of_the_code() {
    let document = document();
    let id = BoxId::new([0xab; 32]);
    let of_any = |path: String| path.replace(&id.to_string(), "{id}");
    let code = [
        (est::AUTHORITIES.to_owned(), "get"),
        (est::ENROL.to_owned(), "post"),
        (est::RENEW.to_owned(), "post"),
        (of_any(registration::path(id)), "put"),
        (of_any(registration::heartbeat_path(id)), "post"),
    ];
    let operations = |path: &Map<String, Value>| path.keys().find(|key| *key != "parameters").unwrap().clone();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<_> =
        paths.iter().map(|(path, value)| (path.clone(), operations(value.as_object().unwrap()))).collect();
    assert_eq!(described, code.map(|(path, method)| (path, method.to_owned())).into());
    let bodies = &document["components"]["requestBodies"]["CertificateRequest"]["content"];
    assert!(bodies.get(est::REQUEST_TYPE).is_some());
    let answers = document["components"]["responses"]["Certificates"]["content"].as_object().unwrap();
    assert!(answers.keys().all(|kind| est::ANSWER_TYPE.starts_with(kind.as_str())), "{answers:?}");

    let text = fs::read_to_string(file()).unwrap();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let spaced = |bytes: usize| format!("{} {:03} {:03}", bytes / 1_000_000, bytes / 1_000 % 1_000, bytes % 1_000);
    let said = [
        format!("connection made to each of its addresses | {CLOUD_CONNECT_S} s |"),
        format!("the whole request with its answer | {CLOUD_REQUEST_S} s |"),
        format!("the body of an answer | {} bytes |", spaced(CLOUD_ANSWER_BYTES)),
        format!("certificates in one answer | 1 to {CERTIFICATES} |"),
        format!("up to {ENROLMENT_RETRY_MOST_S} s, each less up to half of it"),
        format!("more than {RETRY_AFTER_MOST_S} s is {RETRY_AFTER_MOST_S} s"),
        format!("asks again every {CLAIM_RETRY_S} s"),
        format!("{} to {} visible ASCII characters", CLAIM_TOKEN_CHARS.start(), CLAIM_TOKEN_CHARS.end()),
        format!("at least once an hour and at most every {} s", HEARTBEATS_S.start()),
    ];
    assert_eq!(*HEARTBEATS_S.end(), 3_600, "an hour");
    for line in said {
        assert!(words.contains(&line), "the document does not say: {line}");
    }
}

/// Schemathesis asks the reference cloud what the document allows, as a box that OpenSSL has enrolled.
#[test]
fn b8_u11_the_reference_cloud_answers_as_the_document_says() {
    let cloud = Reference::start_on(Kind::Embedded);
    let (token, _) = claim(&cloud, json!({ "storeName": "Corner shop" }));
    cloud.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "box.key"]);
    cloud.openssl(&["req", "-new", "-key", "box.key", "-subj", "/CN=box", "-outform", "DER", "-out", "box.der"]);
    cloud.openssl(&["base64", "-in", "box.der", "-out", "box.csr"]);
    let body = ["-H", "Content-Type: application/pkcs10", "--data-binary", "@box.csr"];
    let user = format!("storebox:{token}");
    let (status, certificate) = cloud.curl(est::ENROL, &[&body[..], &["-u", &user]].concat());
    assert_eq!(status, 200, "{certificate}");
    fs::write(cloud.path("box.p7b"), format!("-----BEGIN PKCS7-----\n{}\n-----END PKCS7-----\n", lines(&certificate)))
        .unwrap();
    cloud.openssl(&["pkcs7", "-in", "box.p7b", "-print_certs", "-out", "box.pem"]);
    let spki = cloud.openssl(&["pkey", "-in", "box.key", "-pubout", "-outform", "DER"]);
    let id = BoxId::of_key(&spki);
    fs::write(
        cloud.path("schemathesis.toml"),
        format!("[generation]\ndatabase = \"none\"\n[cache]\nenabled = false\n[parameters]\n\"path.id\" = \"{id}\"\n"),
    )
    .unwrap();
    let output = Command::new(schemathesis())
        .current_dir(cloud.path(""))
        .env("HYPOTHESIS_STORAGE_DIRECTORY", cloud.path("hypothesis"))
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(file())
        .args(["--url", &format!("https://localhost:{}", cloud.port()), "--tls-verify", "cloud/authority.pem"])
        .args(["--request-cert", "box.pem", "--request-cert-key", "box.key"])
        // What no generator can make is a request that a key has signed; those are made by OpenSSL.
        .args([
            "--include-path-regex",
            "^/v1/|/cacerts$",
            "--mode",
            "positive",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args(["--checks", "all", "--max-examples", "25", "--seed", "2026", "--continue-on-failure", "--no-color"])
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: 3"), "{said}");
}

/// Base64 in lines, as PEM has it.
fn lines(base64: &str) -> String {
    base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}
