//! What a trap means, in the guest's terms: which instruction of which function, on which memory
//! and offset, and how the guest got there.

mod instruction;

use core::fmt::Write;

use serde::Serialize;
use wasmparser::ExternalKind;
use wasmtime::{FrameInfo, WasmBacktrace};

use super::module::GuestModule;
use super::report::Memory;
use crate::size::{grouped, human};
use instruction::Instruction;

/// How many calls a backtrace shows at most.
pub(super) const FRAMES: usize = 20;

/// A trap, explained.
#[derive(Debug, Serialize)]
pub(super) struct Trap {
    /// The engine's name for it, in words joined by underscores.
    pub(super) kind: String,
    /// One sentence.
    pub(super) message: String,
    pub(super) function: Option<String>,
    /// Offset of the instruction from the start of the binary module.
    pub(super) module_offset: Option<u64>,
    /// As in the text format.
    pub(super) instruction: Option<String>,
    /// The memory the instruction works on.
    pub(super) memory_index: Option<u32>,
    /// The offset that the instruction adds to its operand.
    pub(super) static_offset: Option<u64>,
    /// How many bytes it accesses.
    pub(super) access_bytes: Option<u64>,
    /// The first byte outside the memory that was touched, if the engine knows.
    pub(super) fault_offset: Option<u64>,
    /// Innermost first.
    pub(super) backtrace: Vec<Frame>,
}

/// A function on the guest's call stack.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Frame {
    pub(super) function: String,
    pub(super) function_index: u32,
    pub(super) module_offset: Option<u64>,
    /// File and line, where the module has debug information.
    pub(super) source: Option<String>,
}

impl Trap {
    /// Explains `error`, which ended the run of `module`.
    pub(super) fn explain(error: &wasmtime::Error, module: &GuestModule) -> Self {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let frames = backtrace.map_or(&[][..], WasmBacktrace::frames);
        let exports = module.exports(ExternalKind::Func);
        let backtrace: Vec<Frame> = frames
            .iter()
            .map(|frame| Frame::of(frame, &exports))
            .collect();
        let (kind, message) = match error.downcast_ref::<wasmtime::Trap>() {
            Some(trap) => {
                let said = trap.to_string();
                let said = said.strip_prefix("wasm trap: ").unwrap_or(&said);
                (words(&format!("{trap:?}")), said.to_owned())
            }
            // A host function refused to go on.
            None => ("host_error".to_owned(), error.root_cause().to_string()),
        };
        let place = backtrace.first();
        let module_offset = place.and_then(|frame| frame.module_offset);
        let instruction = module_offset
            .filter(|_| kind != "host_error")
            .and_then(|offset| Instruction::at(&module.bytes, offset));
        Self {
            fault_offset: fault_offset(error),
            function: place.map(|frame| frame.function.clone()),
            module_offset,
            memory_index: instruction.as_ref().and_then(|found| found.memory),
            static_offset: instruction.as_ref().and_then(|found| found.offset),
            access_bytes: instruction.as_ref().and_then(|found| found.bytes),
            instruction: instruction.map(|found| text_of(found, &kind)),
            kind,
            message,
            backtrace,
        }
    }

    /// A trap of which the engine tells only what it was: a name of capitalised words, or none if a
    /// host function refused, and a sentence.
    pub(super) fn unexplained(name: Option<&str>, message: String) -> Self {
        Self {
            kind: name.map_or_else(|| "host_error".to_owned(), words),
            message,
            function: None,
            module_offset: None,
            instruction: None,
            memory_index: None,
            static_offset: None,
            access_bytes: None,
            fault_offset: None,
            backtrace: Vec::new(),
        }
    }

    /// The explanation for people: several lines, the first without a prefix.
    pub(super) fn to_text(&self, memories: &[Memory]) -> String {
        let mut text = format!("trap: {}\n", self.message);
        let mut line = |label: &str, what: &str| {
            let written = writeln!(text, "  {label:<13}{what}");
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        };
        if let Some(instruction) = &self.instruction {
            line("instruction", instruction);
        }
        if self.kind == "memory_out_of_bounds" {
            line("access", &self.access(memories));
        }
        if let Some(function) = &self.function {
            let place = self.module_offset.map_or(String::new(), |offset| {
                format!(", at {offset:#x} of the module")
            });
            line("in", &format!("{function}{place}"));
        }
        for memory in memories {
            line(
                &format!("memory {}", memory.index),
                &format!(
                    "{} pages, {} ({}), ends at {:#x}",
                    grouped(memory.final_pages),
                    human(memory.final_bytes),
                    grouped(memory.final_bytes),
                    memory.final_bytes
                ),
            );
        }
        for (number, called) in runs(&self.backtrace).into_iter().enumerate() {
            let label = if number == 0 { "backtrace" } else { "" };
            line(label, &called);
        }
        if self.backtrace.len() == FRAMES {
            line("", &format!("(these are the innermost {FRAMES} calls)"));
        }
        text
    }

