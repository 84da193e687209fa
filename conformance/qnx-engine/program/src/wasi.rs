//! WASI for commands, as Wasmtime takes it.
#![forbid(unsafe_code)]

use core::fmt;

use qnx_guests::wasi::{Call, Command, MODULE, fd_close, fd_seek};
use wasmtime::{Caller, Engine, Extern, Linker, Result, bail};

/// A command left of its own will.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exit(pub(crate) i32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the guest left with exit code {}", self.0)
    }
}

impl core::error::Error for Exit {}

type Host<'a> = Caller<'a, Command>;

fn call<'a>(host: &'a mut Host<'_>) -> Result<Call<'a>> {
    let Some(Extern::Memory(memory)) = host.get_export("memory") else {
        bail!("the guest exports no memory");
    };
    let (memory, command) = memory.data_and_store_mut(host);
    Ok(Call { memory, command })
}

/// A linker with these functions.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Command>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        MODULE,
        "args_sizes_get",
        |mut host: Host<'_>, count: u32, len: u32| -> Result<i32> {
            Ok(call(&mut host)?.args_sizes_get(count, len)?)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "args_get",
        |mut host: Host<'_>, places: u32, text: u32| -> Result<i32> {
            Ok(call(&mut host)?.args_get(places, text)?)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut host: Host<'_>, file: u32, pieces: u32, count: u32, written: u32| -> Result<i32> {
            Ok(call(&mut host)?.fd_write(file, pieces, count, written)?)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_fdstat_get",
        |mut host: Host<'_>, file: u32, place: u32| -> Result<i32> {
            Ok(call(&mut host)?.fd_fdstat_get(file, place)?)
        },
    )?;
    linker.func_wrap(MODULE, "fd_close", fd_close)?;
    linker.func_wrap(MODULE, "fd_seek", fd_seek)?;
    linker.func_wrap(MODULE, "proc_exit", |code: i32| -> Result<()> {
        Err(Exit(code).into())
    })?;
    Ok(linker)
}
