//! The defects: where each was, in this code's terms.

use super::{Defect, Edit};

pub(super) const DEFECTS: [Defect; 16] = [
    Defect {
        name: "wrong-mallopt-numbers",
        mistake: "commands of mallopt counted from 1, as if nobody had a header",
        edits: &[Edit {
            file: "os/src/qnx/heap_command.rs",
            from: "ArenaSize = 4,",
            to: "ArenaSize = 1,",
        }],
        case: "libc settings_reach_the_heap_by_their_own_numbers",
    },
    Defect {
        name: "mallopt-result-is-zero",
        mistake: "0 taken for success, so that a previous value is an error",
        edits: &[Edit {
            file: "os/src/sys/qnx/heap.rs",
            from: "if result == -1 && errno::last() != 0 {",
            to: "if result != 0 {",
        }],
        case: "libc a_previous_value_is_no_failure",
    },
    Defect {
        name: "linux-protection-bits",
        mistake: "PROT_READ is 1 and PROT_WRITE is 2, as on Linux",
        edits: &[
            Edit {
                file: "os/src/sys/qnx/c_library.rs",
                from: "pub(crate) const PROT_READ: c_int = 0x100;",
                to: "pub(crate) const PROT_READ: c_int = 1;",
            },
            Edit {
                file: "os/src/sys/qnx/c_library.rs",
                from: "pub(crate) const PROT_WRITE: c_int = 0x200;",
                to: "pub(crate) const PROT_WRITE: c_int = 2;",
            },
            // Or it would not even compile.
            Edit {
                file: "conformance/qnx/program/src/compare.rs",
                from: "same!(PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC);",
                to: "same!(PROT_NONE, PROT_EXEC);",
            },
        ],
        case: "libc protection_bits_are_those_of_qnx",
    },
    Defect {
        name: "linux-mapping-flags",
        mistake: "MAP_ANON is 0x20, as on Linux",
        edits: &[
            Edit {
                file: "os/src/sys/qnx/c_library.rs",
                from: "pub(crate) const MAP_ANON: c_int = 0x0008_0000;",
                to: "pub(crate) const MAP_ANON: c_int = 0x20;",
            },
            // Or it would not even compile.
            Edit {
                file: "conformance/qnx/program/src/compare.rs",
                from: "    MAP_ANON,\n",
                to: "",
            },
        ],
        case: "libc mappings_are_private_anonymous_and_lazy",
    },
    Defect {
        name: "guard-on-the-last-data-page",
        mistake: "the upper guard begins a page too early",
        edits: &[Edit {
            file: "wasm-arena/src/system/libc_arenas.rs",
            from: "(region.accessible(), region.accessible())",
            to: "(region.accessible(), region.accessible() - 4096)",
        }],
        case: "libc the_upper_guard_is_not_the_last_data_page",
    },
    Defect {
        name: "free-of-the-data-pointer",
        mistake: "the heap is given the address of the data, not that of its block",
        edits: &[Edit {
            file: "wasm-arena/src/system/libc_arenas.rs",
            from: "unsafe { self.heap.free(region.run()) };",
            to: "unsafe { self.heap.free(region.base()) };",
        }],
        case: "libc the_block_goes_back_not_the_data",
    },
    Defect {
        name: "guards-on-across-free",
        mistake: "a block goes back to the heap with guards in it",
        edits: &[Edit {
            file: "wasm-arena/src/system/libc_arenas.rs",
            from: "if let Err(error) = unsafe { self.lift(&region) } {\n            self.leak(&region);",
            to: "if let Err(error) = Ok::<(), AllocError>(()) {\n            self.leak(&region);",
        }],
        case: "libc guards_are_lifted_before_free",
    },
    Defect {
        name: "guards-on-across-realloc",
        mistake: "the heap is asked to copy a block with guards in it",
        edits: &[Edit {
            file: "wasm-arena/src/system/libc_arenas/reallocate.rs",
            from: "if let Err(error) = unsafe { self.lift(region) } {",
            to: "if let Err(error) = Ok::<(), AllocError>(()) {",
        }],
        case: "libc guards_are_lifted_before_realloc",
    },
    Defect {
        name: "alignment-lost",
        mistake: "what realloc returns is used as it is",
        edits: &[Edit {
            file: "wasm-arena/src/system/libc_arenas/reallocate.rs",
            from: "let lead = block.start.addr().get().next_multiple_of(page) - block.start.addr().get();",
            to: "let lead = page - page;",
        }],
        case: "libc alignment_lost_by_realloc_is_repaired",
    },
    Defect {
        name: "memory-not-zeroed",
        mistake: "a guest sees what was in the heap before",
        edits: &[Edit {
            file: "wasm-arena/src/system/libc_arenas.rs",
            from: "unsafe { data.write_bytes(0, region.accessible() - keep) };",
            to: "unsafe { data.write_bytes(0, 0) };",
        }],
        case: "libc fresh_blocks_are_zeroed",
    },
    Defect {
        name: "settings-changed-by-grow",
        mistake: "a growth changes how everybody's realloc behaves",
        edits: &[Edit {
            file: "wasm-arena/src/system/libc_arenas/reallocate.rs",
            from: "let data_offset = region.base()",
            to: "let _ = self.heap.set_option(os::HeapCommand::MonotonicGrowth, 1);\n        \
                 let data_offset = region.base()",
        }],
        case: "libc growth_changes_no_setting_of_the_process",
    },
    Defect {
        name: "mlock-without-munlock",
        mistake: "a block goes back to the heap with locked pages in it",
        edits: &[Edit {
            file: "wasm-arena/src/arenas/exchange.rs",
            from: "if locked && accessible > 0 {",
            to: "if locked && accessible > usize::MAX >> 1 {",
        }],
        case: "libc locked_blocks_are_unlocked_before_they_go_back",
    },
    Defect {
        name: "overflow-at-65536-pages",
        mistake: "bytes are counted in 32 bits",
        edits: &[Edit {
            file: "wasm-arena/src/units.rs",
            from: "let bytes = pages as u64 * WASM_PAGE_SIZE as u64;",
            to: "let bytes = pages.wrapping_mul(65_536) as u64;",
        }],
        case: "libc sixty_five_thousand_pages_do_not_overflow",
    },
    Defect {
        name: "checksum-thrown-away",
        mistake: "a checksum is computed and then compared with nothing",
        edits: &[Edit {
            file: "wasm-arena/src/integrity/view.rs",
            from: "if computed == records.first && (!both_records || records.agree()) {",
            to: "if computed == records.first || !both_records || records.agree() {",
        }],
        case: "libc every_flipped_bit_of_a_block_is_found",
    },
    Defect {
        name: "copies-not-compared",
        mistake: "the second copy of the bookkeeping is kept for nothing",
        edits: &[Edit {
            file: "wasm-arena/src/integrity/blocks.rs",
            from: "if value != !inverse {",
            to: "if value != !inverse && index > 3 {",
        }],
        case: "libc every_flipped_bit_of_the_bookkeeping_is_found",
    },
    Defect {
        name: "reader-does-not-look-again",
        mistake: "a reader does not notice the writer that came in between",
        edits: &[Edit {
            file: "wasm-arena/src/integrity/sequence.rs",
            from: "(self.number.load(Ordering::Relaxed) == before).then_some(result)",
            to: "(self.number.load(Ordering::Relaxed) >= before).then_some(result)",
        }],
        case: "libc a_reader_that_a_writer_overtakes_reads_again",
    },
];
