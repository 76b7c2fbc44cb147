//! A desk that can be changed while stories are read: the new one takes the next story, the old one
//! finishes what it has begun.

use std::sync::{Arc, PoisonError, RwLock};

use super::pool::{Reader, Stories};
use crate::decode::{DecodeError, Hints};

/// The desk of a worker.
pub struct SharedDesk(RwLock<Arc<dyn Reader>>);

impl SharedDesk {
    /// Begins with a desk.
    pub fn new(desk: impl Reader) -> Self {
        Self(RwLock::new(Arc::new(desk)))
    }

    /// The desk that holds now.
    pub fn now(&self) -> Arc<dyn Reader> {
        // Nobody panics between taking the lock and giving it back.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another desk in its place.
    pub fn change(&self, desk: impl Reader) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(desk);
    }
}

impl Reader for SharedDesk {
    fn read(&self, input: &[u8], hints: &Hints) -> Result<Stories<DecodeError>, DecodeError> {
        self.now().read(input, hints)
    }

    fn is_kill(&self, input: &[u8], hints: &Hints) -> bool {
        self.now().is_kill(input, hints)
    }
}
