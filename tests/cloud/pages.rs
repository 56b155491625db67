//! The pages for the cloud's own people, over curl as a browser would send it (U11).

use crate::reference::{Kind, Reference, on_each_database};
use crate::stranger::{Stranger, claim};
use serde_json::json;

on_each_database! {
    u11_people_sign_in_see_the_fleet_and_take_a_box_out_of_service
    u11_nothing_changes_without_the_cookie_or_from_another_origin
    u11_b8_a_claim_made_on_the_page_is_shown_once_and_enrols_a_box
}

/// What a browser keeps, and what it says of where it comes from.
struct Browser<'c> {
    cloud: &'c Reference,
    jar: &'static str,
}

/// The status, every header in one text, and the page.
type Page = (u16, String, String);

impl<'c> Browser<'c> {
    fn new(cloud: &'c Reference) -> Self {
        Self { cloud, jar: "jar" }
    }

    /// Somebody who has signed in.
    fn signed_in(cloud: &'c Reference) -> Self {
        let browser = Self::new(cloud);
        let token = std::fs::read_to_string(cloud.path("cloud/admin-token")).unwrap();
        let (status, headers, _) = browser.post("/sign-in", &[("token", token.trim())]);
        assert_eq!(status, 303, "{headers}");
        browser
    }

    fn get(&self, path: &str) -> Page {
        self.ask(path, &["-b", self.jar])
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let origin = format!("Origin: https://localhost:{}", self.cloud.port());
        self.send(path, fields, &["-b", self.jar, "-c", self.jar, "-H", &origin])
    }

    fn send(&self, path: &str, fields: &[(&str, &str)], arguments: &[&str]) -> Page {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut all: Vec<&str> = fields.iter().flat_map(|field| ["--data-urlencode", field]).collect();
        all.extend(arguments);
        self.ask(path, &all)
    }

    fn ask(&self, path: &str, arguments: &[&str]) -> Page {
        let (status, text) = self.cloud.curl(path, &[arguments, &["-i"]].concat());
        let (headers, page) = text.split_once("\r\n\r\n").unwrap();
        (status, headers.to_lowercase(), page.to_owned())
    }

    /// What this session's forms carry.
    fn form(&self) -> String {
        let (_, _, page) = self.get("/");
        between(&page, "name=\"form\" value=\"", "\"")
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).unwrap().0.to_owned()
}

fn registered<'c>(cloud: &'c Reference, name: &str) -> Stranger<'c> {
    let (token, _) = claim(cloud, json!({ "storeName": format!("Shop of <{name}>"), "register": "B7" }));
    let stranger = Stranger::new(cloud, name);
    stranger.enrol(&token).unwrap();
    stranger.register().unwrap();
    stranger
}

fn u11_people_sign_in_see_the_fleet_and_take_a_box_out_of_service(kind: Kind) {
    let cloud = Reference::start_on(kind);
    let stranger = registered(&cloud, "box");
    claim(&cloud, json!({ "storeName": "Nobody's shop" }));
    let browser = Browser::new(&cloud);
    let (status, headers, page) = browser.get("/");
    assert!(status == 200 && page.contains("Admin's token") && !page.contains("Shop of"), "{page}");
    assert!(headers.contains("content-security-policy: default-src 'none'; style-src 'self'"), "{headers}");
    let (status, headers, page) = browser.post("/sign-in", &[("token", "wrong")]);
    assert!(status == 403 && !headers.contains("set-cookie") && page.contains("not the admin"), "{headers}");

    let browser = Browser::signed_in(&cloud);
    let kept = std::fs::read_to_string(cloud.path("jar")).unwrap();
    assert!(kept.contains("#HttpOnly_localhost\tFALSE\t/\tTRUE\t") && kept.contains("__Host-session"), "{kept}");
    let (_, headers, page) = browser.get("/");
    assert!(headers.contains("cache-control: no-store"), "{headers}");
    let short: Vec<_> = (0..4).map(|group| &stranger.id[group * 4..group * 4 + 4]).collect();
    for shown in ["Shop of &lt;box&gt;", "B7", &short.join("-"), "x86", "0.1.0", "192.168.7.20", "just now", " UTC"] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    assert!(page.contains("class=\"state registered\"") && page.contains("no box"), "{page}");
    let (_, _, found) = browser.get("/?find=192.168.7.20");
    assert!(found.contains("Shop of") && !found.contains("Nobody's shop"), "{found}");

    let form = browser.form();
    for (what, decision, word) in
        [("revoke", Err(json!("device-revoked")), "revoked"), ("restore", Ok(()), "registered")]
    {
        let (status, headers, _) = browser.post(&format!("/boxes/{}/{what}", stranger.id), &[("form", &form)]);
        assert!(status == 303 && headers.contains("location: /"), "{headers}");
        assert_eq!(stranger.beat(), decision);
        assert!(browser.get("/").2.contains(&format!("class=\"state {word}\"")));
    }
    let (status, _, page) = browser.post(&format!("/boxes/{}/revoke", "0".repeat(64)), &[("form", &form)]);
    assert!(status == 404 && page.contains("no such box"), "{page}");
    assert_eq!(browser.post("/sign-out", &[("form", &form)]).0, 303);
    assert!(browser.get("/").2.contains("Admin's token"));
}

