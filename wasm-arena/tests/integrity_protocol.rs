//! The protocol of readers and writers, in every interleaving a model checker finds: the file of the
//! crate itself, compiled against the checker's atomics.
//!
//! The memory here is two words of data and one that stands for their checksum. A reader must see
//! all three of one state. The checker explores what the memory model allows, stale values included,
//! for two writers and a reader, or a writer and two readers, with at most three forced switches.

mod primitive {
    pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering, fence};
}

#[path = "../src/integrity/sequence.rs"]
mod sequence;

use loom::sync::{Arc, Mutex};
use loom::thread;
use primitive::{AtomicUsize, Ordering, fence};
use sequence::Sequence;

/// What the protocol offers, so that a broken one can be put in its place.
trait Protocol: Send + Sync + 'static {
    fn new() -> Self;
    fn write(&self, change: impl FnOnce());
    fn try_read<T>(&self, attempt: impl FnOnce() -> T) -> Option<T>;
}

impl Protocol for Sequence {
    fn new() -> Self {
        Self::new()
    }

    fn write(&self, change: impl FnOnce()) {
        Self::write(self, change);
    }

    fn try_read<T>(&self, attempt: impl FnOnce() -> T) -> Option<T> {
        Self::try_read(self, attempt)
    }
}

struct Memory<S> {
    sequence: S,
    writers: Mutex<()>,
    data: [AtomicUsize; 2],
    checksum: AtomicUsize,
}

impl<S: Protocol> Memory<S> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            sequence: S::new(),
            writers: Mutex::new(()),
            data: [AtomicUsize::new(0), AtomicUsize::new(0)],
            checksum: AtomicUsize::new(0),
        })
    }

    /// Both words become `value`; the checksum changes by what they changed by.
    fn write(&self, value: usize) {
        let _alone = self.writers.lock().unwrap();
        self.sequence.write(|| {
            for word in &self.data {
                let change = word.load(Ordering::Relaxed) ^ value;
                word.store(value, Ordering::Relaxed);
                let sum = self.checksum.load(Ordering::Relaxed);
                self.checksum.store(sum ^ change, Ordering::Relaxed);
            }
        });
    }

    fn attempt(&self) -> [usize; 3] {
        let [first, second] = &self.data;
        [first, second, &self.checksum].map(|word| word.load(Ordering::Relaxed))
    }

    /// As the crate reads: a few tries, then the lock.
    fn read(&self, tries: usize) -> usize {
        for _ in 0..tries {
            if let Some(seen) = self.sequence.try_read(|| self.attempt()) {
                return one_state(seen);
            }
        }
        let _alone = self.writers.lock().unwrap();
        one_state(self.attempt())
    }
}

fn one_state([first, second, checksum]: [usize; 3]) -> usize {
    assert_eq!(first, second, "two states: half of a write");
    assert_eq!(checksum, 0, "two states: a checksum of another");
    first
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn a_writer_and_two_readers<S: Protocol>() {
    let memory = Memory::<S>::new();
    let writer = {
        let memory = Arc::clone(&memory);
        thread::spawn(move || {
            memory.write(1);
            memory.write(2);
        })
    };
    let reader = {
        let memory = Arc::clone(&memory);
        thread::spawn(move || memory.read(1))
    };
    // What one thread reads never goes back.
    let earlier = memory.read(1);
    let later = memory.read(1);
    assert!(earlier <= later && later <= 2);
    assert!(reader.join().unwrap() <= 2);
    writer.join().unwrap();
    assert_eq!(memory.read(1), 2);
}

fn two_writers_and_a_reader<S: Protocol>() {
    let memory = Memory::<S>::new();
    let writers = [1, 2].map(|value| {
        let memory = Arc::clone(&memory);
        thread::spawn(move || memory.write(value))
    });
    assert!(memory.read(2) <= 2);
    for writer in writers {
        writer.join().unwrap();
    }
    assert_ne!(memory.read(1), 0);
}

#[test]
fn readers_never_see_half_of_a_write() {
    check(a_writer_and_two_readers::<Sequence>);
}

#[test]
fn writers_exclude_each_other() {
    check(two_writers_and_a_reader::<Sequence>);
}

#[test]
fn a_reader_alone_needs_one_try() {
    check(|| {
        let memory = Memory::<Sequence>::new();
        memory.write(3);
        let seen = memory.sequence.try_read(|| memory.attempt());
        assert_eq!(seen.map(one_state), Some(3));
        let nested = memory.sequence.try_read(|| memory.write(4));
        assert_eq!(nested, None, "a writer came in between");
    });
}

/// The protocol with one of its parts left out, to see that the checker would notice.
struct Broken<const LEFT_OUT: u8> {
    number: AtomicUsize,
}

const RELEASE_FENCE: u8 = 0;
const ACQUIRE_FENCE: u8 = 1;
const SECOND_LOOK: u8 = 2;
const ODD_NUMBER: u8 = 3;

impl<const LEFT_OUT: u8> Protocol for Broken<LEFT_OUT> {
    fn new() -> Self {
        Self {
            number: AtomicUsize::new(0),
        }
    }

    fn write(&self, change: impl FnOnce()) {
        let before = self.number.load(Ordering::Relaxed);
        if LEFT_OUT != ODD_NUMBER {
            self.number.store(before + 1, Ordering::Relaxed);
        }
        if LEFT_OUT != RELEASE_FENCE {
            fence(Ordering::Release);
        }
        change();
        self.number.store(before + 2, Ordering::Release);
    }

    fn try_read<T>(&self, attempt: impl FnOnce() -> T) -> Option<T> {
        let before = self.number.load(Ordering::Acquire);
        if before & 1 != 0 {
            return None;
        }
        let result = attempt();
        if LEFT_OUT != ACQUIRE_FENCE {
            fence(Ordering::Acquire);
        }
        let same = LEFT_OUT == SECOND_LOOK || self.number.load(Ordering::Relaxed) == before;
        same.then_some(result)
    }
}

#[test]
#[should_panic(expected = "two states")]
fn without_the_release_fence_it_would_be_noticed() {
    check(a_writer_and_two_readers::<Broken<RELEASE_FENCE>>);
}

#[test]
#[should_panic(expected = "two states")]
fn without_the_acquire_fence_it_would_be_noticed() {
    check(a_writer_and_two_readers::<Broken<ACQUIRE_FENCE>>);
}

#[test]
#[should_panic(expected = "two states")]
fn without_the_second_look_it_would_be_noticed() {
    check(a_writer_and_two_readers::<Broken<SECOND_LOOK>>);
}

#[test]
#[should_panic(expected = "two states")]
fn without_the_odd_number_it_would_be_noticed() {
    check(a_writer_and_two_readers::<Broken<ODD_NUMBER>>);
}
