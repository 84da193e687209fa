//! The options of `wasm-arena run`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use wasm_arena::{GuardSize, VerificationLevel};

use crate::exit::{self, Failure};
use crate::size;

const EXAMPLES: &str = "\
Sizes are bytes, or a number with k, m, g or t (powers of 1024): 65536, 64k, 2MiB, 1g.

Examples:
  wasm-arena run examples/guests/word-index.wasm
  wasm-arena run --strategy bounded --budget 16m program.wasm -- --verbose input.txt
  wasm-arena run --dir ./data::/data --report json --report-file report.json program.wasm
  wasm-arena run --invoke add examples/guests/memories.wat -- 2 40
  wasm-arena run --engine wasmi --max-pages 512 examples/guests/word-index.wasm
  wasm-arena run --verify full --invoke step --repeat 100 --pause 20 task.wasm
";

/// Arguments of `wasm-arena run`.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n{}", exit::HELP))]
pub(crate) struct RunOptions {
    /// The module: WebAssembly, binary or text (told apart by content).
    pub(crate) module: PathBuf,

    /// What the guest gets as arguments; with --invoke, the numbers the function is called with.
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<String>,

    /// Call this exported function instead of the program's start; results are printed, one a line.
    #[arg(long, value_name = "NAME")]
    pub(crate) invoke: Option<String>,

    /// Call it so many times, one after the other; the results printed are those of the last call.
    #[arg(long, value_name = "N", requires = "invoke", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: Option<u64>,

    /// Pause between two calls of --repeat, in milliseconds.
    #[arg(long, value_name = "MS", requires = "repeat")]
    pub(crate) pause: Option<u64>,

    /// Give the guest a folder of the host, under its own name or another.
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_parser = parse_folder)]
    pub(crate) folders: Vec<Folder>,

    /// Set an environment variable of the guest; it gets none of the host's.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub(crate) variables: Vec<(String, String)>,

    /// What runs the guest.
    #[arg(long, value_enum, default_value_t = EngineName::Wasmtime)]
    pub(crate) engine: EngineName,

    /// How compiled code is kept inside its memory [default: reserved; an interpreter compares
    /// every access, which is bounded].
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<StrategyName>,

    /// Where linear memory comes from.
    #[arg(long, value_enum, default_value_t = SystemName::Arena)]
    pub(crate) system: SystemName,

    /// Size of an arena: a multiple of the host page, at most 256k [default: 32k].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) arena_size: Option<usize>,

    /// How many released regions and arenas are kept for reuse [default: 12].
    #[arg(long, value_name = "N")]
    pub(crate) cache_blocks: Option<usize>,

    /// How many bytes the kept regions may hold together; 0: no limit by bytes [default: 0].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) cache_bytes: Option<usize>,

    /// Reuse what was released last rather than first.
    #[arg(long)]
    pub(crate) lifo: bool,

    /// Keep everything that is released, whatever the limits.
    #[arg(long)]
    pub(crate) hold: bool,

    /// Guard before and after each memory: a multiple of the host page; 0: none [default: one
    /// host page, or what the strategy needs].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) guard: Option<usize>,

    /// The most pages of 64 KiB that any one memory may have, whatever the module says.
    #[arg(long, value_name = "N")]
    pub(crate) max_pages: Option<u64>,

    /// The most bytes that all memories may have together.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) budget: Option<usize>,

    /// How much the allocator checks itself [default: standard]. With full and critical also what
    /// memories hold: they are under checksums while the guest does not run, verified before each
    /// call.
    #[arg(long, value_name = "LEVEL", value_parser = verification_level())]
    pub(crate) verify: Option<VerificationLevel>,

    /// The memory report at the end, on stderr unless a file is given.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) report: ReportFormat,

    /// Write the report to this file instead; it appears whole or not at all.
    #[arg(long, value_name = "PATH")]
    pub(crate) report_file: Option<PathBuf>,
}

/// What runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// Wasmtime: compiles the guest to code of this machine.
    Wasmtime,
    /// wasmi: interprets it; no code is generated.
    Wasmi,
}

impl EngineName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wasmtime => "wasmtime",
            Self::Wasmi => "wasmi",
        }
    }
}

/// How compiled code is kept inside its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyName {
    /// Every access is checked by an instruction; little address space.
    Bounded,
    /// The whole index range is reserved, and stray accesses fault; fastest.
    Reserved,
}

