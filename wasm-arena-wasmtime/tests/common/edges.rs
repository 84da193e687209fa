//! Accesses at the edges of a memory.

use core::fmt::Write;

use super::{Guest, PAGE};
use wasmtime::Trap;

const WIDTHS: [(u64, &str, &str); 4] = [
    (1, "i32.load8_u", "i32.store8"),
    (2, "i32.load16_u", "i32.store16"),
    (4, "i32.load", "i32.store"),
    (8, "i64.load", "i64.store"),
];

/// A module with a load and a store of every width at every constant offset.
pub(crate) fn accesses(memory: &str, index: &str, offsets: &[u64]) -> String {
    let mut text = format!("(module {memory}");
    for (width, load, store) in WIDTHS {
        let (get, put) = if width == 8 {
            ("i32.wrap_i64", "(i64.const -1)")
        } else {
            ("", "(i32.const -1)")
        };
        for offset in offsets {
            write!(
                text,
                r#"
                (func (export "load{width}+{offset}") (param {index}) (result i32)
                    ({load} offset={offset} (local.get 0)) {get})
                (func (export "store{width}+{offset}") (param {index}) (result i32)
                    ({store} offset={offset} (local.get 0) {put}) (i32.const 0))"#
            )
            .unwrap();
        }
    }
    text + ")"
}

/// Tries every access around every edge, and looks what became of the bytes.
pub(crate) fn try_edges<I>(
    guest: &mut Guest,
    offsets: &[u64],
    greatest: u64,
    index: impl Fn(u64) -> I,
) where
    I: wasmtime::WasmParams + Copy,
{
    let size = guest.data().len() as u64;
    for (width, ..) in WIDTHS {
        for &offset in offsets {
            let mut starts = vec![0, 1 << 31, (1 << 32) - width, (1 << 32) - 1, greatest];
            for edge in [
                size,
                size + 4096,
                size + PAGE as u64,
                1 << 32,
                (1 << 32) + (32 << 20),
            ] {
                let first = edge.wrapping_sub(offset);
                starts.extend((0..=width + 1).map(|back| first.wrapping_sub(back)));
                starts.extend((1..=2).map(|ahead| first.wrapping_add(ahead)));
            }
            for start in starts.into_iter().filter(|&start| start <= greatest) {
                let end = start
                    .checked_add(offset)
                    .and_then(|at| at.checked_add(width));
                let inside = end.is_some_and(|end| end <= size);
                let (load, store) = (
                    format!("load{width}+{offset}"),
                    format!("store{width}+{offset}"),
                );
                if inside {
                    assert_eq!(guest.call::<I, i32>(&load, index(start)).unwrap(), 0);
                    guest.call::<I, i32>(&store, index(start)).unwrap();
                    let at = usize::try_from(start + offset).unwrap();
                    let written = &mut guest.data_mut()[at..][..usize::try_from(width).unwrap()];
                    assert!(written.iter().all(|&byte| byte == 0xff));
                    written.fill(0);
                } else {
                    for name in [load, store] {
                        let trap = guest.trap(&name, index(start));
                        assert_eq!(trap, Trap::MemoryOutOfBounds, "{name} at {start:#x}");
                    }
                }
            }
        }
    }
    assert!(guest.data().iter().all(|&byte| byte == 0));
}
