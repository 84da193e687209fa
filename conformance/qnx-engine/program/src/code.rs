//! The guests, compiled beforehand: for Pulley, and for the processor.
#![forbid(unsafe_code)]

use core::fmt;

/// What a guest was compiled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Bytecode for Wasmtime's interpreter.
    Pulley,
    /// Instructions of the processor.
    Native,
}

impl Code {
    pub(crate) const ALL: [Self; 2] = [Self::Pulley, Self::Native];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pulley => "pulley",
            Self::Native => "native",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A guest in both forms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pulley: &'static [u8],
    native: &'static [u8],
}

impl Guest {
    pub(crate) const fn code(&self, code: Code) -> &'static [u8] {
        match code {
            Code::Pulley => self.pulley,
            Code::Native => self.native,
        }
    }
}

// Whoever builds this names the folder of the compiled guests, and what native code was compiled for.
macro_rules! guest {
    ($name:literal) => {
        Guest {
            name: $name,
            pulley: include_bytes!(concat!(env!("GUESTS"), "/", $name, ".pulley64.cwasm")),
            native: include_bytes!(concat!(
                env!("GUESTS"),
                "/",
                $name,
                ".",
                env!("GUESTS_NATIVE"),
                ".cwasm"
            )),
        }
    };
}

/// Indexes words, and checks itself: a program of the everyday kind.
pub(crate) const WORD_INDEX: Guest = guest!("word-index");
/// Does one wrong thing, chosen by its argument.
pub(crate) const MISBEHAVE: Guest = guest!("misbehave");
/// Goes wrong and goes on.
pub(crate) const STEPS: Guest = guest!("steps");

/// The guests that are WASI commands.
pub(crate) const COMMANDS: [Guest; 2] = [WORD_INDEX, MISBEHAVE];
