//! Work for programs that have a heap as their allocator.

extern crate alloc;

use alloc::collections::{BTreeMap, VecDeque};
use core::iter;
use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;

fn numbers(seed: u32, count: usize) -> Vec<u32> {
    let mut state = seed | 1;
    iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    })
    .take(count)
    .collect()
}

/// Writes a table as text, reads it back, and counts in two kinds of maps.
fn index_a_text(seed: u32) -> usize {
    let numbers = numbers(seed, 4000);
    let text: String = numbers
        .iter()
        .enumerate()
        .map(|(line, number)| format!("{line};{};name{}\n", number % 1000, number % 77))
        .collect();
    let mut by_value: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut by_name: HashMap<String, u64> = HashMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let row: usize = fields[0].parse().unwrap();
        let value: u32 = fields[1].parse().unwrap();
        by_value.entry(value).or_default().push(row);
        *by_name.entry(fields[2].to_owned()).or_default() += u64::from(value);
    }
    for (value, rows) in &by_value {
        assert!(rows.is_sorted());
        assert!(rows.iter().all(|row| numbers[*row] % 1000 == *value));
    }
    let sum: u64 = by_name.values().sum();
    assert_eq!(
        sum,
        numbers.iter().map(|number| u64::from(number % 1000)).sum()
    );
    assert_eq!(
        by_value.values().map(Vec::len).sum::<usize>(),
        numbers.len()
    );
    by_name.len()
}

pub(crate) fn sort_strings(seed: u32) {
    let numbers = numbers(seed, 5000);
    let mut words: Vec<String> = numbers.iter().map(|number| number.to_string()).collect();
    words.sort();
    assert!(words.windows(2).all(|pair| pair[0] <= pair[1]));
    let mut back: Vec<u32> = words.iter().map(|word| word.parse().unwrap()).collect();
    let mut expected = numbers;
    back.sort_unstable();
    expected.sort_unstable();
    assert_eq!(back, expected);
}

/// Six threads work, and pass blocks to this one, which calls `verify` all the while.
pub(crate) fn on_threads(verify: impl Fn()) {
    let (sender, receiver) = mpsc::channel::<Vec<Box<[u32]>>>();
    let workers: Vec<_> = (1..=6)
        .map(|seed| {
            let sender = sender.clone();
            thread::spawn(move || {
                for round in 0..5 {
                    assert_eq!(index_a_text(seed * 100 + round), 77);
                    sort_strings(seed * 1000 + round);
                    let parts = numbers(seed, 600).chunks(7).map(Box::from).collect();
                    sender.send(parts).unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    let mut received = VecDeque::new();
    for parts in receiver {
        verify();
        received.push_back(parts);
        if received.len() > 4 {
            received.pop_front();
        }
    }
    for worker in workers {
        worker.join().unwrap();
    }
    for parts in &received {
        let whole: Vec<u32> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        assert!((1..=6).any(|seed| whole == numbers(seed, 600)));
    }
    drop(received);
    verify();
}
