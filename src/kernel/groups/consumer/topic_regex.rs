//! The regular expressions that members subscribe with (KIP-848): RE2's syntax, matched against whole names.
//!
//! Kafka has RE2/J. The engine here is of the same family: time is linear in the text, whatever the expression. What
//! differs between the two syntaxes is rewritten, or refused, before the engine sees it. Names of topics are ASCII, so
//! Unicode is left out. An expression is bounded in length, and in the size of what it is compiled to.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};

use crate::kernel::metadata::image::Image;
use crate::types::ids::TopicName;
use crate::types::time::Timestamp;

/// The longest expression. Kafka has no limit but that of texts, 32,767 bytes.
pub const REGEX_MAX_BYTES: usize = 8 * 1024;
/// The most memory that a compiled expression may take: matching costs as many steps for each byte, at worst.
pub const REGEX_COMPILED_MAX_BYTES: usize = 256 * 1024;
/// The same of one that knows Unicode, whose classes are larger.
pub const UNICODE_COMPILED_MAX_BYTES: usize = 1024 * 1024;
/// The highest count in a repetition, as RE2 has it.
const REPEAT_MAX: u32 = 1000;

/// What an expression matched when it was last looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedRegex {
    /// The topics.
    pub topics: BTreeSet<TopicName>,
    /// The offset of the metadata that was looked at.
    pub version: i64,
    /// When it was looked at.
    pub timestamp: Timestamp,
}

/// Why an expression is refused, in the words of RE2/J where it refuses it too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SubscribedTopicRegex `{regex}` is not a valid regular expression: {description}.")]
pub struct InvalidRegex {
    /// The expression; cut if it is too long.
    pub regex: String,
    /// What is wrong.
    pub description: String,
}

/// An expression that names can be held against.
pub struct TopicRegex(Regex);

impl TopicRegex {
    /// Compiles an expression.
    pub fn new(regex: &str) -> Result<Self, InvalidRegex> {
        Self::compile(regex, false, REGEX_COMPILED_MAX_BYTES)
    }

    /// Compiles an expression for names that may be more than ASCII: transactional ids. What it becomes may be larger.
    pub fn of_ids(regex: &str) -> Result<Self, InvalidRegex> {
        Self::compile(regex, true, UNICODE_COMPILED_MAX_BYTES)
    }

    fn compile(regex: &str, unicode: bool, max_bytes: usize) -> Result<Self, InvalidRegex> {
        let invalid = |description: String| {
            let shown = regex.get(..regex.floor_char_boundary(200)).unwrap_or_default();
            InvalidRegex { regex: shown.to_owned(), description }
        };
        if regex.len() > REGEX_MAX_BYTES {
            return Err(invalid(format!("it is longer than {REGEX_MAX_BYTES} bytes")));
        }
        let rewritten = rewrite(regex).map_err(invalid)?;
        RegexBuilder::new(&format!(r"\A(?:{rewritten})\z"))
            .unicode(unicode)
            .size_limit(max_bytes)
            .build()
            .map(Self)
            .map_err(|error| invalid(description_of(&error)))
    }

    /// Whether it matches a whole name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes())
    }
}

/// The topics that each expression matches; none for one that does not compile.
pub fn resolve<'a>(
    regexes: impl Iterator<Item = &'a str>,
    image: &Image,
    now: Timestamp,
) -> Vec<(&'a str, ResolvedRegex)> {
    let resolve = |regex: &'a str| {
        let compiled = TopicRegex::new(regex).ok();
        let matches = |name: &&TopicName| {
            compiled.as_ref().is_some_and(|compiled| compiled.matches(name.as_str()))
        };
        let topics = image.topics.by_name.keys().filter(matches).cloned().collect();
        (regex, ResolvedRegex { topics, version: image.at.offset.0, timestamp: now })
    };
    regexes.map(resolve).collect()
}

