//! qnx-facts §7.4: adaptive partitions through `SchedCtl`.
//!
//! The blocks are written down here a second time, as bytes at offsets, so that the structures of the
//! library are checked as well.

#![cfg(target_pointer_width = "64")]

mod support;

use core::ffi::{CStr, c_int};

use qnx_libc::qnx::errno::*;
use qnx_libc::qnx::sched::*;
use qnx_libc::{Switch, qnx_SchedCtl};
use support::*;

/// A zeroed block of `N` bytes.
#[repr(align(8))]
struct Block<const N: usize>([u8; N]);

impl<const N: usize> Block<N> {
    fn zeroed() -> Self {
        Self([0; N])
    }

    fn put<const W: usize>(mut self, offset: usize, bytes: [u8; W]) -> Self {
        self.0[offset..offset + W].copy_from_slice(&bytes);
        self
    }

    fn i16_at(&self, offset: usize) -> i16 {
        i16::from_ne_bytes([self.0[offset], self.0[offset + 1]])
    }

    fn call(&mut self, command: c_int) -> Result<(), c_int> {
        self.call_with_length(command, N)
    }

    fn call_with_length(&mut self, command: c_int, length: usize) -> Result<(), c_int> {
        // SAFETY: the block has at least that many bytes, and names in it are static C strings.
        checked(unsafe { qnx_SchedCtl(command, self.0.as_mut_ptr().cast(), length) })
    }
}

fn create_block(name: &'static CStr, budget: u16) -> Block<40> {
    Block::zeroed()
        .put(0, name.as_ptr().expose_provenance().to_ne_bytes())
        .put(8, budget.to_ne_bytes())
}

fn create(name: &'static CStr, budget: u16) -> Result<i16, c_int> {
    let mut block = create_block(name, budget);
    block.call(CREATE_PARTITION)?;
    Ok(block.i16_at(36))
}

fn lookup(name: &'static CStr) -> Result<i16, c_int> {
    let mut block = Block::<16>::zeroed().put(0, name.as_ptr().expose_provenance().to_ne_bytes());
    block.call(LOOKUP)?;
    Ok(block.i16_at(10))
}

fn describe(id: i16) -> Result<(Vec<u8>, i16, i16), c_int> {
    let mut block = Block::<80>::zeroed().put(72, id.to_ne_bytes());
    block.call(QUERY_PARTITION)?;
    let name = block.0[16..32]
        .iter()
        .copied()
        .take_while(|&byte| byte != 0)
        .collect();
    Ok((name, block.i16_at(32), block.i16_at(34)))
}

#[test]
fn section_7_4_parameters() {
    for (profile, most) in [(660, 8), (700, 32), (710, 32)] {
        let _turn = turn(profile);
        let mut info = Block::<64>::zeroed();
        info.call(QUERY_PARMS).unwrap();
        assert_eq!(
            (info.i16_at(44), info.i16_at(46), info.i16_at(48)),
            (1, most, 100)
        );
        let mut dirty = Block::<64>::zeroed().put(8, [1]);
        assert_eq!(dirty.call(QUERY_PARMS), Err(EDOM));
        assert_eq!(
            Block::<64>::zeroed().call_with_length(QUERY_PARMS, 63),
            Err(EINVAL)
        );
        assert_eq!(Block::<128>::zeroed().call(QUERY_PARMS), Err(EINVAL));
    }
}

#[test]
fn section_7_4_create_look_up_describe() {
    let _turn = turn(710);
    assert_eq!(describe(0), Ok((b"System".to_vec(), -1, 100)));
    assert_eq!(create(c"wasm", 30), Ok(1));
    assert_eq!(lookup(c"wasm"), Ok(1));
    assert_eq!(lookup(c"System"), Ok(0));
    assert_eq!(lookup(c"nobody"), Err(EINVAL));
    assert_eq!(describe(1), Ok((b"wasm".to_vec(), 0, 30)));
    assert_eq!(
        describe(0),
        Ok((b"System".to_vec(), -1, 70)),
        "taken from the parent"
    );
    for wrong in [2, -1, 100] {
        assert_eq!(describe(wrong).err(), Some(EINVAL));
    }
}

#[test]
fn section_7_4_what_create_refuses() {
    let _turn = turn(710);
    assert_eq!(create(c"fifteen letters", 10), Ok(1));
    assert_eq!(create(c"sixteen letters!", 10), Err(ENAMETOOLONG));
    assert_eq!(create(c"", 10), Err(EINVAL));
    assert_eq!(create(c"System", 10), Err(EEXIST));
    assert_eq!(create(c"greedy", 91), Err(EDQUOT));
    assert_eq!(create(c"mad", 101), Err(EINVAL));
    assert_eq!(
        create_block(c"dirty", 10)
            .put(24, [1])
            .call(CREATE_PARTITION),
        Err(EDOM)
    );
    assert_eq!(
        create_block(c"dirty", 10)
            .put(38, [1])
            .call(CREATE_PARTITION),
        Err(EDOM)
    );
    let orphan = create_block(c"orphan", 1)
        .put(12, [1, 9])
        .call(CREATE_PARTITION);
    assert_eq!(orphan, Err(EINVAL));
    let mut child = create_block(c"child", 4).put(12, [1, 1]);
    child.call(CREATE_PARTITION).unwrap();
    assert_eq!(describe(child.i16_at(36)), Ok((b"child".to_vec(), 1, 4)));
}

