//! The table of qnx-facts §4.2, row by row, and its sums over a grid.

use super::{HEAP_PAGE, Shape};
use crate::profile::Profile;

const ARENA: usize = 32_768;

/// Mapping, p − base, footer − (p + n), leading slack: of a memory in a mapping of its own or, below
/// the threshold, in a fresh arena.
fn lay_out(shape: &Shape, request: usize, alignment: usize) -> (usize, usize, usize, usize) {
    let total = shape.aligned_request(request, alignment).unwrap();
    let block = shape.block_size(total).unwrap();
    let unit = if total < shape.threshold() {
        ARENA
    } else {
        HEAP_PAGE
    };
    let mapping = shape.mapping_for(block).unwrap().next_multiple_of(unit);
    let first = shape.first_block();
    let start = shape
        .place_aligned(first, shape.room(mapping), block, alignment)
        .unwrap();
    let user = start + shape.header;
    let footer = first + shape.room(mapping) - shape.word;
    (mapping, user, footer - (user + request), start - first)
}

#[test]
fn section_4_2_table() {
    let word_4 = Shape::of(Profile::Sdp70, 4);
    let word_8 = Shape::of(Profile::Sdp70, 8);
    let word_8_by_16 = Shape::of(Profile::Sdp71, 8);
    assert_eq!(lay_out(&word_4, 73_728, 4096), (81_920, 4096, 4088, 4072));
    assert_eq!(lay_out(&word_8, 73_728, 4096), (81_920, 4096, 4080, 4056));
    assert_eq!(
        lay_out(&word_8_by_16, 73_728, 4096),
        (98_304, 20_480, 4080, 20_432)
    );
    assert_eq!(
        lay_out(&word_8_by_16, 1_056_768, 4096),
        (1_064_960, 4096, 4080, 4048)
    );
    assert_eq!(
        lay_out(&word_8, 196_608, 65_536),
        (266_240, 65_536, 4080, 65_496)
    );
}

#[test]
fn section_4_2_1_no_metadata_in_the_block() {
    for profile in [
        Profile::Sdp66,
        Profile::Sdp70,
        Profile::Sdp71,
        Profile::Sdp80,
    ] {
        for word in [4, 8] {
            let shape = Shape::of(profile, word);
            for alignment in [4096, 8192, 16_384, 65_536] {
                for pages in 1..200 {
                    let request = pages * alignment.max(4096);
                    let total = shape.aligned_request(request, alignment).unwrap();
                    let block = shape.block_size(total).unwrap();
                    let mapping = shape
                        .mapping_for(block)
                        .unwrap()
                        .next_multiple_of(HEAP_PAGE);
                    let first = shape.first_block();
                    let room = shape.room(mapping);
                    let start = shape.place_aligned(first, room, block, alignment).unwrap();
                    let user = start + shape.header;
                    assert_eq!(user % alignment, 0);
                    assert!(start >= first);
                    assert!(start == first || start - first >= shape.least_free_block());
                    assert!(
                        user + request <= first + room - shape.word,
                        "{shape:?} {pages}"
                    );
                }
            }
        }
    }
}

#[test]
fn small_alignments_leave_no_slack_too_small_for_a_block() {
    for profile in [Profile::Sdp70, Profile::Sdp71, Profile::Sdp80] {
        for word in [4, 8] {
            let shape = Shape::of(profile, word);
            for alignment in [16, 32, 64, 128, 1024] {
                for request in 1..600 {
                    let total = shape.aligned_request(request, alignment).unwrap();
                    let block = shape.block_size(total).unwrap();
                    for room in [block, block + shape.alignment, shape.room(ARENA)] {
                        let first = shape.first_block();
                        let start = shape.place_aligned(first, room, block, alignment).unwrap();
                        assert_eq!((start + shape.header) % alignment, 0);
                        let end = first + room - shape.word;
                        assert!(start + shape.header + request <= end, "{shape:?} {request}");
                    }
                }
            }
        }
    }
}

#[test]
fn section_4_6_3_first_blocks_offset() {
    let offset = |profile, word| {
        let shape = Shape::of(profile, word);
        shape.first_block() + shape.header
    };
    assert_eq!(offset(Profile::Sdp70, 4), 24);
    assert_eq!(offset(Profile::Sdp70, 8), 40);
    assert_eq!(offset(Profile::Sdp71, 8), 48);
}

#[test]
fn section_4_1_thresholds_and_bins() {
    assert_eq!(Shape::of(Profile::Sdp70, 8).threshold(), 65_536);
    assert_eq!(Shape::of(Profile::Sdp71, 4).threshold(), 65_536);
    assert_eq!(Shape::of(Profile::Sdp71, 8).threshold(), 131_072);
    let shape = Shape::of(Profile::Sdp70, 8);
    assert_eq!(
        [1, 256, 257, 512, 65_536, 1 << 30].map(|size| shape.bin(size)),
        [0, 0, 1, 1, 8, 8]
    );
}

#[test]
fn section_3_1_bands() {
    let shape = Shape::of(Profile::Sdp70, 8);
    let bands = [1, 16, 17, 25, 33, 49, 65, 81, 97, 128, 129].map(|n| shape.band_request(n));
    assert_eq!(bands, [16, 16, 24, 32, 48, 64, 80, 96, 128, 128, 129]);
}