    /// What is known of the address of an access out of bounds.
    fn access(&self, memories: &[Memory]) -> String {
        let memory = self.memory_index.unwrap_or(0);
        let of_memory = memories
            .iter()
            .find(|known| u32::try_from(known.index) == Ok(memory));
        let end = of_memory.map_or(String::new(), |known| {
            format!(", which ends at {:#x}", known.final_bytes)
        });
        let bytes = self.access_bytes.map_or("bytes".to_owned(), |count| {
            format!("{count} byte{}", if count == 1 { "" } else { "s" })
        });
        match (self.fault_offset, self.static_offset) {
            (Some(offset), _) => {
                format!("{bytes}; first outside is offset {offset:#x} of memory {memory}{end}")
            }
            (None, Some(added)) => format!(
                "{bytes} at (operand + {added}) of memory {memory}{end}; \
                 compared before the access, the operand is not kept"
            ),
            (None, None) => format!(
                "a range of memory {memory}{end}; \
                 compared before the access, the operands are not kept"
            ),
        }
    }
}

impl Frame {
    fn of(frame: &FrameInfo, exports: &[(String, u32)]) -> Self {
        let index = frame.func_index();
        let symbol = frame.symbols().first();
        let name = symbol
            .and_then(wasmtime::FrameSymbol::name)
            .or_else(|| frame.func_name())
            .or_else(|| {
                let mut exports = exports.iter();
                let found = exports.find(|(_, exported)| *exported == index);
                found.map(|(name, _)| name.as_str())
            });
        let source = symbol.and_then(|symbol| {
            let file = symbol.file()?;
            Some(match symbol.line() {
                Some(line) => format!("{file}:{line}"),
                None => file.to_owned(),
            })
        });
        Self {
            function: name.map_or_else(|| format!("function {index}"), demangled),
            function_index: index,
            module_offset: frame.module_offset().map(|offset| offset as u64),
            source,
        }
    }
}

/// Compiled code jumps to the trap of an `unreachable` from the branch before it, and that is where
/// the engine says it was.
fn text_of(found: Instruction, kind: &str) -> String {
    if kind == "unreachable_code_reached" && found.text != "unreachable" {
        format!(
            "unreachable (by way of the `{}` at this offset)",
            found.text
        )
    } else {
        found.text
    }
}

/// A name as its author wrote it.
fn demangled(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    match cpp_demangle::Symbol::new(name) {
        Ok(cpp) => cpp.demangle().unwrap_or_else(|_| name.to_owned()),
        Err(_) => name.to_owned(),
    }
}

/// One line for each frame, and one for each run of the same frame.
fn runs(frames: &[Frame]) -> Vec<String> {
    frames
        .chunk_by(|left, right| left == right)
        .map(|run| {
            let frame = &run[0];
            let mut text = frame.function.clone();
            if let Some(offset) = frame.module_offset {
                text += &format!(" at {offset:#x}");
            }
            if let Some(source) = &frame.source {
                text += &format!(" ({source})");
            }
            if run.len() > 1 {
                text += &format!(", {} times", run.len());
            }
            text
        })
        .collect()
}

/// The address the engine attaches when the processor noticed the access. It is public only in
/// words: `memory fault at wasm address 0x20000 in linear memory of size 0x20000`.
fn fault_offset(error: &wasmtime::Error) -> Option<u64> {
    error.chain().find_map(|cause| {
        let said = cause.to_string();
        let digits = said
            .strip_prefix("memory fault at wasm address 0x")?
            .split_whitespace()
            .next()?;
        u64::from_str_radix(digits, 16).ok()
    })
}

/// `MemoryOutOfBounds` as `memory_out_of_bounds`.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{Frame, demangled, runs, words};

    #[test]
    fn names_are_those_of_the_source() {
        assert_eq!(words("MemoryOutOfBounds"), "memory_out_of_bounds");
        assert_eq!(words("Interrupt"), "interrupt");
        assert_eq!(
            demangled("_ZN4core3fmt5write17h0123456789abcdefE"),
            "core::fmt::write"
        );
        assert_eq!(demangled("_ZN3foo3barEv"), "foo::bar()");
        assert_eq!(demangled("main"), "main");
    }

    #[test]
    fn recursion_takes_one_line() {
        let frame = |function: &str, offset| Frame {
            function: function.to_owned(),
            function_index: 1,
            module_offset: Some(offset),
            source: None,
        };
        let frames = [frame("descend", 9), frame("descend", 9), frame("main", 20)];
        assert_eq!(runs(&frames), ["descend at 0x9, 2 times", "main at 0x14"]);
    }
}
