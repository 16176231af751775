//! One at a time for each actor or resource, so that the second of two cases sees what the
//! first one did. Different actors never wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The turns that are taken now.
#[derive(Debug, Default)]
pub struct KeyedLock {
    taken: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
}

impl KeyedLock {
    /// Waits until it is this key's turn; dropping the guard ends it.
    pub async fn take(&self, key: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(taken.entry(key.to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}