/// The engine's complaint in RE2/J's words.
fn description_of(error: &regex::Error) -> String {
    const WORDS: [(&str, &str); 10] = [
        ("unclosed group", "missing closing )"),
        ("unclosed capture group name", "invalid named capture"),
        ("invalid capture group", "invalid named capture"),
        ("empty capture group name", "invalid named capture"),
        ("backreferences are not supported", "invalid escape sequence"),
        ("unclosed character class", "missing closing ]"),
        ("invalid character class range", "invalid character class range"),
        ("repetition operator missing expression", "missing argument to repetition operator"),
        ("incomplete escape sequence", "trailing backslash at end of expression"),
        ("unrecognized escape sequence", "invalid escape sequence"),
    ];
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return "expression too large".to_owned();
    }
    let text = error.to_string();
    let said = text.lines().find_map(|line| line.strip_prefix("error: "));
    let words = said.and_then(|said| WORDS.iter().find(|(theirs, _)| said.starts_with(theirs)));
    words.map_or("invalid or unsupported Perl syntax", |(_, words)| words).to_owned()
}

/// Rewrites RE2's syntax into the engine's.
fn rewrite(regex: &str) -> Result<String, String> {
    let mut rewriter =
        Rewriter { rest: regex, open: 0, out: String::with_capacity(regex.len() + 16) };
    rewriter.run()?;
    Ok(rewriter.out)
}

const UNOPENED: &str = "regexp/syntax: internal error";
const INVALID_RANGE: &str = "invalid character class range";
const INVALID_ESCAPE: &str = "invalid escape sequence";
const UNSUPPORTED: &str = "invalid or unsupported Perl syntax";

/// The classes that have names in brackets.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// What Unicode's classes have of the characters that names of topics are made of; all others have none.
const UNICODE_CLASSES: [(&str, &str); 11] = [
    ("L", "A-Za-z"),
    ("Ll", "a-z"),
    ("Lu", "A-Z"),
    ("N", "0-9"),
    ("Nd", "0-9"),
    ("P", r"._\-"),
    ("Pc", "_"),
    ("Pd", r"\-"),
    ("Po", r"\."),
    ("Latin", "A-Za-z"),
    ("Common", r"0-9._\-"),
];

struct Rewriter<'a> {
    rest: &'a str,
    /// How many groups are open: none may be closed that is not, or it would be the one around the expression.
    open: usize,
    out: String,
}

