//! Which ports have a socket of ours, one bit each.

use super::memory::Port;

/// The ports of one table.
#[derive(Debug)]
pub(super) struct Held {
    words: Box<[u64]>,
}

impl Held {
    /// `count` places of PORTS, none held.
    pub(super) fn new(count: usize) -> Self {
        Self {
            words: vec![0; count.div_ceil(64)].into(),
        }
    }

    /// True: held.
    pub(super) fn has(&self, port: Port) -> bool {
        let (word, bit) = place(port);
        self.words[word] & bit != 0
    }

    /// Notes whether a port is held.
    pub(super) fn set(&mut self, port: Port, is_held: bool) {
        let (word, bit) = place(port);
        if is_held {
            self.words[word] |= bit;
        } else {
            self.words[word] &= !bit;
        }
    }

    /// Every port that is held; none is afterwards.
    pub(super) fn take_all(&mut self) -> Vec<Port> {
        let mut ports = Vec::new();
        for (at, word) in self.words.iter_mut().enumerate() {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                ports.push(Port::at(at * 64 + bits.trailing_zeros() as usize));
                bits &= bits - 1;
            }
        }
        ports
    }
}

fn place(port: Port) -> (usize, u64) {
    let index = port.index();
    (index / 64, 1 << (index % 64))
}
