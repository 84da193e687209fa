//! The program as its users meet it: run as a process, judged by its exit code and its output.
#![forbid(unsafe_code)]

mod arguments;
#[cfg(target_os = "linux")]
mod damage;
mod errors;
mod interpreted;
mod invoke;
mod report;
mod support;
mod systems;
mod traps;