impl Rewriter<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(next) = self.rest.chars().next() {
            match next {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                // A brace that begins no repetition is a character like any other.
                '{' if repetition(self.rest).is_none() => self.quote(),
                '}' => self.quote(),
                '*' | '+' | '?' | '{' => self.repeat()?,
                '(' => self.group()?,
                ')' => {
                    self.open = self.open.checked_sub(1).ok_or(UNOPENED)?;
                    self.copy(1);
                }
                other => self.copy(other.len_utf8()),
            }
        }
        Ok(())
    }

    /// Takes bytes over as they are.
    fn copy(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.out.push_str(taken);
        self.rest = rest;
    }

    /// Takes a character over that means nothing but itself.
    fn quote(&mut self) {
        self.out.push('\\');
        self.copy(1);
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let escaped = self.rest.chars().nth(1);
        match escaped {
            // Quotes all up to \E.
            Some('Q') if !in_class => {
                let quoted = self.rest.get(2..).unwrap_or_default();
                let (text, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                self.out.push_str(&regex::escape(text));
                self.rest = rest;
            }
            // The ends of words are not known in RE2.
            Some(same @ ('<' | '>')) => {
                self.out.push(same);
                self.rest = self.rest.get(2..).unwrap_or_default();
            }
            Some('p' | 'P') => self.unicode_class(in_class)?,
            Some('u' | 'U' | 'R' | 'X' | 'h' | 'H') => return Err(INVALID_ESCAPE.to_owned()),
            Some(other) => self.copy(1 + other.len_utf8()),
            None => return Err("trailing backslash at end of expression".to_owned()),
        }
        Ok(())
    }

    /// `\pL`, `\p{Lu}`, and what is none of these.
    fn unicode_class(&mut self, in_class: bool) -> Result<(), String> {
        let rest = self.rest.get(2..).unwrap_or_default();
        let (name, rest) = if let Some(inside) = rest.strip_prefix('{') {
            inside.split_once('}').ok_or(INVALID_RANGE)?
        } else {
            let first = rest.chars().next().map_or(0, char::len_utf8);
            rest.split_at_checked(first).ok_or(INVALID_RANGE)?
        };
        let (name, caret) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let is_name = name.chars().next().is_some_and(|first| "CLMNPSZ".contains(first))
            || (name.len() > 2 && name.starts_with(|first: char| first.is_ascii_uppercase()));
        if !is_name {
            return Err(INVALID_RANGE.to_owned());
        }
        let known = UNICODE_CLASSES.iter().find(|(class, _)| *class == name);
        let members = known.map(|(_, members)| *members);
        let negated = self.rest.starts_with(r"\P") != caret;
        // A class that has none of these characters is written as the opposite of all.
        let (members, negated) = members.map_or((r"\x00-\xff", !negated), |it| (it, negated));
        if in_class && !negated {
            self.out.push_str(members);
        } else {
            self.out.push_str(if negated { "[^" } else { "[" });
            self.out.push_str(members);
            self.out.push(']');
        }
        self.rest = rest;
        Ok(())
    }

    /// The `?` behind an opening parenthesis is none that repeats; the flags are those of RE2.
    fn group(&mut self) -> Result<(), String> {
        self.open += 1;
        self.copy(1);
        let Some(inside) = self.rest.strip_prefix('?') else { return Ok(()) };
        if inside.starts_with("P<") || inside.starts_with('<') {
            if inside.starts_with("<=") || inside.starts_with("<!") {
                return Err(UNSUPPORTED.to_owned());
            }
        } else {
            let flags = inside.find([':', ')']).and_then(|end| inside.get(..end));
            let are_known = |flags: &str| flags.chars().all(|flag| "imsU-".contains(flag));
            if !flags.is_some_and(are_known) {
                return Err(UNSUPPORTED.to_owned());
            }
        }
        self.copy(1);
        Ok(())
    }

    /// One repetition, perhaps a lazy one; a second on top of it is refused, as RE2 does.
    fn repeat(&mut self) -> Result<(), String> {
        let length = |text: &str| match repetition(text) {
            Some(length) => length,
            None => usize::from(text.starts_with(['*', '+', '?'])),
        };
        let first = length(self.rest);
        if counts_too_high(self.rest.get(..first).unwrap_or_default()) {
            return Err("invalid repeat count".to_owned());
        }
        self.copy(first);
        if self.rest.starts_with('?') {
            self.copy(1);
        }
        match length(self.rest) {
            0 => Ok(()),
            _ => Err("invalid nested repetition operator".to_owned()),
        }
    }

    /// A class in brackets, in which the engine gives a meaning to characters that have none in RE2: `[` within it, and
    /// doubled `&`, `~` and `-`.
    fn class(&mut self) -> Result<(), String> {
        self.copy(1);
        if self.rest.starts_with('^') {
            self.copy(1);
        }
        let mut first = true;
        while let Some(next) = self.rest.chars().next() {
            match next {
                ']' if !first => {
                    self.copy(1);
                    return Ok(());
                }
                '-' if self.rest.starts_with("--") => {
                    self.copy(1);
                    self.quote();
                }
                '[' if self.rest.starts_with("[:") => self.posix_class()?,
                ']' | '[' | '&' | '~' => self.quote(),
                '\\' => self.escape(true)?,
                other => self.copy(other.len_utf8()),
            }
            first = false;
        }
        Ok(())
    }

    fn posix_class(&mut self) -> Result<(), String> {
        let inside = self.rest.get(2..).unwrap_or_default();
        let Some(end) = inside.find(":]") else {
            self.quote();
            return Ok(());
        };
        let name = inside.get(..end).unwrap_or_default();
        if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(INVALID_RANGE.to_owned());
        }
        self.copy(end + 4);
        Ok(())
    }
}

/// How long a repetition in braces at the front is; none if there is no such one.
fn repetition(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('{')?;
    let inside = inside.split_once('}')?.0;
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let is_number = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
    (!low.is_empty() && is_number(low) && is_number(high)).then_some(inside.len() + 2)
}

fn counts_too_high(repetition: &str) -> bool {
    let numbers = repetition.split(|c: char| !c.is_ascii_digit()).filter(|text| !text.is_empty());
    let mut numbers = numbers.map(|number| number.parse().unwrap_or(u32::MAX));
    numbers.any(|number: u32| number > REPEAT_MAX)
}
