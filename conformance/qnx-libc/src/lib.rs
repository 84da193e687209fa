//! stand-in
#![no_std]
