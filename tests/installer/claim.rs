//! Claims at the reference cloud (B8).

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use storebox_provisioning::site::{Intent, Site};
use storebox_tests::Folder;

use crate::program::{Said, folder, named, provision, run};

/// A cloud of a test's own; it ends with the value.
struct Cloud {
    process: Child,
    url: String,
    pin: String,
    folder: Folder,
}

impl Cloud {
    fn start(label: &str) -> Self {
        let folder = folder(label);
        let mut command = Command::new(named("STOREBOX_CLOUD", "the reference cloud"));
        command.args(["--data", "cloud", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the cloud starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut after = |word: &str| {
            lines.find_map(|line| Some(line.strip_prefix(word)?.trim().to_owned())).expect("it says where it is")
        };
        let (url, pin) = (after("Boxes find it at"), after("Pin"));
        Self { process, url, pin, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn claim(&self, more: &[&str]) -> Said {
        let words = ["claim", "--cloud", &self.url, "--admin-token-file", "cloud/admin-token"];
        provision(self.path(), [&words[..], more].concat())
    }

    fn site(&self) -> Site {
        Site::read(&fs::read(self.path().join("storebox.toml")).unwrap()).unwrap()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        self.process.wait().expect("the process can be waited for");
    }
}

const CA: [&str; 2] = ["--ca", "cloud/authority.pem"];

#[test]
fn b8_a_claim_becomes_the_file_of_a_box_that_may_enrol() {
    let cloud = Cloud::start("claim");
    let more =
        ["--store-name", "Corner shop", "--timezone", "Asia/Jakarta", "--address", "192.168.7.20/24", "--days", "2"];
    let said = cloud.claim(&[&CA[..], &more, &["--qr", "site.png"]].concat());
    let said = said.expect(0, &["Claim made for the store", "good until", "Corner shop", "Written: storebox.toml"]);
    let site = cloud.site();
    let told = site.cloud.unwrap();
    assert_eq!((told.url.as_str(), told.pins), (cloud.url.as_str(), vec![cloud.pin.parse().unwrap()]));
    let claim = site.claim.unwrap();
    assert_eq!((claim.intent, site.name.unwrap().as_str()), (Intent::New, "Corner shop"));
    assert_eq!(site.address.unwrap().prefix(), 24);
    assert!(!said.err.contains(claim.token()) && !said.out.contains(claim.token()), "a token is not shown");
    assert!(cloud.path().join("site.png").exists());

    // A box made of OpenSSL and curl.
    let path = |name: &str| cloud.path().join(name).display().to_string();
    let enrol = format!(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout '{}' -subj /CN=x -outform DER \
         2>/dev/null | base64 | curl -sS --fail --cacert '{}' -u 'anybody:{}' -H 'Content-Type: application/pkcs10' \
         --data-binary @- {}/.well-known/est/simpleenroll",
        path("key"),
        path("cloud/authority.pem"),
        claim.token(),
        cloud.url,
    );
    assert!(!run("sh", &["-c".as_ref(), enrol.as_ref()]).is_empty(), "the cloud enrols it");
}

#[test]
fn b8_a_claim_takes_the_cloud_by_its_pin_and_nobody_else() {
    let cloud = Cloud::start("claim-pin");
    cloud.claim(&["--pin", &cloud.pin, "--intent", "replace", "--store-name", "x"]).expect(0, &["takes the place"]);
    assert_eq!(cloud.site().claim.unwrap().intent, Intent::Replace);
    let other = "sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=";
    let free = ["-o", "other.toml"];
    cloud.claim(&[&["--pin", other], &free[..]].concat()).expect(70, &["is not believed", "copy the pin"]);
    // The right key, but of a host that the cloud's certificate does not name.
    let numbers = cloud.url.replace("localhost", "127.0.0.2");
    let words = ["claim", "--cloud", &numbers, "--pin", &cloud.pin, "--admin-token-file", "cloud/admin-token"];
    provision(cloud.path(), [&words[..], &free].concat()).expect(70, &["127.0.0.2"]);
    let stranger = cloud.path().join("stranger.pem");
    let make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout /dev/null -out";
    run("sh", &["-c".as_ref(), format!("{make} '{}' 2>/dev/null", stranger.display()).as_ref()]);
    cloud.claim(&[&["--ca", "stranger.pem"], &free[..]].concat()).expect(70, &["is not believed"]);
    assert!(!cloud.path().join("other.toml").exists());
}

#[test]
fn b8_a_claim_that_is_not_made_says_what_to_do() {
    let cloud = Cloud::start("claim-refused");
    cloud.claim(&[]).expect(64, &["who vouches", "--pin"]);
    cloud.claim(&[&CA[..], &["--pin", &cloud.pin]].concat()).expect(64, &["Both cannot be"]);
    cloud.claim(&[&CA[..], &["--timezone", "here"]].concat()).expect(64, &["IANA"]);
    cloud.claim(&[&CA[..], &["--intent", "sometimes"]].concat()).expect(70, &["the cloud refuses", "sometimes"]);
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    cloud.claim(&[&CA[..], &["--store-id", nobody]].concat()).expect(70, &["no such store"]);
    cloud.claim(&["--ca", "cloud/admin-token"]).expect(65, &["no certificate authority"]);
    fs::write(cloud.path().join("token"), "guessed\n").unwrap();
    let words = ["claim", "--cloud", &cloud.url, "--ca", "cloud/authority.pem", "--admin-token-file"];
    provision(cloud.path(), [&words[..], &["token"]].concat()).expect(70, &["does not know the token"]);
    provision(cloud.path(), [&words[..], &["none"]].concat()).expect(70, &["cannot read none"]);
    let silent = ["claim", "--cloud", "https://127.0.0.1:1", "--pin", &cloud.pin, "--admin-token-file", "token"];
    provision(cloud.path(), silent).expect(70, &["127.0.0.1:1 does not answer", "refused"]);
    assert!(!cloud.path().join("storebox.toml").exists());
    fs::write(cloud.path().join("storebox.toml"), "mine").unwrap();
    cloud.claim(&CA).expect(70, &["is there already"]);
    assert_eq!(fs::read_to_string(cloud.path().join("storebox.toml")).unwrap(), "mine");
}
