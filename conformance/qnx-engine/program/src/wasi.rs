//! As much of WASI preview 1 as the commands in this program import: arguments, output, an exit.
#![forbid(unsafe_code)]

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use qnx_program::output::say;
use wasmtime::{Caller, Extern, Linker, Result, bail};

// Error numbers of WASI preview 1.
const SUCCESS: i32 = 0;
const BAD_FILE: i32 = 8;
const NOT_SEEKABLE: i32 = 70;

/// The type of a file that is neither of the ones WASI has names for.
const CHARACTER_DEVICE: u8 = 2;
const WRITE_RIGHT: u64 = 1 << 6;

/// What a command has.
#[derive(Debug, Default)]
pub(crate) struct Command {
    /// Its words, its name first.
    pub(crate) words: Vec<String>,
    /// What it printed, unless that goes to the output of this program.
    pub(crate) printed: Option<Vec<u8>>,
}

/// A command left of its own will.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exit(pub(crate) i32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the guest left with exit code {}", self.0)
    }
}

impl core::error::Error for Exit {}

/// A range of the guest's memory; a wrong pointer is the guest's fault, and traps.
fn bytes<'a>(caller: &'a mut Caller<'_, Command>, at: u32, len: u32) -> Result<&'a mut [u8]> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        bail!("the guest exports no memory");
    };
    let data = memory.data_mut(caller);
    let range = at as usize..at as usize + len as usize;
    let size = data.len();
    match data.get_mut(range) {
        Some(bytes) => Ok(bytes),
        None => bail!("{len} bytes at {at:#x} are outside of the guest's {size} bytes"),
    }
}

fn put(caller: &mut Caller<'_, Command>, at: u32, number: u32) -> Result<()> {
    bytes(caller, at, 4)?.copy_from_slice(&number.to_le_bytes());
    Ok(())
}

fn get(caller: &mut Caller<'_, Command>, at: u32) -> Result<u32> {
    let mut number = [0; 4];
    number.copy_from_slice(bytes(caller, at, 4)?);
    Ok(u32::from_le_bytes(number))
}

fn args_sizes_get(mut caller: Caller<'_, Command>, count: u32, len: u32) -> Result<i32> {
    let words = &caller.data().words;
    let total: usize = words.iter().map(|word| word.len() + 1).sum();
    let (words, total) = (u32::try_from(words.len())?, u32::try_from(total)?);
    put(&mut caller, count, words)?;
    put(&mut caller, len, total)?;
    Ok(SUCCESS)
}

fn args_get(mut caller: Caller<'_, Command>, mut places: u32, mut text: u32) -> Result<i32> {
    for word in caller.data().words.clone() {
        let len = u32::try_from(word.len())?;
        put(&mut caller, places, text)?;
        bytes(&mut caller, text, len)?.copy_from_slice(word.as_bytes());
        bytes(&mut caller, text + len, 1)?[0] = 0;
        places += 4;
        text += len + 1;
    }
    Ok(SUCCESS)
}

fn fd_write(
    mut caller: Caller<'_, Command>,
    file: u32,
    pieces: u32,
    count: u32,
    written: u32,
) -> Result<i32> {
    if file != 1 && file != 2 {
        return Ok(BAD_FILE);
    }
    let mut total = 0;
    for piece in 0..count {
        let at = get(&mut caller, pieces + 8 * piece)?;
        let len = get(&mut caller, pieces + 8 * piece + 4)?;
        let text = bytes(&mut caller, at, len)?.to_vec();
        match &mut caller.data_mut().printed {
            Some(printed) => printed.extend_from_slice(&text),
            None => say(format_args!("{}", String::from_utf8_lossy(&text))),
        }
        total += len;
    }
    put(&mut caller, written, total)?;
    Ok(SUCCESS)
}

fn fd_fdstat_get(mut caller: Caller<'_, Command>, file: u32, place: u32) -> Result<i32> {
    if file > 2 {
        return Ok(BAD_FILE);
    }
    let stat = bytes(&mut caller, place, 24)?;
    stat.fill(0);
    stat[0] = CHARACTER_DEVICE;
    stat[8..16].copy_from_slice(&WRITE_RIGHT.to_le_bytes());
    Ok(SUCCESS)
}

/// A linker with these functions.
pub(crate) fn linker(engine: &wasmtime::Engine) -> Result<Linker<Command>> {
    const WASI: &str = "wasi_snapshot_preview1";
    let mut linker = Linker::new(engine);
    linker.func_wrap(WASI, "args_sizes_get", args_sizes_get)?;
    linker.func_wrap(WASI, "args_get", args_get)?;
    linker.func_wrap(WASI, "fd_write", fd_write)?;
    linker.func_wrap(WASI, "fd_fdstat_get", fd_fdstat_get)?;
    linker.func_wrap(WASI, "fd_close", |_: u32| SUCCESS)?;
    linker.func_wrap(WASI, "fd_seek", |_: u32, _: u64, _: u32, _: u32| {
        NOT_SEEKABLE
    })?;
    linker.func_wrap(WASI, "proc_exit", |code: i32| -> Result<()> {
        Err(Exit(code).into())
    })?;
    Ok(linker)
}
