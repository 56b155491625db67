//! A wire between boxes and a cloud, which a test can cut.

use std::net::TcpListener as Listener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// A port that leads to the cloud as long as the wire is whole.
pub struct Wire {
    port: u16,
    ends: Arc<Ends>,
}

struct Ends {
    is_cut: AtomicBool,
    cloud: AtomicU16,
}

impl Wire {
    /// A wire to a cloud on this port of the loopback interface.
    pub fn to(cloud: u16) -> Self {
        let listener = Listener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a socket need not wait");
        let port = listener.local_addr().expect("it is bound").port();
        let ends = Arc::new(Ends { is_cut: AtomicBool::new(false), cloud: AtomicU16::new(cloud) });
        let inner = Arc::clone(&ends);
        tokio::spawn(async move {
            let listener = TcpListener::from_std(listener).expect("the runtime runs");
            while let Ok((mut near, _)) = listener.accept().await {
                if inner.is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let cloud = inner.cloud.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", cloud)).await {
                        // Either end may hang up as it likes.
                        let _ended = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { port, ends }
    }

    /// The near end.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Makes it lead to another port.
    pub fn lead_to(&self, cloud: u16) {
        self.ends.cloud.store(cloud, Ordering::SeqCst);
    }

    /// Cuts it: whoever connects is hung up on.
    pub fn cut(&self) {
        self.ends.is_cut.store(true, Ordering::SeqCst);
    }

    /// Mends it.
    pub fn mend(&self) {
        self.ends.is_cut.store(false, Ordering::SeqCst);
    }
}
