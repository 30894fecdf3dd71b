//! What clients are told without having asked: one line to many (`dtmf-log-ng-tcp`).

use bytes::Bytes;
use ng_protocol::{Dict, bencode};
use tokio::sync::broadcast;

/// How many notifications a client may be behind. One that is further behind misses the oldest.
const BACKLOG: usize = 256;

/// Where notifications are handed in, and where connections hear of them. Clones are the same place.
#[derive(Clone, Debug)]
pub struct Notifications(broadcast::Sender<Bytes>);

impl Default for Notifications {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Notifications {
    /// Tells every client that is connected now: a random cookie of 16 hexadecimal digits, a space, the dictionary in
    /// bencode. Never blocks.
    pub fn send(&self, dict: &Dict) {
        let mut message = format!("{:016x} ", rand::random::<u64>()).into_bytes();
        bencode::encode_dict(dict, &mut message);
        // Nobody may be listening.
        let _ = self.0.send(message.into());
    }

    /// What is sent from now on.
    pub(super) fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// One client's ear.
#[derive(Debug)]
pub(super) struct Listener(broadcast::Receiver<Bytes>);

impl Listener {
    /// The next notification. Never completes where nobody is left to send one.
    pub(super) async fn next(&mut self) -> Bytes {
        loop {
            match self.0.recv().await {
                Ok(message) => return message,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
