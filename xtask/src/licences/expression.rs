//! Licence expressions as packages write them: terms, `WITH`, `AND`, `OR`, parentheses.
//!
//! ```text
//!   any  = all { "OR" all }          "/" is an old way to write OR
//!   all  = one { "AND" one }         so AND binds tighter
//!   one  = "(" any ")" | name [ "WITH" exception ]
//! ```

/// An expression, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// A licence, with its exception if there is one: `Apache-2.0 WITH LLVM-exception`.
    Term(String),
    /// Either is enough.
    Any(Vec<Self>),
    /// Both bind.
    All(Vec<Self>),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Where it stops being one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let spaced = text
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut reader = Reader(&words);
        let expression = reader.any()?;
        match reader.0.first() {
            None => Ok(expression),
            Some(word) => Err(format!("unexpected `{word}`")),
        }
    }

    /// Whether the expression can be met with terms that are `allowed`.
    pub(super) fn holds(&self, allowed: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Term(term) => allowed(term),
            Self::Any(parts) => parts.iter().any(|part| part.holds(allowed)),
            Self::All(parts) => parts.iter().all(|part| part.holds(allowed)),
        }
    }
}

struct Reader<'a>(&'a [&'a str]);

impl<'a> Reader<'a> {
    fn takes(&mut self, word: &str) -> bool {
        let found = self.0.first() == Some(&word);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let (first, rest) = self.0.split_first().ok_or("it ends too soon")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-.+:".contains(c);
        if ["AND", "OR", "WITH"].contains(first) || !first.chars().all(is_name) {
            return Err(format!("unexpected `{first}`"));
        }
        self.0 = rest;
        Ok(first)
    }

    fn any(&mut self) -> Result<Expression, String> {
        let mut parts = vec![self.all()?];
        while self.takes("OR") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, String> {
        let mut parts = vec![self.one()?];
        while self.takes("AND") {
            parts.push(self.one()?);
        }
        Ok(single_or(parts, Expression::All))
    }

    fn one(&mut self) -> Result<Expression, String> {
        if self.takes("(") {
            let inner = self.any()?;
            return match self.takes(")") {
                true => Ok(inner),
                false => Err("a parenthesis stays open".to_owned()),
            };
        }
        let mut term = self.name()?.to_owned();
        if self.takes("WITH") {
            term = format!("{term} WITH {}", self.name()?);
        }
        Ok(Expression::Term(term))
    }
}

fn single_or(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => several(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;

    fn allows(text: &str) -> bool {
        let allowed = ["MIT", "ISC", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
        Expression::parse(text)
            .unwrap_or_else(|problem| panic!("{text}: {problem}"))
            .holds(&|term| allowed.contains(&term))
    }

    #[test]
    fn either_of_or_both_of_and() {
        for yes in [
            "MIT",
            "MIT OR Apache-2.0",
            "GPL-2.0-only OR MIT",
            "MIT/GPL-3.0",
            "MIT AND ISC",
            "(MIT OR X) AND (Y OR ISC)",
            "((MIT))",
            "Apache-2.0 WITH LLVM-exception OR X",
            // AND binds tighter.
            "MIT OR X AND Y",
            "X AND Y OR MIT",
        ] {
            assert!(allows(yes), "{yes}");
        }
        for no in [
            "X",
            "MIT AND X",
            "(MIT OR ISC) AND X",
            "MIT AND (X OR Y)",
            "MIT WITH LLVM-exception",
            "Apache-2.0 WITH Other-exception",
            "mit",
        ] {
            assert!(!allows(no), "{no}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for wrong in [
            "",
            "OR",
            "MIT OR",
            "MIT AND",
            "(MIT",
            "MIT)",
            "MIT ISC",
            "MIT WITH",
            "()",
            "MIT or ISC",
            "MIT, ISC",
            "AND MIT",
        ] {
            Expression::parse(wrong).expect_err(wrong);
        }
    }
}
