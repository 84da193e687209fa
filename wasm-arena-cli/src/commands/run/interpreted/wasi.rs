//! As much of WASI preview 1 as a program needs that works on its arguments, its standard streams
//! and its memory.
//!
//! | functions | |
//! |---|---|
//! | `args_*`, `environ_*`, `proc_exit`, `sched_yield`, `random_get`, `clock_time_get`, `clock_res_get` | whole |
//! | `fd_read`, `fd_write`, `fd_fdstat_get`, `fd_seek`, `fd_tell`, `fd_close` | for the three standard streams |
//! | `fd_prestat_get`, `fd_prestat_dir_name` | there are no folders: bad file |
//! | everything else of preview 1 | is there, and answers "not supported" |
//!
//! There is a whole WASI for wasmi (`wasmi_wasi`). It brings a second implementation of WASI and its
//! own access to files beside the one that Wasmtime has here, which doubles what this program is made
//! of; so files are Wasmtime's business.

use core::ops::{Range, RangeInclusive};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmi::{Caller, Engine, Error, Extern, ExternType, Linker, Module, Val, ValType};

const WASI: &str = "wasi_snapshot_preview1";

// Error numbers of WASI preview 1.
const SUCCESS: i32 = 0;
const TRY_AGAIN: i32 = 6;
const BAD_FILE: i32 = 8;
const OVER_QUOTA: i32 = 19;
const BAD_POINTER: i32 = 21;
const FILE_TOO_LARGE: i32 = 22;
const INVALID: i32 = 28;
const IO: i32 = 29;
const NO_SPACE: i32 = 51;
const NOT_SUPPORTED: i32 = 52;
const BROKEN_PIPE: i32 = 64;
const NOT_SEEKABLE: i32 = 70;

/// The type of a file that is neither of the ones WASI has names for.
const CHARACTER_DEVICE: u8 = 2;
const RIGHT_TO_READ: u64 = 1 << 1;
const RIGHT_TO_WRITE: u64 = 1 << 6;

/// Bytes that are copied at once between a stream and the guest.
const CHUNK: usize = 64 << 10;

/// WASI permits a program these exit codes and no others.
const PERMITTED_EXITS: RangeInclusive<i32> = 0..=125;

/// Pieces of memory that one read or write looks at.
const PIECES: u32 = 1024;

/// What a program has.
#[derive(Debug)]
pub(super) struct Wasi {
    arguments: Vec<String>,
    variables: Vec<String>,
    streams: Streams,
    start: Instant,
}

/// Where a program writes, without a buffer between: what it is told was not written, is not written
/// later either.
#[derive(Debug)]
pub(super) struct Streams {
    output: File,
    errors: File,
}

impl Streams {
    /// Those of this process.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(super) fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            output: io::stdout().as_fd().try_clone_to_owned()?.into(),
            errors: io::stderr().as_fd().try_clone_to_owned()?.into(),
        })
    }

    fn to_write(&self, file: u32) -> Step<&File> {
        match file {
            1 => Ok(&self.output),
            2 => Ok(&self.errors),
            _ => Err(BAD_FILE),
        }
    }
}

impl Wasi {
    /// A program with these words (its name first), these variables and these streams.
    ///
    /// # Errors
    /// One of them holds a zero byte, which ends a text for the guest.
    pub(super) fn new(
        arguments: Vec<String>,
        variables: &[(String, String)],
        streams: Streams,
    ) -> Result<Self, String> {
        let variables: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        match arguments
            .iter()
            .chain(&variables)
            .find(|text| text.contains('\0'))
        {
            Some(text) => Err(format!("{text:?} holds a zero byte")),
            None => Ok(Self {
                arguments,
                variables,
                streams,
                start: Instant::now(),
            }),
        }
    }
}

/// Data of a store that has a [`Wasi`].
pub(super) trait HasWasi: 'static {
    fn wasi(&self) -> &Wasi;
}

/// A step of a function: an error is the number the guest gets.
type Step<T> = Result<T, i32>;

fn answer(step: Step<()>) -> i32 {
    step.err().unwrap_or(SUCCESS)
}

/// The guest's memory, for functions that are given pointers.
struct Memory<'a>(&'a mut [u8]);

impl<'a> Memory<'a> {
    fn of<D>(caller: &'a mut Caller<'_, D>) -> Step<Self> {
        Self::with_data(caller).map(|(memory, _)| memory)
    }

