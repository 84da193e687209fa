//! qnx-facts §2: the environment, read once, at the first use of the heap.
//!
//! One test in a program of its own: the environment belongs to the process.

mod support;

use qnx_libc::Setting;
use support::*;

fn set(name: &str, value: Option<&str>) {
    match value {
        // SAFETY: this program has one test, and no other thread looks at the environment.
        Some(value) => unsafe { std::env::set_var(name, value) },
        // SAFETY: as above.
        None => unsafe { std::env::remove_var(name) },
    }
}

#[test]
fn section_2_1_and_2_2() {
    // Set at all, even to "0": LIFO.
    set("MALLOC_FREE_LIFO", Some("0"));
    set("MALLOC_ARENA_SIZE", Some("65536junk"));
    {
        let _turn = turn(700);
        let blocks: Vec<usize> = (0..9).map(|_| malloc(1000)).collect();
        free(blocks[1]);
        free(blocks[5]);
        assert_eq!(malloc(1000), blocks[5], "the newest first");
        assert_eq!(qnx_libc::stand_in_heap_bytes(), 65_536);
        // Too late now.
        set("MALLOC_FREE_LIFO", None);
        set("MALLOC_ARENA_SIZE", None);
        set("MALLOC_MEMORY_HOLD", Some("1"));
        malloc(100_000);
        assert_eq!((setting(Setting::Lifo), setting(Setting::Hold)), (1, 0));
        assert_eq!(setting(Setting::ArenaSize), 65_536);
    }
    {
        let _turn = turn(710);
        assert_eq!((setting(Setting::Lifo), setting(Setting::Hold)), (0, 1));
        assert_eq!(arena_size(131_072), 32_768, "mallopt comes later and wins");
        assert_eq!(setting(Setting::ArenaSize), 131_072);
    }
    let _turn = turn(800);
    assert_eq!(setting(Setting::Hold), 0, "nothing is read on 8.0");
}
