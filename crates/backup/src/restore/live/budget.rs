//! How many bytes of values are in memory at once.

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// A permit is for so many bytes.
const UNIT_BYTES: usize = 1024;
/// All permits: 6 MiB.
const UNITS: u32 = 6 << 10;

/// Bytes of values that all readers and all batches under way may hold together. What is larger than all of it waits until
/// nothing else is held, and is alone then: no reader begins with another value meanwhile.
///
/// How large a value is is known when it has been read. So each reader may have one that waits, whatever its size. And a
/// connection holds a value once or twice more while it is sent or fetched: ten strings of 100 MB come back, and are compared,
/// within some 400 MiB.
#[derive(Clone, Debug)]
pub(super) struct ByteBudget(Arc<Semaphore>);

/// A part of the budget, given back when it is dropped.
pub(super) type Held = OwnedSemaphorePermit;

impl ByteBudget {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(UNITS as usize)))
    }

    /// Waits, on a thread that may, until nothing is held that needs all of it.
    pub(super) fn wait(&self) {
        if self.0.available_permits() == 0 {
            drop(self.take(1));
        }
    }

    /// Waits, on a thread that may, until so many bytes may be held; `None` where the budget is no more.
    pub(super) fn hold(&self, bytes: usize) -> Option<Held> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(UNITS);
        self.take(units.clamp(1, UNITS))
    }

    fn take(&self, units: u32) -> Option<Held> {
        let semaphore = Arc::clone(&self.0);
        if let Ok(held) = Arc::clone(&semaphore).try_acquire_many_owned(units) {
            return Some(held);
        }
        Handle::current().block_on(semaphore.acquire_many_owned(units)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_larger_than_all_of_it_is_alone() {
        let budget = ByteBudget::new();
        let small = budget.hold(10 << 20).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let waiting = budget.clone();
        let task = tokio::task::spawn_blocking(move || {
            let held = waiting.hold(100 << 20);
            sender.send(waiting.0.available_permits()).unwrap();
            held
        });
        assert!(receiver.try_recv().is_err(), "it waits for what is held");
        drop(small);
        let large = task.await.unwrap();
        assert_eq!(receiver.recv().unwrap(), 0);
        let other = budget.clone();
        let task = tokio::task::spawn_blocking(move || other.wait());
        assert!(!task.is_finished());
        drop(large);
        task.await.unwrap();
        assert_eq!(budget.0.available_permits(), UNITS as usize);
        drop(budget.hold(0));
        assert_eq!(budget.0.available_permits(), UNITS as usize);
    }
}
