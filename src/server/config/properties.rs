//! The text form of Java's `Properties.load`: escapes, continuations, comments, three separators.
//!
//! Pure; each property keeps the line on which it began. Java reads the bytes as Latin-1; here a text
//! that is valid UTF-8 is read as such, so that a path with an accent is the path that was meant.

/// One property, as it stood in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The key, unescaped.
    pub key: String,
    /// The value, unescaped.
    pub value: String,
    /// The line on which it began, from 1.
    pub line: usize,
}

/// A `\u` that is not followed by four hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: malformed \\uxxxx encoding")]
pub struct MalformedEscape {
    /// Where.
    pub line: usize,
}

/// Reads all properties, in order; one that is there twice is returned twice.
pub fn parse(bytes: &[u8]) -> Result<Vec<Property>, MalformedEscape> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    let mut properties = Vec::new();
    for (line, logical) in logical_lines(&text) {
        let (key, value) = split(&logical);
        let unescape = |part: &[char]| unescape(part).ok_or(MalformedEscape { line });
        properties.push(Property { key: unescape(key)?, value: unescape(value)?, line });
    }
    Ok(properties)
}

/// The white space of the format.
const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

/// Lines without comments and blanks, joined where a line ends in an odd number of backslashes.
fn logical_lines(text: &str) -> Vec<(usize, Vec<char>)> {
    let mut lines = Vec::new();
    let mut pending: Option<(usize, Vec<char>)> = None;
    for (index, line) in natural_lines(text).into_iter().enumerate() {
        let start = line.trim_start_matches(is_blank);
        let is_comment = start.starts_with(['#', '!']);
        if pending.is_none() && (start.is_empty() || is_comment) {
            continue;
        }
        let (first, mut whole) = pending.take().unwrap_or_else(|| (index + 1, Vec::new()));
        let backslashes = start.chars().rev().take_while(|&c| c == '\\').count();
        let goes_on = backslashes % 2 == 1;
        whole.extend(start.chars());
        if goes_on {
            whole.pop();
            pending = Some((first, whole));
        } else {
            lines.push((first, whole));
        }
    }
    // A backslash at the very end of the text continues into nothing.
    lines.extend(pending.filter(|(_, whole)| !whole.is_empty()));
    lines
}

/// Lines end in `\n`, `\r` or both.
fn natural_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        lines.extend(line.split('\r'));
    }
    lines
}

/// Key and value: they are parted by the first `=`, `:` or blank that is not escaped, with blanks
/// around it.
fn split(line: &[char]) -> (&[char], &[char]) {
    let mut escaped = false;
    let is_end = |&character: &char| {
        let ends = !escaped && (matches!(character, '=' | ':') || is_blank(character));
        escaped = !escaped && character == '\\';
        ends
    };
    let key_end = line.iter().position(is_end).unwrap_or(line.len());
    let (key, rest) = line.split_at(key_end);
    let skip_blanks = |part: &[char]| part.iter().take_while(|&&c| is_blank(c)).count();
    let mut rest = &rest[skip_blanks(rest)..];
    if let Some(('=' | ':', after)) = rest.split_first() {
        rest = &after[skip_blanks(after)..];
    }
    (key, rest)
}

/// Resolves the escapes; none where `\u` is malformed.
fn unescape(part: &[char]) -> Option<String> {
    // In UTF-16, because a character outside the first plane is written as two \u escapes.
    let mut units: Vec<u16> = Vec::with_capacity(part.len());
    let mut characters = part.iter().copied();
    while let Some(character) = characters.next() {
        let plain = match character {
            '\\' => match characters.next() {
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    let is_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| is_hex)?);
                    continue;
                }
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => continue,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let properties = parse(text.as_bytes()).unwrap();
        let read: Vec<(&str, &str, usize)> =
            properties.iter().map(|p| (p.key.as_str(), p.value.as_str(), p.line)).collect();
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn separators_are_equals_colon_and_blank() {
        check(
            "a=1\nb:2\nc 3\nd\t=\t4 \ne = : 5",
            &[("a", "1", 1), ("b", "2", 2), ("c", "3", 3), ("d", "4 ", 4), ("e", ": 5", 5)],
        );
        check("key\nempty=\n=nokey", &[("key", "", 1), ("empty", "", 2), ("", "nokey", 3)]);
        check("listeners=PLAINTEXT://:9092", &[("listeners", "PLAINTEXT://:9092", 1)]);
    }

    #[test]
    fn comments_and_blank_lines_are_passed_over() {
        check(
            "# a=1\n  ! b=2\n\n \t\nc=#3\r\nd=!4\re=5",
            &[("c", "#3", 5), ("d", "!4", 6), ("e", "5", 7)],
        );
    }

    #[test]
    fn a_backslash_continues_the_line_without_the_next_lines_indent() {
        check("a=1,\\\n   2,\\\r\n\t3\nb=4", &[("a", "1,2,3", 1), ("b", "4", 4)]);
        // Two backslashes are one, and end the line; a comment cannot begin within a value.
        check("a=x\\\\\nb=1\\\n#2\nc=end\\", &[("a", "x\\", 1), ("b", "1#2", 2), ("c", "end", 4)]);
    }

    #[test]
    fn a_continuation_may_be_empty() {
        check("a=1\\\n\nb=2", &[("a", "1", 1), ("b", "2", 3)]);
        check("a=1\\\n   \\\n 2\nb", &[("a", "12", 1), ("b", "", 4)]);
        check("\\\n a=1", &[("a", "1", 1)]);
    }

    #[test]
    fn escapes_are_resolved_in_keys_and_values() {
        check(r"a\=b\:c\ d=\t\n\f\q\\ \u00e9\uD83D\uDE00", &[("a=b:c d", "\t\n\u{c}q\\ é😀", 1)]);
    }

    #[test]
    fn a_malformed_unicode_escape_is_refused_with_its_line() {
        for text in ["a=1\nb=\\u12", "a=1\nb=\\u12g4", "\n\\u+123=x"] {
            assert_eq!(parse(text.as_bytes()), Err(MalformedEscape { line: 2 }), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_latin1() {
        let properties = parse(b"dir=/caf\xe9").unwrap();
        assert_eq!(properties[0].value, "/café");
        assert_eq!(parse("dir=/café".as_bytes()).unwrap()[0].value, "/café");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(properties) = parse(&bytes) {
                let lines = bytes.len() + 1;
                proptest::prop_assert!(properties.iter().all(|p| (1..=lines).contains(&p.line)));
            }
        }

        #[test]
        fn what_is_written_plainly_is_read_back(key in "[a-z.]{1,20}", value in "[!-\\[\\]-~]{0,40}") {
            let properties = parse(format!("{key}={value}\n").as_bytes()).unwrap();
            proptest::prop_assert_eq!(&properties, &[Property { key, value, line: 1 }]);
        }
    }
}
