//! A real HTTP proxy between the box and its cloud (B8).

use std::fs;
use std::process::Command;

use serde_json::json;
use storebox_tests::{Folder, sample};

use crate::installed::{Installed, cloud_of};
use crate::peer::{Peer, free_port};
use crate::reference::{Kind, Reference};

/// tinyproxy, which connects to one port only.
async fn proxy(folder: &Folder, port: u16, to: u16) -> Peer {
    let config = format!(
        "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 30\nMaxClients 20\nLogLevel Connect\nConnectPort {to}\n"
    );
    fs::write(folder.path().join("tinyproxy.conf"), config).unwrap();
    Peer::start(folder.path(), port, Command::new("tinyproxy").args(["-d", "-c", "tinyproxy.conf"])).await
}

/// An installer's file with a claim of this cloud, by the proxy on this port.
fn site(cloud: &Reference, port: u16) -> String {
    let (status, claim) = cloud.admin("/v1/claims", Some(json!({ "storeName": "Corner shop" })));
    assert_eq!(status, 201, "{claim}");
    format!("{}\n[network]\nproxy = \"127.0.0.1:{port}\"\n", claim["site"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_a_box_registers_through_a_proxy() {
    let cloud = Reference::start_on(Kind::Embedded);
    let folder = Folder::new("proxy");
    let proxy = proxy(&folder, free_port(), cloud.port()).await;
    let installed = Installed::start(&site(&cloud, proxy.port())).await;
    let status = installed.is_registered().await;
    assert!(status.contains(&format!("Proxy      127.0.0.1:{}", proxy.port())), "{status}");
    let asked = format!("CONNECT localhost:{} HTTP/1.1", cloud.port());
    // Authorities, a certificate, the registration: each on a connection of its own.
    assert!(proxy.log().matches(&asked).count() >= 3, "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_l1_a_proxy_that_is_down_or_refuses_is_named_and_the_box_sells() {
    let cloud = Reference::start_on(Kind::Embedded);
    let folder = Folder::new("proxy");
    let port = free_port();
    let installed = Installed::start(&site(&cloud, port)).await;
    let status = installed.says("[!!] The cloud answers").await;
    let blames = "The proxy on the way to the cloud does not let the box through.";
    installed.says(&format!("{blames} See whether the proxy in storebox.toml, [network] proxy,")).await;
    assert!(status.contains(&format!("Proxy      127.0.0.1:{port}")), "{status}");
    installed.logs(&format!("the proxy 127.0.0.1:{port}: 127.0.0.1:{port}: Connection refused"), 1).await;
    let mut till = installed.till().await;
    assert_eq!(cloud_of(&mut till).await["problem"], blames);
    till.post("/pos/orders", sample::two_coffees()).await.must_be(201);

    // It is switched on, but lets nobody through to the cloud's port.
    let refusing = proxy(&folder, port, free_port()).await;
    installed.logs(&format!("the proxy 127.0.0.1:{port}: it answers 403"), 1).await;
    installed.says(blames).await;
    till.post("/pos/orders", sample::two_coffees()).await.must_be(201);
    drop(refusing);

    let _letting = proxy(&folder, port, cloud.port()).await;
    installed.is_registered().await;
}
