//! A file of the suite as a list of directives, each of which can be judged by itself.
//!
//! ```text
//!   (module (memory 1) (func (export "size") …))      ── directive 1, line 1
//!   (assert_return (invoke "size") (i32.const 1))     ── directive 2, line 2: an assertion
//!   ;; a comment
//!   (assert_invalid (module …) "type mismatch")       ── directive 3, line 4: an assertion
//! ```
//!
//! Wasmtime's runner stops at the first directive of a text that fails. Given one directive at a
//! time it judges them all, and keeps its instances in between.
#![forbid(unsafe_code)]

use wast::lexer::{Lexer, TokenKind};

/// One directive of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directive<'t> {
    /// From the opening parenthesis to the closing one; several forms if they only make sense
    /// together.
    pub text: &'t str,
    /// Its first word: `module`, `assert_return`, ...
    pub keyword: &'t str,
    /// The line it starts at, from 1.
    pub line: usize,
}

impl Directive<'_> {
    /// Whether it asserts something, rather than prepares it.
    #[must_use]
    pub fn is_assertion(&self) -> bool {
        self.keyword.starts_with("assert_")
    }

    /// Whether it asserts that a text cannot be read as a module: nothing is made of it, so no
    /// engine has a part in it, and no memory.
    #[must_use]
    pub fn is_about_text(&self) -> bool {
        self.keyword == "assert_malformed" && self.text.contains("(module quote")
    }
}

/// The words that start a directive. A file with any other form at its top is a module without the
/// word `module`, and threads wait for each other: both are one directive.
const ALONE: [&str; 13] = [
    "module",
    "register",
    "invoke",
    "assert_exception",
    "assert_exhaustion",
    "assert_invalid",
    "assert_invalid_custom",
    "assert_malformed",
    "assert_malformed_custom",
    "assert_return",
    "assert_suspension",
    "assert_trap",
    "assert_unlinkable",
];

/// Splits a text into its directives; all of it is one where it has no parts that stand alone.
#[must_use]
pub fn directives(text: &str) -> Vec<Directive<'_>> {
    match forms(text) {
        Some(forms) if forms.iter().all(|form| ALONE.contains(&form.keyword)) => forms,
        _ => vec![Directive {
            text,
            keyword: "module",
            line: 1,
        }],
    }
}

/// The forms at the top of a text; `None` if it is not made of whole forms alone.
fn forms(text: &str) -> Option<Vec<Directive<'_>>> {
    let mut lexer = Lexer::new(text);
    // Some files are about confusing characters.
    lexer.allow_confusing_unicode(true);
    let mut forms = Vec::new();
    let (mut depth, mut start, mut keyword) = (0_usize, 0, None);
    let (mut line, mut counted) = (1, 0);
    for token in lexer.iter(0) {
        let token = token.ok()?;
        match token.kind {
            TokenKind::LParen => {
                if depth == 0 {
                    start = token.offset;
                    keyword = None;
                }
                depth += 1;
            }
            TokenKind::RParen => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    line += newlines(&text[counted..start]);
                    counted = start;
                    forms.push(Directive {
                        text: &text[start..=token.offset],
                        keyword: keyword?,
                        line,
                    });
                }
            }
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment => {}
            // Annotations, at any place, may stay where they are.
            _ if depth == 0 => return None,
            TokenKind::Keyword if keyword.is_none() => keyword = Some(token.src(text)),
            _ => {}
        }
    }
    (depth == 0 && !forms.is_empty()).then_some(forms)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(&str, usize)> {
        directives(text)
            .into_iter()
            .map(|directive| (directive.keyword, directive.line))
            .collect()
    }

    #[test]
    fn directives_are_found_with_their_lines() {
        let text = "(module) ;; (module)\n\n(; (module) ;)\n(assert_trap (invoke \"a)(\")\n \"x\")(register \"m\")";
        assert_eq!(
            parts(text),
            [("module", 1), ("assert_trap", 4), ("register", 5)]
        );
        assert_eq!(
            directives(text)[1].text,
            "(assert_trap (invoke \"a)(\")\n \"x\")"
        );
        assert!(directives(text)[1].is_assertion() && !directives(text)[2].is_assertion());
    }

    #[test]
    fn what_has_no_parts_of_its_own_stays_whole() {
        for text in ["(func) (memory 0)", "(module", "(module))", "module", ""] {
            assert_eq!(parts(text), [("module", 1)], "{text}");
            assert_eq!(directives(text)[0].text, text);
        }
    }

    #[test]
    fn nothing_of_the_suite_is_lost() {
        for file in crate::suite::files() {
            let directives = directives(file.text);
            let written = file.text.matches("(assert_").count();
            let found = directives.iter().filter(|d| d.is_assertion()).count();
            // More are written than found where some are commented out.
            assert!(found <= written, "{}", file.name);
            let mut buffer = Lexer::new(file.text);
            buffer.allow_confusing_unicode(true);
            let Ok(buffer) = wast::parser::ParseBuffer::new_with_lexer(buffer) else {
                continue;
            };
            if let Ok(wast) = wast::parser::parse::<wast::Wast<'_>>(&buffer) {
                assert_eq!(wast.directives.len(), directives.len(), "{}", file.name);
            }
        }
    }
}
