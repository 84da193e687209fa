//! Conformance
#![no_std]
