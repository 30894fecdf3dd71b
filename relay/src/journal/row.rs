//! A row: a key and a payload, sealed so that damage shows.

/// A payload under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Unique in the journal.
    pub key: u64,
    /// Whatever the writer wants to read again.
    pub payload: Vec<u8>,
}

/// Bytes of the checksum before a payload.
const SUM: usize = 4;

/// The payload as it is stored: with a checksum that covers the key, too, so that no row is ever taken for another.
pub(super) fn seal(key: u64, payload: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(SUM + payload.len());
    sealed.extend_from_slice(&sum(key, payload).to_be_bytes());
    sealed.extend_from_slice(payload);
    sealed
}

/// The row that was sealed; `None` if it is not what was written.
pub(super) fn unseal(key: u64, sealed: &[u8]) -> Option<Row> {
    let (stored, payload) = sealed.split_first_chunk::<SUM>()?;
    (u32::from_be_bytes(*stored) == sum(key, payload)).then(|| Row {
        key,
        payload: payload.to_vec(),
    })
}

fn sum(key: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&key.to_be_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_unsealed_under_its_own_key_only() {
        let sealed = seal(7, b"call");
        let row = Row {
            key: 7,
            payload: b"call".to_vec(),
        };
        assert_eq!(unseal(7, &sealed), Some(row));
        assert_eq!(unseal(8, &sealed), None);
    }

    #[test]
    fn every_flipped_bit_shows() {
        let sealed = seal(7, b"call");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(7, &flipped), None);
        }
    }
}