fn u11_nothing_changes_without_the_cookie_or_from_another_origin(kind: Kind) {
    let cloud = Reference::start_on(kind);
    let stranger = registered(&cloud, "box");
    let browser = Browser::signed_in(&cloud);
    let form = browser.form();
    let own = format!("Origin: https://localhost:{}", cloud.port());
    let with_cookie = ["-b", "jar", "-H"];
    let attempts: [(&str, Vec<&str>); 7] = [
        ("no cookie", vec!["-H", &own]),
        ("a made-up cookie", vec!["-H", &own, "-H", "Cookie: __Host-session=9999999999999.x.AAAA"]),
        ("another origin", [&with_cookie[..], &["Origin: https://evil.example"]].concat()),
        ("another port", [&with_cookie[..], &["Origin: https://localhost"]].concat()),
        ("another site", [&with_cookie[..], &[&own, "-H", "Sec-Fetch-Site: cross-site"]].concat()),
        ("a neighbour", [&with_cookie[..], &[&own, "-H", "Sec-Fetch-Site: same-site"]].concat()),
        ("nothing said", vec!["-b", "jar"]),
    ];
    let revoke = format!("/boxes/{}/revoke", stranger.id);
    let claim =
        [("form", form.as_str()), ("store_name", "Stolen"), ("register", "A"), ("intent", "new"), ("days", "9")];
    for (why, arguments) in &attempts {
        for (path, fields) in [(revoke.as_str(), &claim[..1]), ("/claims", &claim), ("/sign-out", &claim[..1])] {
            let (status, headers, _) = browser.send(path, fields, arguments);
            assert!(status == 403 && !headers.contains("set-cookie"), "{why}: {path}: {headers}");
        }
    }
    let (status, _, page) = browser.post(&revoke, &[("form", "AAAA")]);
    assert!(status == 403 && page.contains("Nothing was changed"), "{page}");
    assert_eq!(browser.post(&revoke, &[("other", "x")]).0, 422);
    assert_eq!(browser.get(&revoke).0, 405, "looking changes nothing");
    stranger.beat().unwrap();
    assert!(!browser.get("/").2.contains("Stolen"));
    assert_eq!(browser.post(&revoke, &[("form", &form)]).0, 303, "from its own page it does");
    assert_eq!(stranger.beat(), Err(json!("device-revoked")));
}

fn u11_b8_a_claim_made_on_the_page_is_shown_once_and_enrols_a_box(kind: Kind) {
    let cloud = Reference::start_on(kind);
    let browser = Browser::signed_in(&cloud);
    let form = browser.form();
    let (_, _, page) = browser.get("/claims");
    assert!(page.contains("Store's name") && !page.contains("value=\"replace\""), "{page}");
    let fields = [
        ("form", form.as_str()),
        ("store_name", "Café & Söhne"),
        ("register", "C1"),
        ("intent", "new"),
        ("days", "7"),
        ("webhooks", "https://one.example/alerts, https://two.example/alerts"),
    ];
    let (status, _, page) = browser.post("/claims", &fields);
    assert!(status == 200 && page.contains("Café &amp; Söhne"), "{page}");
    let token = between(&page, "<pre class=\"token\">", "</pre>");
    let (_, headers, file) = browser.post("/claims/file", &[("form", &form), ("token", &token), ("intent", "new")]);
    assert!(headers.contains("attachment; filename=\"storebox.toml\""), "{headers}");
    assert!(file.contains(&format!("token = \"{token}\"\nintent = \"new\"\n")), "{file}");
    assert!(!browser.get("/").2.contains(&token), "it is shown once");
    let stranger = Stranger::new(&cloud, "box");
    stranger.enrol(&token).unwrap();
    let registered = stranger.register().unwrap();
    assert_eq!((&registered["storeName"], &registered["register"]), (&json!("Café & Söhne"), &json!("C1")));

    let (_, stores) = cloud.admin("/v1/stores", None);
    let told = json!(["https://one.example/alerts", "https://two.example/alerts"]);
    assert_eq!(stores[0]["alerts"]["webhooks"], told);

    // Another box for the same store, of which the same are told.
    let store = registered["storeId"].as_str().unwrap();
    assert!(browser.get(&format!("/claims?store={store}")).2.contains("Café &amp; Söhne"));
    let fields = [("form", form.as_str()), ("store_id", store), ("intent", "replace"), ("days", "1")];
    let (_, _, page) = browser.post("/claims", &fields);
    let second = Stranger::new(&cloud, "second");
    second.enrol(&between(&page, "<pre class=\"token\">", "</pre>")).unwrap();
    assert_eq!(second.register().unwrap()["epoch"], 2);
    assert!(browser.get("/").2.contains("class=\"state replaced\""));
    assert_eq!(cloud.admin("/v1/stores", None).1[0]["alerts"]["webhooks"], told);

    for wrong in [
        ("register", "abc"),
        ("intent", "steal"),
        ("days", "0"),
        ("days", "366"),
        ("store_name", "\u{7}"),
        ("webhooks", "ftp://one.example"),
        ("mail", "shop@example.com"),
    ] {
        let mut fields = fields.to_vec();
        fields[1] = ("store_name", "Shop");
        fields.retain(|(name, _)| *name != wrong.0);
        fields.push(wrong);
        let (status, _, page) = browser.post("/claims", &fields);
        assert!(status == 422 && page.contains("That cannot be"), "{wrong:?}: {status} {page}");
    }
    let (status, _, _) = browser.post("/claims", &[("form", &form), ("token", "a\"b"), ("intent", "new")]);
    assert_eq!(status, 422);
}
