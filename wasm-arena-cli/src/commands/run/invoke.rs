//! Calling an exported function by name: arguments from words, results to words.

use wasmtime::{Func, FuncType, Instance, Store, Val, ValType};

/// A call that is ready to be made.
#[derive(Debug)]
pub(super) struct Call {
    function: Func,
    arguments: Vec<Val>,
    results: Vec<Val>,
}

/// Finds the function and reads the arguments by the types of its parameters.
///
/// # Errors
/// There is no such function, or the arguments are not its parameters; names the signature.
pub(super) fn prepare<T: 'static>(
    store: &mut Store<T>,
    instance: Instance,
    name: &str,
    words: &[String],
) -> Result<Call, String> {
    let Some(function) = instance.get_func(&mut *store, name) else {
        return Err(format!(
            "no such exported function; there are: {}",
            exported_functions(store, instance)
        ));
    };
    let of_type = function.ty(&*store);
    let full = format!("{name}{}", signature(&of_type));
    if of_type.params().len() != words.len() {
        return Err(format!(
            "{full} takes {} argument(s), {} given",
            of_type.params().len(),
            words.len()
        ));
    }
    let pairs = of_type.params().zip(words).enumerate();
    let arguments = pairs.map(|(index, (of_type, word))| {
        value(&of_type, word)
            .map_err(|why| format!("{full}: argument {} is \"{word}\", {why}", index + 1))
    });
    Ok(Call {
        function,
        arguments: arguments.collect::<Result<_, _>>()?,
        results: vec![Val::I32(0); of_type.results().len()],
    })
}

impl Call {
    /// Makes the call; the results as words.
    pub(super) fn run<T: 'static>(
        &mut self,
        store: &mut Store<T>,
    ) -> wasmtime::Result<Vec<String>> {
        self.function
            .call(store, &self.arguments, &mut self.results)?;
        Ok(self.results.iter().map(word).collect())
    }
}

/// `(i32, i64) -> (i32)`.
pub(super) fn signature(of_type: &FuncType) -> String {
    let list = |types: &mut dyn Iterator<Item = ValType>| {
        let names: Vec<String> = types.map(|one| one.to_string()).collect();
        names.join(", ")
    };
    let parameters = list(&mut of_type.params());
    if of_type.results().len() == 0 {
        format!("({parameters})")
    } else {
        format!("({parameters}) -> ({})", list(&mut of_type.results()))
    }
}

/// The names and signatures of all functions that can be called.
pub(super) fn exported_functions<T: 'static>(store: &mut Store<T>, instance: Instance) -> String {
    let names: Vec<String> = instance
        .exports(&mut *store)
        .filter_map(|export| {
            let name = export.name().to_owned();
            export.into_func().map(|function| (name, function))
        })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(name, function)| format!("{name}{}", signature(&function.ty(&*store))))
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// One argument. Integers may be signed or unsigned, decimal or `0x`.
fn value(of_type: &ValType, word: &str) -> Result<Val, String> {
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
            .map(Val::from)
            .map_err(|_| "no f32 number".to_owned()),
        ValType::F64 => word
            .parse::<f64>()
            .map(Val::from)
            .map_err(|_| "no f64 number".to_owned()),
        other => Err(format!("but values of type {other} cannot be written here")),
    }
}

/// A number of so many bits, signed or unsigned, decimal or `0x`.
pub(super) fn integer(word: &str, bits: u32) -> Result<i128, String> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word),
    };
    let number = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse::<u64>(),
    };
    let number = number
        .ok()
        .filter(|_| digits.starts_with(|first: char| first.is_ascii_digit()))
        .map(i128::from)
        .map(|number| if negative { -number } else { number });
    let (least, greatest) = (-(1_i128 << (bits - 1)), (1_i128 << bits) - 1);
    number
        .filter(|number| (least..=greatest).contains(number))
        .ok_or_else(|| format!("no i{bits} number (from {least} to {greatest})"))
}

fn word(value: &Val) -> String {
    match value {
        Val::I32(number) => number.to_string(),
        Val::I64(number) => number.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(bits) => format!("{:#034x}", bits.as_u128()),
        reference => match reference.ref_() {
            Some(reference) if reference.is_null() => "null".to_owned(),
            _ => "reference".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{integer, value, word};
    use wasmtime::ValType;

    #[test]
    fn integers_are_signed_or_unsigned_and_never_cut() {
        assert_eq!(integer("4294967295", 32), Ok(0xffff_ffff));
        assert_eq!(integer("-2147483648", 32), Ok(-0x8000_0000));
        assert_eq!(integer("0x10", 32), Ok(16));
        assert_eq!(integer("-0x10", 64), Ok(-16));
        assert_eq!(integer("18446744073709551615", 64), Ok(u64::MAX.into()));
        for wrong in [
            "",
            "-",
            "+1",
            "1.5",
            "4294967296",
            "-2147483649",
            "0x",
            "--1",
            "ten",
            "-+1",
        ] {
            let message = integer(wrong, 32).expect_err(wrong);
            assert!(message.contains("-2147483648 to 4294967295"), "{message}");
        }
    }

    #[test]
    fn values_come_back_as_written() {
        for (of_type, text) in [
            (ValType::I32, "-7"),
            (ValType::I64, "9007199254740993"),
            (ValType::F32, "0.5"),
            (ValType::F64, "-1250"),
        ] {
            assert_eq!(word(&value(&of_type, text).unwrap()), text);
        }
        assert_eq!(word(&value(&ValType::I32, "4294967295").unwrap()), "-1");
        assert!(value(&ValType::V128, "1").unwrap_err().contains("v128"));
    }
}