    fn with_data<D>(caller: &'a mut Caller<'_, D>) -> Step<(Self, &'a mut D)> {
        match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => {
                let (bytes, data) = memory.data_and_store_mut(caller);
                Ok((Self(bytes), data))
            }
            _ => Err(BAD_POINTER),
        }
    }

    fn range(at: u32, len: u32) -> Step<Range<usize>> {
        let start = at as usize;
        let end = start.checked_add(len as usize).ok_or(BAD_POINTER)?;
        Ok(start..end)
    }

    fn view(&self, at: u32, len: u32) -> Step<&[u8]> {
        self.0.get(Self::range(at, len)?).ok_or(BAD_POINTER)
    }

    fn bytes(&mut self, at: u32, len: u32) -> Step<&mut [u8]> {
        self.0.get_mut(Self::range(at, len)?).ok_or(BAD_POINTER)
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> Step<()> {
        let len = u32::try_from(bytes.len()).map_err(|_| BAD_POINTER)?;
        self.bytes(at, len)?.copy_from_slice(bytes);
        Ok(())
    }

    fn put_u32(&mut self, at: u32, number: usize) -> Step<()> {
        let number = u32::try_from(number).map_err(|_| INVALID)?;
        self.put(at, &number.to_le_bytes())
    }

    fn get_u32(&self, at: u32) -> Step<u32> {
        let mut number = [0; 4];
        number.copy_from_slice(self.view(at, 4)?);
        Ok(u32::from_le_bytes(number))
    }

    /// How many texts there are, and how long they are together with their ends.
    fn put_sizes(&mut self, texts: &[String], count: u32, len: u32) -> Step<()> {
        self.put_u32(count, texts.len())?;
        self.put_u32(len, texts.iter().map(|text| text.len() + 1).sum())
    }

    /// The texts, one after the other, and where each starts.
    fn put_texts(&mut self, texts: &[String], mut places: u32, mut at: u32) -> Step<()> {
        for text in texts {
            self.put_u32(places, at as usize)?;
            self.put(at, text.as_bytes())?;
            let len = u32::try_from(text.len()).map_err(|_| INVALID)?;
            let end = at.checked_add(len).ok_or(BAD_POINTER)?;
            self.put(end, &[0])?;
            places = places.checked_add(4).ok_or(BAD_POINTER)?;
            at = end.checked_add(1).ok_or(BAD_POINTER)?;
        }
        Ok(())
    }

    /// The pieces of memory that a list of them names: where each is, and how long. No more than
    /// [`PIECES`]; a read or a write may do less than it was asked for.
    fn pieces(&self, list: u32, count: u32) -> Step<Vec<(u32, u32)>> {
        (0..count.min(PIECES))
            .map(|piece| {
                let place = piece
                    .checked_mul(8)
                    .and_then(|offset| list.checked_add(offset));
                let place = place.ok_or(BAD_POINTER)?;
                let len = place.checked_add(4).ok_or(BAD_POINTER)?;
                Ok((self.get_u32(place)?, self.get_u32(len)?))
            })
            .collect()
    }
}

/// The number the guest gets for an error of the system.
fn error_number(error: &io::Error) -> i32 {
    match error.kind() {
        ErrorKind::WouldBlock => TRY_AGAIN,
        ErrorKind::QuotaExceeded => OVER_QUOTA,
        ErrorKind::FileTooLarge => FILE_TOO_LARGE,
        ErrorKind::StorageFull => NO_SPACE,
        ErrorKind::BrokenPipe => BROKEN_PIPE,
        _ => IO,
    }
}

/// Writes as much as the system takes at once.
fn fd_write<D: HasWasi>(
    mut caller: Caller<'_, D>,
    file: u32,
    list: u32,
    count: u32,
    done: u32,
) -> i32 {
    answer((|| {
        let (mut memory, data) = Memory::with_data(&mut caller)?;
        let mut output = data.wasi().streams.to_write(file)?;
        // Before anything is written.
        memory.view(done, 4)?;
        let pieces = memory.pieces(list, count)?.into_iter();
        let views = pieces.map(|(at, len)| memory.view(at, len).map(IoSlice::new));
        let views: Vec<_> = views.collect::<Step<_>>()?;
        let written = loop {
            match output.write_vectored(&views) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.map_err(|error| error_number(&error))?,
            }
        };
        memory.put_u32(done, written)
    })())
}

/// Reads into the first piece that is not empty, as much as there is.
fn fd_read<D>(mut caller: Caller<'_, D>, file: u32, list: u32, count: u32, done: u32) -> i32 {
    answer((|| {
        if file != 0 {
            return Err(BAD_FILE);
        }
        let mut memory = Memory::of(&mut caller)?;
        let pieces = memory.pieces(list, count)?;
        let mut total = 0;
        if let Some(&(at, len)) = pieces.iter().find(|(_, len)| *len > 0) {
            let target = memory.bytes(at, len)?;
            let chunk = target.len().min(CHUNK);
            total = io::stdin()
                .lock()
                .read(&mut target[..chunk])
                .map_err(|error| error_number(&error))?;
        }
        memory.put_u32(done, total)
    })())
}

fn fd_fdstat_get<D>(mut caller: Caller<'_, D>, file: u32, place: u32) -> i32 {
    answer((|| {
        let rights = match file {
            0 => RIGHT_TO_READ,
            1 | 2 => RIGHT_TO_WRITE,
            _ => return Err(BAD_FILE),
        };
        let mut memory = Memory::of(&mut caller)?;
        let stat = memory.bytes(place, 24)?;
        stat.fill(0);
        stat[0] = CHARACTER_DEVICE;
        stat[8..16].copy_from_slice(&rights.to_le_bytes());
        Ok(())
    })())
}

fn random_get<D>(mut caller: Caller<'_, D>, at: u32, len: u32) -> i32 {
    answer((|| {
        let mut memory = Memory::of(&mut caller)?;
        getrandom::fill(memory.bytes(at, len)?).map_err(|_| IO)
    })())
}

