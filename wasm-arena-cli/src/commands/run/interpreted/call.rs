//! Calling into an instance, and what its end means.

use core::time::Duration;

use wasmi::{AsContext, AsContextMut, Error, Func, FuncType, Instance, Val, ValType};

use super::super::guest::Ended;
use super::super::invoke::integer;
use super::super::module::GuestModule;
use super::super::options::RunOptions;
use super::super::trap::Trap;
use super::refuse;
use crate::exit::Failure;

/// Calls what is to be called in an instance, and says how it ended.
pub(super) fn conclude(
    store: &mut impl AsContextMut,
    instance: Result<Instance, Error>,
    options: &RunOptions,
    module: &GuestModule,
) -> Ended {
    let instance = match instance {
        Ok(instance) => instance,
        // A trap of a start function; anything else was wrong before.
        Err(error) if error.as_trap_code().is_some() => return ended(&error),
        Err(error) => return Ended::NotStarted(refuse(module, &error)),
    };
    match call(store, instance, options, module) {
        Ok(ended) => ended,
        Err(error) => ended(&error),
    }
}

fn ended(error: &Error) -> Ended {
    let code = error.i32_exit_status().map(u8::try_from);
    if let Some(Ok(code)) = code {
        return Ended::Exited(code);
    }
    let name = error.as_trap_code().map(|code| format!("{code:?}"));
    Ended::Trapped(Trap::unexplained(name.as_deref(), error.to_string()))
}

fn call(
    store: &mut impl AsContextMut,
    instance: Instance,
    options: &RunOptions,
    module: &GuestModule,
) -> Result<Ended, Error> {
    let Some(name) = &options.invoke else {
        return match instance.get_typed_func::<(), ()>(&*store, "_start") {
            Ok(start) => {
                start.call(&mut *store, ())?;
                Ok(Ended::Exited(0))
            }
            Err(_) => Ok(Ended::NotStarted(refuse(
                module,
                &format_args!(
                    "exports no function _start without parameters, so it is no program; \
                     --invoke calls one of: {}",
                    exported_functions(&*store, instance)
                ),
            ))),
        };
    };
    let (function, arguments) = match prepare(&*store, instance, name, &options.arguments) {
        Ok(call) => call,
        Err(why) => {
            return Ok(Ended::NotStarted(Failure::usage(format_args!(
                "--invoke {name}: {why}"
            ))));
        }
    };
    if let Ok(initialize) = instance.get_typed_func::<(), ()>(&*store, "_initialize") {
        initialize.call(&mut *store, ())?;
    }
    let of_type = function.ty(&*store);
    let mut results: Vec<Val> = of_type
        .results()
        .iter()
        .map(|of_type| Val::default_for_ty(*of_type))
        .collect();
    for number in 0..options.repeat.unwrap_or(1) {
        if let Some(milliseconds) = options.pause.filter(|_| number > 0) {
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
        function.call(&mut *store, &arguments, &mut results)?;
    }
    Ok(Ended::Returned(results.iter().map(word).collect()))
}

/// Finds the function and reads the arguments by the types of its parameters.
fn prepare(
    store: &impl AsContext,
    instance: Instance,
    name: &str,
    words: &[String],
) -> Result<(Func, Vec<Val>), String> {
    let Some(function) = instance.get_func(store, name) else {
        return Err(format!(
            "no such exported function; there are: {}",
            exported_functions(store, instance)
        ));
    };
    let of_type = function.ty(store);
    let full = format!("{name}{}", signature(&of_type));
    if of_type.params().len() != words.len() {
        return Err(format!(
            "{full} takes {} argument(s), {} given",
            of_type.params().len(),
            words.len()
        ));
    }
    let pairs = of_type.params().iter().zip(words).enumerate();
    let arguments = pairs.map(|(index, (of_type, word))| {
        value(*of_type, word)
            .map_err(|why| format!("{full}: argument {} is \"{word}\", {why}", index + 1))
    });
    Ok((function, arguments.collect::<Result<_, _>>()?))
}

fn type_name(of_type: ValType) -> String {
    format!("{of_type:?}").to_ascii_lowercase()
}

/// `(i32, i64) -> (i32)`.
fn signature(of_type: &FuncType) -> String {
    let list = |types: &[ValType]| {
        let names: Vec<String> = types.iter().map(|one| type_name(*one)).collect();
        names.join(", ")
    };
    let parameters = list(of_type.params());
    if of_type.results().is_empty() {
        format!("({parameters})")
    } else {
        format!("({parameters}) -> ({})", list(of_type.results()))
    }
}

fn exported_functions(store: &impl AsContext, instance: Instance) -> String {
    let names: Vec<String> = instance
        .exports(store.as_context())
        .filter_map(|export| {
            let name = export.name().to_owned();
            let function = export.into_func()?;
            Some(format!("{name}{}", signature(&function.ty(store))))
        })
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// One argument. Integers may be signed or unsigned, decimal or `0x`.
fn value(of_type: ValType, word: &str) -> Result<Val, String> {
    match of_type {
        ValType::I32 => integer(word, 32).map(|bits| {
            #[expect(clippy::cast_possible_truncation, reason = "checked to fit 32 bits")]
            Val::I32(bits as i32)
        }),
        ValType::I64 => integer(word, 64).map(|bits| {
            #[expect(clippy::cast_possible_truncation, reason = "checked to fit 64 bits")]
            Val::I64(bits as i64)
        }),
        ValType::F32 => word
            .parse::<f32>()
            .map(|number| Val::F32(number.into()))
            .map_err(|_| "no f32 number".to_owned()),
        ValType::F64 => word
            .parse::<f64>()
            .map(|number| Val::F64(number.into()))
            .map_err(|_| "no f64 number".to_owned()),
        other => Err(format!(
            "but values of type {} cannot be written here",
            type_name(other)
        )),
    }
}

fn word(value: &Val) -> String {
    match value {
        Val::I32(number) => number.to_string(),
        Val::I64(number) => number.to_string(),
        Val::F32(number) => number.to_float().to_string(),
        Val::F64(number) => number.to_float().to_string(),
        _ => "reference".to_owned(),
    }
}
