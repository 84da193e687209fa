//! Runs directives on wasmi: the crate `wasmi_wast` keeps its store to itself, and ours is of
//! another type.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use wasmi::{Extern, Instance, Linker, Nullable, Val};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{F32, F64, Id};
use wast::{Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet};

use super::Guests;
use crate::judge::Outcome;

/// What every file may import.
const SPECTEST: &str = r#"
    (module
        (memory (export "memory") 1 2)
        (table (export "table") 10 20 funcref)
        (table (export "table64") i64 10 20 funcref)
        (global (export "global_i32") i32 (i32.const 666))
        (global (export "global_i64") i64 (i64.const 666))
        (global (export "global_f32") f32 (f32.const 666.6))
        (global (export "global_f64") f64 (f64.const 666.6))
        (func (export "print"))
        (func (export "print_i32") (param i32))
        (func (export "print_i64") (param i64))
        (func (export "print_f32") (param f32))
        (func (export "print_f64") (param f64))
        (func (export "print_i32_f32") (param i32 f32))
        (func (export "print_f64_f64") (param f64 f64)))
    (register "spectest")"#;

/// A store in which the directives of one file run.
pub(super) struct Runner<'g, G: Guests> {
    guests: &'g G,
    store: G::Store,
    linker: Linker<G::Data>,
    /// Modules defined for later, by name.
    definitions: HashMap<String, Vec<u8>>,
    /// The instance made last: whom a directive without a name means.
    current: Option<Instance>,
}

impl<'g, G: Guests> Runner<'g, G> {
    pub(super) fn new(guests: &'g G) -> Result<Self, String> {
        let mut linker = Linker::new(guests.engine());
        linker.allow_shadowing(true);
        let mut runner = Self {
            guests,
            store: guests.store(),
            linker,
            definitions: HashMap::new(),
            current: None,
        };
        runner
            .judge(SPECTEST)
            .map_err(|problem| format!("spectest: {problem}"))?;
        Ok(runner)
    }

    pub(super) fn judge(&mut self, text: &str) -> Outcome {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).map_err(told)?;
        let wast: Wast<'_> = parser::parse(&buffer).map_err(told)?;
        wast.directives
            .into_iter()
            .try_for_each(|directive| self.directive(directive))
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Outcome {
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name();
                let wasm = module.encode().map_err(told)?;
                self.make(name, &wasm)
            }
            WastDirective::ModuleDefinition(mut module) => {
                let name = module.name().map_or("", |name| name.name()).to_owned();
                let wasm = module.encode().map_err(told)?;
                self.guests.compile(&wasm).map_err(told)?;
                self.definitions.insert(name, wasm);
                Ok(())
            }
            WastDirective::ModuleInstance {
                instance, module, ..
            } => {
                let name = module.map_or("", |name| name.name());
                let wasm = self.definitions.get(name).cloned();
                self.make(instance, &wasm.ok_or("no such module")?)
            }
            WastDirective::Register { name, module, .. } => match module {
                Some(module) => self.linker.alias_module(module.name(), name).map_err(told),
                None => {
                    let current = self.current.ok_or("no instance")?;
                    let linked = self.linker.instance(&mut self.store, name, current);
                    linked.map(|_linker| ()).map_err(told)
                }
            },
            WastDirective::Invoke(invoke) => self.invoke(&invoke).map(|_results| ()),
            WastDirective::AssertReturn { exec, results, .. } => {
                let found = self.execute(exec)?;
                self.expect(&found, &results)
            }
            WastDirective::AssertTrap { exec, message, .. } => fails(self.execute(exec), message),
            WastDirective::AssertExhaustion { call, message, .. } => {
                fails(self.invoke(&call), message)
            }
            WastDirective::AssertUnlinkable { mut module, .. } => {
                let wasm = module.encode().map_err(told)?;
                self.guests.compile(&wasm).map_err(told)?;
                refused(self.make(None, &wasm).is_ok())
            }
            WastDirective::AssertInvalid { mut module, .. }
            | WastDirective::AssertMalformed { mut module, .. } => {
                let wasm = module.encode();
                refused(wasm.is_ok_and(|wasm| self.guests.compile(&wasm).is_ok()))
            }
            other => Err(format!("a directive this runner does not have: {other:?}")),
        }
    }

    fn make(&mut self, name: Option<Id<'_>>, wasm: &[u8]) -> Outcome {
        let instance = self.guests.instantiate(&mut self.store, &self.linker, wasm);
        let instance = instance.map_err(told)?;
        if let Some(name) = name {
            let linked = self.linker.instance(&mut self.store, name.name(), instance);
            linked.map_err(told)?;
        }
        self.current = Some(instance);
        Ok(())
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Vec<Val>, String> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut module) => {
                let wasm = module.encode().map_err(told)?;
                let made = self
                    .guests
                    .instantiate(&mut self.store, &self.linker, &wasm);
                made.map(|_instance| Vec::new()).map_err(told)
            }
            WastExecute::Get { module, global, .. } => {
                let global = self.export(module, global)?.into_global();
                Ok(vec![global.ok_or("not a global")?.get(&self.store)])
            }
        }
    }

    fn export(&self, module: Option<Id<'_>>, name: &str) -> Result<Extern, String> {
        let export = match module {
            Some(module) => self.linker.get(&self.store, module.name(), name),
            None => self
                .current
                .and_then(|instance| instance.get_export(&self.store, name)),
        };
        export.ok_or_else(|| format!("nothing is exported as \"{name}\""))
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Vec<Val>, String> {
        let function = self.export(invoke.module, invoke.name)?.into_func();
        let function = function.ok_or("not a function")?;
        let mut arguments = Vec::new();
        for argument in &invoke.args {
            arguments.push(self.argument(argument)?);
        }
        let count = function.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); count];
        let called = function.call(&mut self.store, &arguments, &mut results);
        called.map(|()| results).map_err(told)
    }

    fn argument(&mut self, argument: &WastArg<'_>) -> Result<Val, String> {
        let WastArg::Core(argument) = argument else {
            return Err(format!("no value of a module: {argument:?}"));
        };
        Ok(match argument {
            WastArgCore::I32(value) => Val::I32(*value),
            WastArgCore::I64(value) => Val::I64(*value),
            WastArgCore::F32(value) => Val::F32(wasmi::F32::from_bits(value.bits)),
            WastArgCore::F64(value) => Val::F64(wasmi::F64::from_bits(value.bits)),
            WastArgCore::V128(value) => Val::V128(u128::from_le_bytes(value.to_le_bytes()).into()),
            WastArgCore::RefNull(HeapType::Abstract {
                ty: AbstractHeapType::Func,
                ..
            }) => Val::FuncRef(Nullable::Null),
            WastArgCore::RefNull(HeapType::Abstract {
                ty: AbstractHeapType::Extern,
                ..
            }) => Val::ExternRef(Nullable::Null),
            WastArgCore::RefExtern(value) => {
                Val::from(wasmi::ExternRef::new(&mut self.store, *value))
            }
            other => return Err(format!("no value of wasmi's: {other:?}")),
        })
    }

    fn expect(&self, found: &[Val], expected: &[WastRet<'_>]) -> Outcome {
        let all_match = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| {
                matches!(expected, WastRet::Core(expected) if self.matches(found, expected))
            });
        if all_match {
            Ok(())
        } else {
            Err(format!("expected {expected:?}, found {found:?}"))
        }
    }

    fn matches(&self, found: &Val, expected: &WastRetCore<'_>) -> bool {
        match (found, expected) {
            (found, WastRetCore::Either(choices)) => {
                choices.iter().any(|choice| self.matches(found, choice))
            }
            (Val::I32(found), WastRetCore::I32(expected)) => found == expected,
            (Val::I64(found), WastRetCore::I64(expected)) => found == expected,
            (Val::F32(found), WastRetCore::F32(expected)) => is_f32(found.to_bits(), expected),
            (Val::F64(found), WastRetCore::F64(expected)) => is_f64(found.to_bits(), expected),
            (Val::V128(found), WastRetCore::V128(expected)) => is_v128(found.as_u128(), expected),
            (Val::FuncRef(found), WastRetCore::RefNull(_)) => found.is_null(),
            (Val::ExternRef(found), WastRetCore::RefNull(_)) => found.is_null(),
            (Val::FuncRef(found), WastRetCore::RefFunc(_)) => !found.is_null(),
            (Val::ExternRef(Nullable::Val(found)), WastRetCore::RefExtern(expected)) => {
                let data = found.data(&self.store).downcast_ref::<u32>();
                expected.is_none_or(|expected| data == Some(&expected))
            }
            _ => false,
        }
    }
}

