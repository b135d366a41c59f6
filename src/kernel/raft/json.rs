//! As much JSON as `quorum-state` needs: one flat object of whole numbers and texts; anything else in it is skipped.
//!
//! Depth is bounded, so a damaged file cannot exhaust the stack.

use std::collections::BTreeMap;

/// Deeper nesting is refused.
const DEPTH_MAX: usize = 16;

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A text, its escapes resolved.
    Text(String),
    /// Something else: it was well-formed and is not kept.
    Other,
}

/// The text is not JSON of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unexpected text at byte {at}")]
pub struct JsonError {
    /// Where reading stopped.
    pub at: usize,
}

/// Reads one object and nothing after it.
pub fn parse_object(text: &str) -> Result<BTreeMap<String, Value>, JsonError> {
    let mut reader = Reader { text, at: 0 };
    let fields = reader.object(0)?;
    reader.skip_blanks();
    if reader.at == text.len() { Ok(fields) } else { Err(reader.error()) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    const fn error(&self) -> JsonError {
        JsonError { at: self.at }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn take(&mut self, token: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn expect(&mut self, token: char) -> Result<(), JsonError> {
        if self.take(token) { Ok(()) } else { Err(self.error()) }
    }

    fn object(&mut self, depth: usize) -> Result<BTreeMap<String, Value>, JsonError> {
        self.expect('{')?;
        let mut fields = BTreeMap::new();
        if self.take('}') {
            return Ok(fields);
        }
        loop {
            let name = self.string()?;
            self.expect(':')?;
            let value = self.value(depth + 1)?;
            fields.insert(name, value);
            if !self.take(',') {
                self.expect('}')?;
                return Ok(fields);
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.expect('[')?;
        if self.take(']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if !self.take(',') {
                return self.expect(']');
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > DEPTH_MAX {
            return Err(self.error());
        }
        self.skip_blanks();
        match self.rest().bytes().next() {
            Some(b'{') => self.object(depth).map(|_| Value::Other),
            Some(b'[') => self.array(depth).map(|()| Value::Other),
            Some(b'"') => self.string().map(Value::Text),
            _ => self.scalar(),
        }
    }

    /// A number, or one of `true`, `false` and `null`.
    fn scalar(&mut self) -> Result<Value, JsonError> {
        let rest = self.rest();
        let end = rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        let value = match (word, word.parse::<i64>()) {
            (_, Ok(number)) => Value::Int(number),
            ("true" | "false" | "null", _) => Value::Other,
            _ if word.parse::<f64>().is_ok() => Value::Other,
            _ => return Err(self.error()),
        };
        self.at += end;
        Ok(value)
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.expect('"')?;
        let mut out = String::new();
        loop {
            let error = self.error();
            let c = self.next().ok_or(error)?;
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                _ => out.push(c),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let error = self.error();
        Ok(match self.next().ok_or(error)? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let code =
                    self.rest().get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                self.at += 4;
                code.and_then(char::from_u32).ok_or(error)?
            }
            c @ ('"' | '\\' | '/') => c,
            _ => return Err(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_objects_are_read_and_the_rest_is_skipped() {
        let text = r#" {"a":-1, "b" : "x\"\u0041\n", "c":[1,{"d":[]}], "e":null, "f":1.5,"g":{}} "#;
        let fields = parse_object(text).unwrap();
        assert_eq!(fields["a"], Value::Int(-1));
        assert_eq!(fields["b"], Value::Text("x\"A\n".to_owned()));
        for other in ["c", "e", "f", "g"] {
            assert_eq!(fields[other], Value::Other, "{other}");
        }
        assert_eq!(parse_object("{}"), Ok(BTreeMap::new()));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "1",
            "{",
            "{}x",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":q}"#,
            r#"{"a":"\u12"}"#,
        ] {
            assert!(parse_object(text).is_err(), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse_object(&deep).is_err());
    }
}
