//! The verification level in force, in one word that notices its own damage.
//!
//! The lower half holds the level, the upper half its inverse: a flipped bit, a cleared or a filled
//! word is no level. So damage cannot turn checking off.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use super::IntegrityError;
use crate::VerificationLevel;

/// The level, shared between threads.
#[derive(Debug)]
pub(super) struct Level(AtomicU32);

const fn encode(level: VerificationLevel) -> u32 {
    let code = match level {
        VerificationLevel::Off => 0,
        VerificationLevel::Sampling => 1,
        VerificationLevel::Standard => 2,
        VerificationLevel::Full => 3,
        VerificationLevel::Critical => 4,
    };
    code | (!code << 16)
}

impl Level {
    pub(super) const fn new(level: VerificationLevel) -> Self {
        Self(AtomicU32::new(encode(level)))
    }

    /// The level; an error if the word holds none.
    #[inline]
    pub(super) fn get(&self) -> Result<VerificationLevel, IntegrityError> {
        let word = self.0.load(Ordering::Relaxed);
        let level = match word & 0xffff {
            0 => VerificationLevel::Off,
            1 => VerificationLevel::Sampling,
            2 => VerificationLevel::Standard,
            3 => VerificationLevel::Full,
            _ => VerificationLevel::Critical,
        };
        if word == encode(level) {
            Ok(level)
        } else {
            Err(IntegrityError::BookkeepingDamaged {
                record: super::BookkeepingRecord::Level,
                value: word as usize & 0xffff,
                inverse: (word >> 16) as usize,
            })
        }
    }

    pub(super) fn set(&self, level: VerificationLevel) {
        self.0.store(encode(level), Ordering::Relaxed);
    }

    /// Flips one bit: to try the detector.
    pub(super) fn flip(&self, bit: u32) {
        self.0.fetch_xor(1 << bit, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_kept_and_every_flipped_bit_noticed() {
        for level in VerificationLevel::ALL {
            for bit in 0..32 {
                let record = Level::new(VerificationLevel::Off);
                record.set(level);
                assert_eq!(record.get(), Ok(level));
                record.flip(bit);
                assert!(record.get().is_err(), "{level}, bit {bit}");
            }
        }
        for word in [0, u32::MAX] {
            assert!(Level(AtomicU32::new(word)).get().is_err());
        }
    }
}