/// The time of a clock in nanoseconds: 0 is the calendar's, 1 goes on evenly.
fn clock_time_get<D: HasWasi>(mut caller: Caller<'_, D>, clock: u32, _: u64, place: u32) -> i32 {
    answer((|| {
        let time = match clock {
            0 => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_err(|_| IO)?,
            1 => caller.data().wasi().start.elapsed(),
            _ => return Err(INVALID),
        };
        let nanoseconds = u64::try_from(time.as_nanos()).map_err(|_| INVALID)?;
        Memory::of(&mut caller)?.put(place, &nanoseconds.to_le_bytes())
    })())
}

fn clock_res_get<D>(mut caller: Caller<'_, D>, clock: u32, place: u32) -> i32 {
    answer((|| {
        if clock > 1 {
            return Err(INVALID);
        }
        Memory::of(&mut caller)?.put(place, &1_u64.to_le_bytes())
    })())
}

/// The texts of one kind, for functions that come in pairs.
fn texts<D: HasWasi>(caller: &Caller<'_, D>, arguments: bool) -> Vec<String> {
    let wasi = caller.data().wasi();
    if arguments {
        &wasi.arguments
    } else {
        &wasi.variables
    }
    .clone()
}

/// A linker with WASI for this module.
///
/// # Errors
/// wasmi's, which would be a mistake here.
pub(super) fn linker<D: HasWasi>(engine: &Engine, module: &Module) -> Result<Linker<D>, Error> {
    let mut linker = Linker::new(engine);
    for (prefix, arguments) in [("args", true), ("environ", false)] {
        linker.func_wrap(
            WASI,
            &format!("{prefix}_sizes_get"),
            move |mut caller: Caller<'_, D>, count: u32, len: u32| {
                let texts = texts(&caller, arguments);
                answer(
                    Memory::of(&mut caller)
                        .and_then(|mut memory| memory.put_sizes(&texts, count, len)),
                )
            },
        )?;
        linker.func_wrap(
            WASI,
            &format!("{prefix}_get"),
            move |mut caller: Caller<'_, D>, places: u32, at: u32| {
                let texts = texts(&caller, arguments);
                answer(
                    Memory::of(&mut caller)
                        .and_then(|mut memory| memory.put_texts(&texts, places, at)),
                )
            },
        )?;
    }
    linker.func_wrap(WASI, "fd_write", fd_write::<D>)?;
    linker.func_wrap(WASI, "fd_read", fd_read::<D>)?;
    linker.func_wrap(WASI, "fd_fdstat_get", fd_fdstat_get::<D>)?;
    linker.func_wrap(WASI, "random_get", random_get::<D>)?;
    linker.func_wrap(WASI, "clock_time_get", clock_time_get::<D>)?;
    linker.func_wrap(WASI, "clock_res_get", clock_res_get::<D>)?;
    let standard = |file: u32, otherwise| if file < 3 { otherwise } else { BAD_FILE };
    linker.func_wrap(WASI, "fd_close", move |file: u32| standard(file, SUCCESS))?;
    linker.func_wrap(WASI, "fd_seek", move |file: u32, _: u64, _: u32, _: u32| {
        standard(file, NOT_SEEKABLE)
    })?;
    linker.func_wrap(WASI, "fd_tell", move |file: u32, _: u32| {
        standard(file, NOT_SEEKABLE)
    })?;
    linker.func_wrap(WASI, "fd_prestat_get", |_: u32, _: u32| BAD_FILE)?;
    linker.func_wrap(WASI, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| {
        BAD_FILE
    })?;
    linker.func_wrap(WASI, "sched_yield", || {
        std::thread::yield_now();
        SUCCESS
    })?;
    linker.func_wrap(WASI, "proc_exit", |status: i32| -> Result<(), Error> {
        Err(if PERMITTED_EXITS.contains(&status) {
            Error::i32_exit(status)
        } else {
            Error::new(format!("exit with {status}, outside of 0 to 125"))
        })
    })?;
    define_the_rest(&mut linker, module)?;
    Ok(linker)
}

/// What preview 1 has beside that, by name.
const REST: [&str; 29] = [
    "fd_advise",
    "fd_allocate",
    "fd_datasync",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_pwrite",
    "fd_readdir",
    "fd_renumber",
    "fd_sync",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_raise",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// Functions that say they are not supported, of the types that the module imports.
fn define_the_rest<D: HasWasi>(linker: &mut Linker<D>, module: &Module) -> Result<(), Error> {
    let mut defined: Vec<&str> = Vec::new();
    for import in module.imports() {
        let ExternType::Func(of_type) = import.ty() else {
            continue;
        };
        let known = REST.contains(&import.name()) && !defined.contains(&import.name());
        if import.module() == WASI && known && of_type.results() == [ValType::I32] {
            defined.push(import.name());
            linker.func_new(WASI, import.name(), of_type.clone(), |_, _, results| {
                results[0] = Val::I32(NOT_SUPPORTED);
                Ok(())
            })?;
        }
    }
    Ok(())
}
