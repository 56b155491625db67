//! A store opened on a disk, with the clock in the test's hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use storebox_core::command::{OrderRef, Outcome, Request};
use storebox_core::id::OrderId;
use storebox_core::order::Order;
use storebox_core::time::Timestamp;
use storeboxd::clock::Clock;
use storeboxd::store::{Answer, Found, Store, StoreError, SubmitError, Writer};
use tokio::runtime::Runtime;

use crate::disk::{FaultyDisk, Operation};
use crate::wish::{NOON, settings};

/// A wall clock that stands still until it is set; monotonic time is the machine's.
#[derive(Debug)]
pub(crate) struct ManualClock {
    wall_ms: AtomicU64,
    started: Instant,
}

impl ManualClock {
    pub(crate) fn at(time: Timestamp) -> Arc<Self> {
        Arc::new(Self { wall_ms: AtomicU64::new(time.as_millis()), started: Instant::now() })
    }

    pub(crate) fn set(&self, time: Timestamp) {
        self.wall_ms.store(time.as_millis(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall_ms.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A store at work.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    writer: Writer,
    runtime: Runtime,
}

/// An answer on its way.
pub(crate) type Pending<'a> = Pin<Box<dyn Future<Output = Result<Answer, SubmitError>> + 'a>>;

impl Desk {
    /// Opens the store that is on the disk, or makes one, at noon.
    pub(crate) fn open(disk: &FaultyDisk) -> Result<Self, StoreError> {
        Self::open_at(disk, NOON)
    }

    pub(crate) fn open_at(disk: &FaultyDisk, time: Timestamp) -> Result<Self, StoreError> {
        let clock = ManualClock::at(time);
        let (store, writer) = Store::open(disk.clone(), Arc::<ManualClock>::clone(&clock), settings("Corner store"))?;
        Ok(Self { store, clock, writer, runtime: runtime() })
    }

    /// Has a request decided.
    pub(crate) fn ask(&self, request: &Request) -> Result<Answer, SubmitError> {
        self.runtime.block_on(self.store.submit(request.clone()))
    }

    /// Has a request carried out that must succeed with an order.
    #[track_caller]
    pub(crate) fn order(&self, request: &Request) -> Order {
        order_of(self.ask(request).unwrap())
    }

    /// Has the first request decided, and while its commit waits for the disk, the others sent: they are one batch.
    pub(crate) fn ask_together(
        &self,
        disk: &FaultyDisk,
        first: &Request,
        others: &[Request],
    ) -> Vec<Result<Answer, SubmitError>> {
        let hold = disk.hold(Operation::Sync);
        let mut pending = self.send(std::slice::from_ref(first));
        hold.reached();
        pending.extend(self.send(others));
        drop(hold);
        self.wait(pending)
    }

    /// Puts requests in the queue, in this order.
    pub(crate) fn send(&self, requests: &[Request]) -> Vec<Pending<'_>> {
        let mut pending: Vec<Pending<'_>> =
            requests.iter().map(|request| Box::pin(self.store.submit(request.clone())) as Pending<'_>).collect();
        // A request is in the queue once its future was polled; what is ready at once is kept by wrapping it again.
        self.runtime.block_on(std::future::poll_fn(|context| {
            for future in &mut pending {
                if let std::task::Poll::Ready(answer) = future.as_mut().poll(context) {
                    *future = Box::pin(std::future::ready(answer));
                }
            }
            std::task::Poll::Ready(())
        }));
        pending
    }

    /// Waits for the answers.
    pub(crate) fn wait(&self, pending: Vec<Pending<'_>>) -> Vec<Result<Answer, SubmitError>> {
        pending.into_iter().map(|answer| self.runtime.block_on(answer)).collect()
    }

    /// Looks an order up.
    #[track_caller]
    pub(crate) fn find(&self, id: OrderId) -> Found {
        self.store.read_blocking(|view| view.order(&OrderRef::Id(id))).unwrap()
    }

    /// Lets the writer end and waits for it.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        self.store.close();
        self.writer.join()
    }

    /// Waits for a writer that ends by itself.
    pub(crate) fn join(self) -> Result<(), StoreError> {
        self.writer.join()
    }
}

/// A runtime for one thread that waits.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// The order of an answer that has one.
#[track_caller]
pub(crate) fn order_of(answer: Answer) -> Order {
    match answer.result {
        Ok(Outcome::Opened(order) | Outcome::Left(order)) => *order,
        other => panic!("no order but {other:?}"),
    }
}