impl StrategyName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bounded => "bounded",
            Self::Reserved => "reserved",
        }
    }
}

/// Where linear memory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SystemName {
    /// Arenas, with the settings below.
    Arena,
    /// A mapping of its own for each memory.
    Mapped,
    /// The engine's own memory, for comparison; the settings of arenas do not apply.
    Stock,
}

impl SystemName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Arena => "arena",
            Self::Mapped => "mapped",
            Self::Stock => "stock",
        }
    }
}

/// The form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    Text,
    /// For programs; the keys are documented in docs/report.md.
    Json,
    /// None.
    None,
}

/// A folder of the host that the guest may use.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
}

fn parse_folder(text: &str) -> Result<Folder, String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("expected HOST or HOST::GUEST, neither of them empty".to_owned());
    }
    Ok(Folder {
        host: host.into(),
        guest: guest.to_owned(),
    })
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn verification_level() -> impl TypedValueParser<Value = VerificationLevel> {
    PossibleValuesParser::new(VerificationLevel::ALL.map(VerificationLevel::name)).try_map(|name| {
        let mut levels = VerificationLevel::ALL.into_iter();
        levels
            .find(|level| level.name() == name)
            .ok_or("no such level")
    })
}

impl RunOptions {
    /// Refuses combinations in which an option would silently mean nothing.
    ///
    /// # Errors
    /// Names the option.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.report == ReportFormat::None && self.report_file.is_some() {
            return Err(Failure::usage(
                "--report none leaves nothing for --report-file",
            ));
        }
        if self.engine == EngineName::Wasmi {
            self.check_interpreted()?;
        }
        if self.system != SystemName::Stock {
            return Ok(());
        }
        let meaningless = [
            ("--arena-size", self.arena_size.is_some()),
            ("--cache-blocks", self.cache_blocks.is_some()),
            ("--cache-bytes", self.cache_bytes.is_some()),
            ("--lifo", self.lifo),
            ("--hold", self.hold),
            ("--guard", self.guard.is_some()),
            ("--budget", self.budget.is_some()),
            ("--verify", self.verify.is_some()),
        ];
        match meaningless.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Failure::usage(format_args!(
                "{option} does not apply to --system stock, which is {} own memory",
                match self.engine {
                    EngineName::Wasmtime => "Wasmtime's",
                    EngineName::Wasmi => "wasmi's",
                }
            ))),
            None => Ok(()),
        }
    }

    /// Refuses what an interpreter has nothing of.
    fn check_interpreted(&self) -> Result<(), Failure> {
        if self.strategy == Some(StrategyName::Reserved) {
            return Err(Failure::usage(
                "--strategy reserved does not apply to --engine wasmi, which compares every access",
            ));
        }
        if !self.folders.is_empty() {
            return Err(Failure::usage(
                "--dir needs --engine wasmtime: with wasmi a guest has arguments, variables and the \
                 standard streams, and no files",
            ));
        }
        match self.contents_level() {
            Some(level) => Err(Failure::usage(format_args!(
                "--verify {level} watches what memories hold, which needs --engine wasmtime; \
                 with wasmi it can be off, sampling or standard"
            ))),
            None => Ok(()),
        }
    }

    /// The strategy in force.
    pub(crate) fn strategy(&self) -> StrategyName {
        self.strategy.unwrap_or(match self.engine {
            EngineName::Wasmtime => StrategyName::Reserved,
            EngineName::Wasmi => StrategyName::Bounded,
        })
    }

    /// The level at which what memories hold is verified, if it is.
    pub(crate) fn contents_level(&self) -> Option<VerificationLevel> {
        self.verify
            .filter(|&level| level >= VerificationLevel::Full)
    }

    /// The guard asked for, if any was.
    pub(crate) fn guard_size(&self) -> Option<GuardSize> {
        self.guard.map(|bytes| match bytes {
            0 => GuardSize::None,
            bytes => GuardSize::Bytes(bytes),
        })
    }

    /// The host's cap on each memory, in bytes. A cap beyond the address space caps nothing.
    pub(crate) fn maximum_bytes(&self) -> Option<usize> {
        let pages = usize::try_from(self.max_pages?).unwrap_or(usize::MAX);
        Some(
            pages
                .saturating_mul(wasm_arena::WASM_PAGE_SIZE)
                .min(isize::MAX as usize),
        )
    }
}
