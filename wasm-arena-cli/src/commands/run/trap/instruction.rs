//! One instruction of a module, found by its offset and written as in the text format.

use wasmparser::{MemArg, MemArgTarget, Operator, Parser, Payload};

/// What a trap wants to know of an instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// `i32.load8_u offset=16 (memory 0)`.
    pub(super) text: String,
    /// The memory it works on.
    pub(super) memory: Option<u32>,
    /// What a load or store adds to its operand.
    pub(super) offset: Option<u64>,
    /// How many bytes a load or store accesses.
    pub(super) bytes: Option<u64>,
}

impl Instruction {
    /// The instruction that starts at `offset` from the start of the binary module.
    pub(super) fn at(module: &[u8], offset: u64) -> Option<Self> {
        for payload in Parser::new(0).parse_all(module) {
            let Payload::CodeSectionEntry(body) = payload.ok()? else {
                continue;
            };
            if !body.range().contains(&offset) {
                continue;
            }
            let mut operators = body.get_operators_reader().ok()?;
            while operators.original_position() < offset {
                operators.read().ok()?;
            }
            // Between two instructions: the offset is not one of this module.
            if operators.original_position() > offset {
                return None;
            }
            return operators.read().ok().map(|found| Self::of(&found));
        }
        None
    }

    fn of(operator: &Operator<'_>) -> Self {
        let (visitor, argument, memory) = parts(operator);
        let mut text = mnemonic(visitor.strip_prefix("visit_").unwrap_or(visitor));
        // An array of objects is no memory.
        let argument = argument.and_then(|argument| match argument.target {
            MemArgTarget::Memory(memory) => Some((argument, memory)),
            MemArgTarget::Array(_) => None,
        });
        let memory = argument.map(|(_, memory)| memory).or(memory);
        let argument = argument.map(|(argument, _)| argument);
        if let Some(argument) = argument.filter(|argument| argument.offset > 0) {
            text += &format!(" offset={}", argument.offset);
        }
        if let Some(memory) = memory {
            text += &format!(" (memory {memory})");
        }
        Self {
            text,
            memory,
            offset: argument.map(|argument| argument.offset),
            bytes: argument.map(|argument| 1 << argument.max_align),
        }
    }
}

/// The visitor's name for an operator, its memory argument, and the memory it names otherwise
/// (the destination, where there are two).
fn parts(operator: &Operator<'_>) -> (&'static str, Option<MemArg>, Option<u32>) {
    let (mut argument, mut memory) = (None, None);
    macro_rules! match_operator {
        ($(
            @$proposal:ident $name:ident $({ $($field:ident: $type:ty),* })? => $visit:ident
            ($($arity:tt)*)
        )*) => {
            match operator {
                $(
                    #[allow(unused_variables, reason = "most fields tell nothing of memory")]
                    Operator::$name $({ $($field),* })? => {
                        $($( match_operator!(field $field $field); )*)?
                        stringify!($visit)
                    }
                )*
                _ => "visit_unknown",
            }
        };
        (field memarg $value:ident) => { argument = Some(*$value) };
        (field mem $value:ident) => { memory = Some(*$value) };
        (field dst_mem $value:ident) => { memory = Some(*$value) };
        (field $other:ident $value:ident) => {};
    }
    let visitor = wasmparser::for_each_operator!(match_operator);
    (visitor, argument, memory)
}

/// `i32_load8_u` as `i32.load8_u`.
fn mnemonic(visitor: &str) -> String {
    const GROUPS: [&str; 22] = [
        "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2",
        "memory", "local", "global", "table", "ref", "data", "elem", "struct", "array", "atomic",
        "cont",
    ];
    let Some((group, rest)) = visitor.split_once('_') else {
        return visitor.to_owned();
    };
    if !GROUPS.contains(&group) {
        return visitor.to_owned();
    }
    // Atomic instructions have their dots after each of these.
    let rest = match rest.strip_prefix("atomic_rmw") {
        Some(rest) => format!("atomic.rmw{}", rest.replacen('_', ".", 1)),
        None => rest.replacen("atomic_", "atomic.", 1),
    };
    format!("{group}.{rest}")
}

#[cfg(test)]
mod tests {
    use super::{Instruction, mnemonic};
    use wasmparser::{Parser, Payload};

    /// The offsets and texts of all instructions of a module.
    fn listing(text: &str) -> (Vec<u8>, Vec<(u64, String)>) {
        let module = wat::parse_str(text).unwrap();
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(&module) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                for entry in body
                    .get_operators_reader()
                    .unwrap()
                    .into_iter_with_offsets()
                {
                    let (operator, offset) = entry.unwrap();
                    found.push((offset, Instruction::of(&operator).text));
                }
            }
        }
        (module, found)
    }

    #[test]
    fn instructions_read_as_in_the_text_format() {
        let (_, listing) = listing(
            "(module (memory 1) (memory $b 1) (func (param i32)
               (drop (i32.load8_u offset=16 (local.get 0)))
               (i64.store $b (local.get 0) (i64.const 1))
               (memory.copy $b 0 (local.get 0) (local.get 0) (local.get 0))
               (drop (memory.grow $b (i32.const 1)))
               (drop (i32.div_s (local.get 0) (local.get 0)))
               (drop (v128.load (i32.const 0)))
               unreachable))",
        );
        let texts: Vec<&str> = listing.iter().map(|(_, text)| text.as_str()).collect();
        for expected in [
            "local.get",
            "i32.load8_u offset=16 (memory 0)",
            "i64.store (memory 1)",
            "memory.copy (memory 1)",
            "memory.grow (memory 1)",
            "i32.div_s",
            "v128.load (memory 0)",
            "unreachable",
            "end",
        ] {
            assert!(texts.contains(&expected), "{expected} in {texts:?}");
        }
    }

    #[test]
    fn names_with_several_dots() {
        assert_eq!(mnemonic("i32_atomic_rmw8_add_u"), "i32.atomic.rmw8.add_u");
        assert_eq!(mnemonic("i64_atomic_rmw_xchg"), "i64.atomic.rmw.xchg");
        assert_eq!(mnemonic("memory_atomic_wait32"), "memory.atomic.wait32");
        assert_eq!(mnemonic("call_indirect"), "call_indirect");
        assert_eq!(mnemonic("br_table"), "br_table");
    }

    #[test]
    fn every_instruction_is_found_by_its_offset_and_nothing_between() {
        let (module, listing) = listing(
            "(module (memory 1)
               (func (drop (i32.load offset=300 (i32.const 70000))))
               (func (i64.store32 (i32.const 8) (i64.const 9))))",
        );
        for (offset, text) in &listing {
            let found = Instruction::at(&module, *offset).unwrap();
            assert_eq!(&found.text, text);
        }
        let starts: Vec<u64> = listing.iter().map(|(offset, _)| *offset).collect();
        for offset in 0..module.len() as u64 + 2 {
            assert_eq!(
                Instruction::at(&module, offset).is_some(),
                starts.contains(&offset)
            );
        }
        let store = Instruction::at(&module, starts[starts.len() - 2]).unwrap();
        assert_eq!(
            (store.bytes, store.offset, store.memory),
            (Some(4), Some(0), Some(0))
        );
    }
}
