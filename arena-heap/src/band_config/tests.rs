//! The grammar of bands, and their documented example.
#![forbid(unsafe_code)]

use super::*;

fn sizes(config: &BandConfig) -> impl Iterator<Item = usize> {
    config
        .bands()
        .iter()
        .map(|band| usize::from(band.block_size))
}

#[test]
fn the_default_bands_contain_the_documented_multiples() {
    let bands = BandConfig::DEFAULT;
    for multiple in [2, 3, 4, 6, 8, 10, 12, 16] {
        assert!(sizes(&bands).any(|size| size == multiple * GRANULE));
    }
    assert!(sizes(&bands).is_sorted_by(|a, b| a < b));
    assert_eq!(bands.pool_window(), 4096);
}

#[test]
fn the_documented_example_is_read_and_rounded_to_the_granule() {
    let text = "8:2,32,60:15,32,60:29,32,60:55,24,60:100,24,60:130,24,60:260,8,60:600,4,60";
    let bands = BandConfig::parse(text).unwrap();
    let expected: &[usize] = if GRANULE == 8 {
        &[8, 16, 32, 56, 104, 136, 264, 600]
    } else {
        // 2 and 15 are the same band at a granule of 16.
        &[16, 32, 64, 112, 144, 272, 608]
    };
    assert!(sizes(&bands).eq(expected.iter().copied()));
    assert_eq!(
        bands.bands()[0].preallocate,
        if GRANULE == 8 { 60 } else { 120 }
    );
    assert_eq!(bands.pool_window(), 4096);
}

#[test]
fn faults_in_the_text_are_named_with_their_place() {
    use BandError::*;
    for (text, expected) in [
        ("", NumberExpected { at: 0 }),
        ("x", NumberExpected { at: 0 }),
        ("0:8,1,1", NoBands),
        (
            "1",
            SeparatorExpected {
                separator: ':',
                at: 1,
            },
        ),
        ("1:", NumberExpected { at: 2 }),
        (
            "1:8",
            SeparatorExpected {
                separator: ',',
                at: 3,
            },
        ),
        ("1:8,", NumberExpected { at: 4 }),
        (
            "1:8,1",
            SeparatorExpected {
                separator: ',',
                at: 5,
            },
        ),
        ("1: 8,1,1", NumberExpected { at: 2 }),
        ("1:-8,1,1", NumberExpected { at: 2 }),
        (
            "2:8,1,1",
            SeparatorExpected {
                separator: ':',
                at: 7,
            },
        ),
        (
            "2:8,1,1;16,1,1",
            SeparatorExpected {
                separator: ':',
                at: 7,
            },
        ),
        (
            "1:0,1,1",
            Size {
                size: 0,
                maximum: 2048,
            },
        ),
        (
            "1:2049,1,1",
            Size {
                size: 2049,
                maximum: 2048,
            },
        ),
        (
            "1:99999999999999999999999,1,1",
            Size {
                size: u64::MAX,
                maximum: 2048,
            },
        ),
        (
            "1:8,32768,1",
            TooLarge {
                value: 32768,
                maximum: 32767,
                at: 4,
            },
        ),
        (
            "1:8,1,99999",
            TooLarge {
                value: 99999,
                maximum: 32767,
                at: 6,
            },
        ),
        (
            "2:64,1,1:8,1,1",
            NotAscending {
                size: 8,
                previous: 64,
            },
        ),
    ] {
        assert_eq!(BandConfig::parse(text), Err(expected), "{text}");
    }
    // Text after the last triple is ignored.
    assert!(BandConfig::parse("1:8,1,1:garbage").is_ok());
}

#[test]
fn no_more_than_the_most_bands() {
    let mut bands = [Band::default(); BandConfig::MAX_BANDS + 1];
    for (index, band) in (1..).zip(&mut bands) {
        band.block_size = index * 16;
    }
    assert!(BandConfig::new(&bands[1..]).is_ok());
    assert_eq!(
        BandConfig::new(&bands),
        Err(BandError::TooMany { maximum: 16 })
    );
}

#[test]
fn windows_hold_four_blocks_of_the_largest_band() {
    for size in 1..=BandConfig::MAX_BLOCK_SIZE {
        let bands = BandConfig::new(&[Band::of_size(size)]).unwrap();
        let window = bands.pool_window();
        let stride = usize::from(bands.bands()[0].block_size);
        assert!(pool_layout::capacity(window, stride) >= 4);
        assert!(window == 4096 || pool_layout::capacity(window / 2, stride) < 4);
    }
}