#[test]
fn section_7_4_number_of_partitions() {
    let names: Vec<&'static CStr> = (0..40)
        .map(|index| {
            let name = std::ffi::CString::new(format!("partition {index}")).unwrap();
            let leaked: &'static CStr = Box::leak(name.into_boxed_c_str());
            leaked
        })
        .collect();
    for (profile, most) in [(660, 8), (700, 32), (710, 32)] {
        let _turn = turn(profile);
        let made = names
            .iter()
            .take_while(|name| create(name, 1).is_ok())
            .count();
        assert_eq!(made, most - 1, "System is one of them");
        assert_eq!(create(names[39], 1), Err(ENOSPC));
    }
}

#[test]
fn section_7_4_join() {
    let _turn = turn(710);
    let join = |id: i16, pid: i32, tid: i32| {
        let block = Block::<16>::zeroed().put(0, id.to_ne_bytes());
        block
            .put(4, pid.to_ne_bytes())
            .put(8, tid.to_ne_bytes())
            .call(JOIN_PARTITION)
    };
    assert_eq!(join(0, 0, 0), Ok(()));
    assert_eq!(join(1, 0, 0), Err(EINVAL));
    assert_eq!(create(c"wasm", 10), Ok(1));
    for tid in [0, -1, -2] {
        assert_eq!(join(1, 0, tid), Ok(()));
    }
    assert_eq!(join(1, -7, 0), Err(ESRCH));
    assert_eq!(join(1, 0, 99_999), Err(ESRCH));
    assert_eq!(
        Block::<16>::zeroed().put(2, [1]).call(JOIN_PARTITION),
        Err(EDOM)
    );
}

#[test]
fn section_7_4_modify() {
    let _turn = turn(710);
    create(c"wasm", 10).unwrap();
    let modify = |id: i16, budget: i16| {
        let unchanged = (-1_i16).to_ne_bytes();
        let block = Block::<24>::zeroed()
            .put(0, id.to_ne_bytes())
            .put(2, budget.to_ne_bytes());
        block
            .put(4, unchanged)
            .put(6, unchanged)
            .put(8, unchanged)
            .call(MODIFY_PARTITION)
    };
    assert_eq!(modify(1, 40), Ok(()));
    assert_eq!(describe(1).unwrap().2, 40);
    assert_eq!(describe(0).unwrap().2, 60);
    assert_eq!(modify(1, -1), Ok(()), "left alone");
    assert_eq!(describe(1).unwrap().2, 40);
    assert_eq!(modify(1, 101), Err(EINVAL));
    assert_eq!(modify(5, 1), Err(EINVAL));
    assert_eq!(
        Block::<24>::zeroed().put(12, [1]).call(MODIFY_PARTITION),
        Err(EDOM)
    );
}

#[test]
fn section_7_4_statistics() {
    let _turn = turn(710);
    create(c"wasm", 10).unwrap();
    let mut three = Block::<240>::zeroed();
    three.call(PARTITION_STATS).unwrap();
    assert_eq!(
        [72, 152, 232].map(|offset| three.i16_at(offset)),
        [0, 1, -1]
    );
    let mut one = Block::<80>::zeroed().put(72, 1_i16.to_ne_bytes());
    one.call(PARTITION_STATS).unwrap();
    assert_eq!(one.i16_at(72), 1);
    assert_eq!(
        Block::<80>::zeroed().put(72, [9]).call(PARTITION_STATS),
        Err(EINVAL)
    );
    assert_eq!(
        Block::<80>::zeroed().put(16, [9]).call(PARTITION_STATS),
        Err(EDOM)
    );
    assert_eq!(Block::<100>::zeroed().call(PARTITION_STATS), Err(EINVAL));
}

#[test]
fn section_7_4_absent() {
    let _turn = turn(710);
    assert_eq!(Block::<64>::zeroed().call(199), Err(EINVAL));
    switch(Switch::ApsModule, 0);
    assert_eq!(Block::<64>::zeroed().call(QUERY_PARMS), Err(ENOSYS));
    drop(_turn);
    let _turn = turn(800);
    assert_eq!(
        Block::<64>::zeroed().call(QUERY_PARMS),
        Err(EINVAL),
        "gone in 8.0"
    );
    switch(Switch::ApsModule, 0);
    assert_eq!(Block::<64>::zeroed().call(QUERY_PARMS), Err(ENOSYS));
}
