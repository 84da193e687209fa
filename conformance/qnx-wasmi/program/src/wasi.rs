//! WASI for commands, as wasmi takes it.
#![forbid(unsafe_code)]

use alloc::format;

use qnx_guests::wasi::{Call, Command, MODULE, Outside, fd_close, fd_seek};
use wasm_arena_wasmi::Guest;
use wasmi::{Caller, Engine, Error, Extern, Linker};

type Host<'a> = Caller<'a, Guest<Command>>;

fn call<'a>(host: &'a mut Host<'_>) -> Result<Call<'a>, Error> {
    let Some(Extern::Memory(memory)) = host.get_export("memory") else {
        return Err(Error::new("the guest exports no memory"));
    };
    let (memory, command) = memory.data_and_store_mut(host);
    Ok(Call { memory, command })
}

fn trap(outside: Outside) -> Error {
    Error::new(format!("{outside}"))
}

/// A linker with these functions.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest<Command>>, Error> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        MODULE,
        "args_sizes_get",
        |mut host: Host<'_>, count: u32, len: u32| {
            call(&mut host)?.args_sizes_get(count, len).map_err(trap)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "args_get",
        |mut host: Host<'_>, places: u32, text: u32| {
            call(&mut host)?.args_get(places, text).map_err(trap)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut host: Host<'_>, file: u32, pieces: u32, count: u32, written: u32| {
            let mut call = call(&mut host)?;
            call.fd_write(file, pieces, count, written).map_err(trap)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_fdstat_get",
        |mut host: Host<'_>, file: u32, place: u32| {
            call(&mut host)?.fd_fdstat_get(file, place).map_err(trap)
        },
    )?;
    linker.func_wrap(MODULE, "fd_close", fd_close)?;
    linker.func_wrap(MODULE, "fd_seek", fd_seek)?;
    linker.func_wrap(MODULE, "proc_exit", |code: i32| -> Result<(), Error> {
        Err(Error::i32_exit(code))
    })?;
    Ok(linker)
}
