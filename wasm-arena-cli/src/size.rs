//! Sizes as people write and read them: `64k`, `2MiB`, `1g`; units are powers of 1024.

/// Reads a size in bytes.
///
/// # Errors
/// The text is no size, or does not fit the address space; the message says what is accepted.
pub(crate) fn parse(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(not_a_size()),
    };
    if number.is_empty() {
        return Err(not_a_size());
    }
    let limit = isize::MAX as u128;
    number
        .parse::<u64>()
        .ok()
        .map(|number| u128::from(number) << shift)
        .filter(|&bytes| bytes <= limit)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| format!("larger than the address space, {limit} bytes"))
}

fn not_a_size() -> String {
    "a size is a number of bytes, or a number with k, m, g or t \
     (also KiB, MiB, GiB, TiB; all powers of 1024), such as 65536, 64k or 2MiB"
        .to_owned()
}

/// A size for reading: `64 KiB`, `25.5 MiB`. Rounded unless it is a whole number of the unit.
#[expect(clippy::cast_precision_loss, reason = "rounded to one decimal anyway")]
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let exponent = (bytes.ilog2() / 10).min(6);
    let unit = UNITS[exponent as usize - 1];
    let scale = 1_u64 << (10 * exponent);
    if bytes.is_multiple_of(scale) {
        format!("{} {unit}", bytes / scale)
    } else {
        format!("{:.1} {unit}", bytes as f64 / scale as f64)
    }
}

/// A number with its digits in groups of three: `26 804 224`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{grouped, human, parse};

    #[test]
    fn units_are_powers_of_1024_in_any_case() {
        let sizes = [
            ("0", 0),
            ("65536", 65_536),
            ("64k", 65_536),
            ("64K", 65_536),
            ("64KiB", 65_536),
            ("64kb", 65_536),
            ("2MiB", 2 << 20),
            ("1g", 1 << 30),
            ("3T", 3 << 40),
            ("17B", 17),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_what_is_accepted() {
        for text in ["", "k", "-1", "1.5m", "64 k", "64q", "0x10", "1kk", "٣"] {
            let message = parse(text).expect_err(text);
            assert!(message.contains("2MiB"), "{text}: {message}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_limit() {
        assert_eq!(parse("9223372036854775807"), Ok(isize::MAX as usize));
        for text in ["9223372036854775808", "8388608t", "99999999999999999999999"] {
            let message = parse(text).expect_err(text);
            assert!(message.contains("9223372036854775807"), "{message}");
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(human(0), "0 B");
        assert_eq!(human(1023), "1023 B");
        assert_eq!(human(65_536), "64 KiB");
        assert_eq!(human(26_804_224), "25.6 MiB");
        assert_eq!(human(u64::MAX), "16.0 EiB");
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(26_804_224), "26 804 224");
        assert_eq!(grouped(123_456), "123 456");
    }
}
