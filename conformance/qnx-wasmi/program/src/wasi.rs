//! As much of WASI preview 1 as the commands in this program import: arguments, output, an exit.
#![forbid(unsafe_code)]

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use qnx_program::output::say;
use wasm_arena_wasmi::Guest;
use wasmi::{Caller, Engine, Error, Extern, Linker};

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

type Host<'a> = Caller<'a, Guest<Command>>;

/// A range of the guest's memory; a wrong pointer is the guest's fault, and traps.
fn bytes<'a>(host: &'a mut Host<'_>, at: u32, len: u32) -> Result<&'a mut [u8], Error> {
    let Some(Extern::Memory(memory)) = host.get_export("memory") else {
        return Err(Error::new("the guest exports no memory"));
    };
    let data = memory.data_mut(host);
    let size = data.len();
    let end = (at as usize).checked_add(len as usize);
    end.and_then(|end| data.get_mut(at as usize..end))
        .ok_or_else(|| {
            Error::new(format!(
                "{len} bytes at {at:#x} are outside of the guest's {size} bytes"
            ))
        })
}

fn put(host: &mut Host<'_>, at: u32, number: u32) -> Result<(), Error> {
    bytes(host, at, 4)?.copy_from_slice(&number.to_le_bytes());
    Ok(())
}

fn get(host: &mut Host<'_>, at: u32) -> Result<u32, Error> {
    let mut number = [0; 4];
    number.copy_from_slice(bytes(host, at, 4)?);
    Ok(u32::from_le_bytes(number))
}

/// A length for the guest; the words of a command line are short.
fn short(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn args_sizes_get(mut host: Host<'_>, count: u32, len: u32) -> Result<i32, Error> {
    let words = &host.data().words;
    let total: usize = words.iter().map(|word| word.len() + 1).sum();
    let (words, total) = (short(words.len()), short(total));
    put(&mut host, count, words)?;
    put(&mut host, len, total)?;
    Ok(SUCCESS)
}

fn args_get(mut host: Host<'_>, mut places: u32, mut text: u32) -> Result<i32, Error> {
    for word in host.data().words.clone() {
        let len = short(word.len());
        put(&mut host, places, text)?;
        bytes(&mut host, text, len)?.copy_from_slice(word.as_bytes());
        let end = text.wrapping_add(len);
        bytes(&mut host, end, 1)?[0] = 0;
        places = places.wrapping_add(4);
        text = end.wrapping_add(1);
    }
    Ok(SUCCESS)
}

fn fd_write(
    mut host: Host<'_>,
    file: u32,
    pieces: u32,
    count: u32,
    written: u32,
) -> Result<i32, Error> {
    if file != 1 && file != 2 {
        return Ok(BAD_FILE);
    }
    let mut total = 0_u32;
    for piece in 0..count {
        let place = pieces.wrapping_add(piece.wrapping_mul(8));
        let at = get(&mut host, place)?;
        let len = get(&mut host, place.wrapping_add(4))?;
        let text = bytes(&mut host, at, len)?.to_vec();
        match &mut host.data_mut().printed {
            Some(printed) => printed.extend_from_slice(&text),
            None => say(format_args!("{}", String::from_utf8_lossy(&text))),
        }
        total = total.wrapping_add(len);
    }
    put(&mut host, written, total)?;
    Ok(SUCCESS)
}

fn fd_fdstat_get(mut host: Host<'_>, file: u32, place: u32) -> Result<i32, Error> {
    if file > 2 {
        return Ok(BAD_FILE);
    }
    let stat = bytes(&mut host, place, 24)?;
    stat.fill(0);
    stat[0] = CHARACTER_DEVICE;
    stat[8..16].copy_from_slice(&WRITE_RIGHT.to_le_bytes());
    Ok(SUCCESS)
}

/// A linker with these functions.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest<Command>>, Error> {
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
    linker.func_wrap(WASI, "proc_exit", |code: i32| -> Result<(), Error> {
        Err(Error::i32_exit(code))
    })?;
    Ok(linker)
}
