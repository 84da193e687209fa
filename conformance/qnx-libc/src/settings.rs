//! Settings of the heap: what `mallopt` and the environment change.

#![forbid(unsafe_code)]

use core::ffi::{CStr, c_int};

use crate::layout::HEAP_PAGE;
use crate::qnx::{default, mallopt};

/// What `stand_in_setting` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Setting {
    /// Bytes of arenas made from now on.
    ArenaSize = 0,
    /// Most arenas in the cache.
    CacheMaxBlocks = 1,
    /// Most bytes in the cache; 0 is no limit.
    CacheMaxBytes = 2,
    /// 1 while memory is held.
    Hold = 3,
    /// 1 while growth is monotonic.
    Monotonic = 4,
    /// 1 if free lists are LIFO.
    Lifo = 5,
    /// 8.0: `M_TRIM_THRESHOLD`.
    TrimThreshold = 6,
    /// 8.0: `M_MMAP_THRESHOLD`.
    MmapThreshold = 7,
    /// 8.0: `M_GRANULARITY`.
    Granularity = 8,
}

impl Setting {
    /// Every setting, in the order of its number.
    pub const ALL: &'static [Self] = &[
        Self::ArenaSize,
        Self::CacheMaxBlocks,
        Self::CacheMaxBytes,
        Self::Hold,
        Self::Monotonic,
        Self::Lifo,
        Self::TrimThreshold,
        Self::MmapThreshold,
        Self::Granularity,
    ];
}

/// The settings in force, for the whole process (qnx-facts §1.3.6).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) arena_size: usize,
    pub(crate) cache_blocks: u32,
    pub(crate) cache_bytes: u32,
    pub(crate) hold: bool,
    pub(crate) monotonic: bool,
    pub(crate) lifo: bool,
    pub(crate) trim_threshold: usize,
    pub(crate) mmap_threshold: usize,
    pub(crate) granularity: usize,
}

impl Settings {
    pub(crate) const fn new() -> Self {
        Self {
            arena_size: default::ARENA_SIZE,
            cache_blocks: default::CACHE_BLOCKS,
            cache_bytes: default::CACHE_BYTES,
            hold: false,
            monotonic: false,
            lifo: false,
            trim_threshold: default::TRIM_THRESHOLD,
            mmap_threshold: default::MMAP_THRESHOLD,
            granularity: default::GRANULARITY,
        }
    }

    /// The value that `stand_in_setting` shows; limits without end appear as 4294967295, or as −1
    /// where `isize` has 32 bits.
    pub(crate) fn get(&self, setting: Setting) -> isize {
        match setting {
            Setting::ArenaSize => self.arena_size.cast_signed(),
            Setting::CacheMaxBlocks => (self.cache_blocks as usize).cast_signed(),
            Setting::CacheMaxBytes => (self.cache_bytes as usize).cast_signed(),
            Setting::Hold => isize::from(self.hold),
            Setting::Monotonic => isize::from(self.monotonic),
            Setting::Lifo => isize::from(self.lifo),
            Setting::TrimThreshold => self.trim_threshold.cast_signed(),
            Setting::MmapThreshold => self.mmap_threshold.cast_signed(),
            Setting::Granularity => self.granularity.cast_signed(),
        }
    }

    /// Takes an arena size, rounded up to pages; false outside of the range (qnx-facts §1.3).
    pub(crate) fn set_arena_size(&mut self, value: c_int, exclusive: bool) -> bool {
        let Ok(size) = usize::try_from(value) else {
            return false;
        };
        let refused = !(HEAP_PAGE..=mallopt::ARENA_SIZE_MAX).contains(&size)
            || (exclusive && size == mallopt::ARENA_SIZE_MAX);
        if !refused {
            self.arena_size = size.next_multiple_of(HEAP_PAGE);
        }
        !refused
    }

    /// Holding sets both limits to the greatest; letting go sets both to 0, which is caching off.
    pub(crate) fn set_hold(&mut self, hold: bool) {
        self.hold = hold;
        self.cache_blocks = if hold { u32::MAX } else { 0 };
        self.cache_bytes = self.cache_blocks;
    }

    /// Reads the environment in the order of qnx-facts §2.1.
    pub(crate) fn read_environment(
        &mut self,
        exclusive: bool,
        get: impl Fn(&CStr) -> Option<&'static CStr>,
    ) {
        let number = |name: &CStr| get(name).map(|text| atoi(text.to_bytes()));
        if let Some(size) = number(c"MALLOC_ARENA_SIZE") {
            self.set_arena_size(size, exclusive);
        }
        if number(c"MALLOC_MEMORY_HOLD").is_some_and(|value| value > 0) {
            self.set_hold(true);
        }
        self.lifo = get(c"MALLOC_FREE_LIFO").is_some();
        if let Some(bytes @ 1..) = number(c"MALLOC_ARENA_CACHE_MAXSZ") {
            self.cache_bytes = bytes.cast_unsigned();
        }
        if let Some(blocks @ 0..) = number(c"MALLOC_ARENA_CACHE_MAXBLK") {
            self.cache_blocks = blocks.cast_unsigned();
        }
    }
}

/// C's `atoi`: a sign, then digits; what follows is ignored.
fn atoi(text: &[u8]) -> c_int {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_i32, |sum, digit| {
            sum.wrapping_mul(10).wrapping_add(i32::from(digit - b'0'))
        });
    if negative {
        value.wrapping_neg()
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, atoi};

    #[test]
    fn section_2_1_numbers_are_atoi() {
        assert_eq!(
            [&b"64K"[..], b"junk", b"-3", b" +12", b""].map(atoi),
            [64, 0, -3, 12, 0]
        );
    }

    #[test]
    fn section_2_1_explicit_limits_override_hold() {
        let mut settings = Settings::new();
        settings.read_environment(false, |name| match name.to_bytes() {
            b"MALLOC_MEMORY_HOLD" => Some(c"1"),
            b"MALLOC_ARENA_CACHE_MAXBLK" => Some(c"3"),
            b"MALLOC_FREE_LIFO" => Some(c""),
            b"MALLOC_ARENA_SIZE" => Some(c"262145"),
            _ => None,
        });
        assert_eq!((settings.cache_blocks, settings.cache_bytes), (3, u32::MAX));
        assert!(settings.lifo);
        assert_eq!(settings.arena_size, 32_768);
    }
}
