//! A listener that a service manager hands over: the box needs no privilege for its port, and a restart refuses nobody.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use storebox_tests::sample::two_coffees;
use storebox_tests::{BoxConfig, Folder, RunningBox, Shop};

/// A shop whose box serves on a listener of this process, and where that is.
async fn shop_on_a_listener(local: &str) -> (Shop, SocketAddr) {
    let listener = TcpListener::bind(local).unwrap();
    let address = listener.local_addr().unwrap();
    let shop = Shop::open_with("handed-over", |config| config.handing_over(listener)).await;
    (shop, address)
}

/// B10: port 443 comes from the service manager, so the daemon runs without any capability.
#[tokio::test]
async fn b10_the_box_serves_on_the_listener_it_is_handed() {
    let (mut shop, address) = shop_on_a_listener("127.0.0.1:0").await;
    let told = std::fs::read_to_string(shop.running.state("lan/address")).unwrap();
    assert_eq!(told.trim(), address.to_string(), "it must not bind [lan] listen");
    assert_eq!(shop.till.get("/api/local/ping").await.expect(200)["port"], address.port());
    shop.order().await;
    let log = shop.running.log();
    assert!(log.contains(&format!("listening on https://{address} (handed over by the service manager)")), "{log}");
}

/// A listener for both families, as `ListenStream=443` makes one, sees IPv4 as a part of IPv6.
#[tokio::test]
async fn b10_a_terminal_on_ipv4_keeps_its_address_on_a_listener_for_both_families() {
    let (shop, address) = shop_on_a_listener("[::ffff:127.0.0.1]:0").await;
    assert_eq!(shop.running.door().address().port(), address.port());
    let log = shop.running.log();
    assert!(log.contains("address=127.0.0.1"), "the pairing is logged with the terminal's address: {log}");
}

/// B2: who comes while the box starts again waits in the listener's queue and is served.
#[tokio::test]
async fn b2_a_restart_keeps_terminals_waiting_instead_of_refusing_them() {
    let (mut shop, address) = shop_on_a_listener("127.0.0.1:0").await;
    let first = shop.order().await;
    assert_eq!(shop.running.terminate().await.code, Some(0));
    TcpStream::connect(address).expect("nobody is refused while the box is away");
    let mut till = shop.till.twin();
    let waiting = tokio::spawn(async move { till.post("/pos/orders", two_coffees()).await.expect(201) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "there is nobody to answer yet");
    shop.running.restart().await;
    let second = waiting.await.unwrap();
    assert_eq!(shop.all_orders().await, [first, second]);
}

/// Something that is no listener is refused in words, before anything is written.
async fn check_refused(socket: impl Into<OwnedFd>, words: &str) {
    let folder = Folder::new("handed-over");
    let config = BoxConfig::new(folder.path()).handing_over(socket);
    let stopped = RunningBox::refused(config.clone()).await;
    assert_eq!(stopped.code, Some(64), "{}", stopped.log);
    assert!(stopped.log.contains("did not hand over one TCP listener"), "{}", stopped.log);
    assert!(stopped.log.contains(words), "\"{words}\" is not said: {}", stopped.log);
    assert!(!config.state_dir().exists(), "something was written");
}

#[tokio::test]
async fn b2_what_is_no_listener_is_refused() {
    check_refused(UdpSocket::bind("127.0.0.1:0").unwrap(), "ListenStream=443").await;
    check_refused(std::fs::File::open("/dev/null").unwrap(), "not a socket").await;
    check_refused(std::os::unix::net::UnixDatagram::unbound().unwrap(), "ListenStream=443").await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    check_refused(connected, "Accept=yes").await;
}
