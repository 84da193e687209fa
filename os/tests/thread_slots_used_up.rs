//! What happens when a process has no key left: in a process of its own.

use os::ThreadSlot;

#[test]
fn a_process_without_keys_is_told_so() {
    let mut slots = Vec::new();
    let refusal = loop {
        let slot = ThreadSlot::new();
        match slot.prepare() {
            Ok(()) => slots.push(slot),
            Err(refusal) => break refusal,
        }
        assert!(slots.len() < 1 << 20, "no end of keys");
    };
    assert!(matches!(refusal, os::Reason::Errno(_)), "{refusal:?}");
}