fn told(problem: impl ToString) -> String {
    problem.to_string()
}

/// The words of a refusal are not compared: neither validating nor linking is memory's business.
fn refused(is_accepted: bool) -> Outcome {
    if is_accepted {
        Err("accepted".to_owned())
    } else {
        Ok(())
    }
}

fn fails<T>(result: Result<T, String>, message: &str) -> Outcome {
    match result {
        Ok(_) => Err(format!("expected to fail with \"{message}\"")),
        Err(problem) if problem.contains(message) => Ok(()),
        Err(problem) => Err(format!("expected \"{message}\", found: {problem}")),
    }
}

/// A canonical NaN has the quiet bit alone, of either sign; an arithmetic one has it at least.
fn is_f32(bits: u32, expected: &NanPattern<F32>) -> bool {
    const QUIET: u32 = 0x7fc0_0000;
    match expected {
        NanPattern::CanonicalNan => bits & (u32::MAX >> 1) == QUIET,
        NanPattern::ArithmeticNan => bits & QUIET == QUIET,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn is_f64(bits: u64, expected: &NanPattern<F64>) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    match expected {
        NanPattern::CanonicalNan => bits & (u64::MAX >> 1) == QUIET,
        NanPattern::ArithmeticNan => bits & QUIET == QUIET,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn is_v128(bits: u128, expected: &V128Pattern) -> bool {
    let bytes = bits.to_le_bytes();
    match expected {
        V128Pattern::I8x16(lanes) => lanes.iter().flat_map(|lane| lane.to_le_bytes()).eq(bytes),
        V128Pattern::I16x8(lanes) => lanes.iter().flat_map(|lane| lane.to_le_bytes()).eq(bytes),
        V128Pattern::I32x4(lanes) => lanes.iter().flat_map(|lane| lane.to_le_bytes()).eq(bytes),
        V128Pattern::I64x2(lanes) => lanes.iter().flat_map(|lane| lane.to_le_bytes()).eq(bytes),
        V128Pattern::F32x4(lanes) => lanes
            .iter()
            .zip(bytes.as_chunks().0)
            .all(|(lane, &bytes)| is_f32(u32::from_le_bytes(bytes), lane)),
        V128Pattern::F64x2(lanes) => lanes
            .iter()
            .zip(bytes.as_chunks().0)
            .all(|(lane, &bytes)| is_f64(u64::from_le_bytes(bytes), lane)),
    }
}
