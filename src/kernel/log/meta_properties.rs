//! The text of `meta.properties`, which makes a directory one of Kafka's.
//!
//! Java properties syntax as far as `java.util.Properties` reads and writes it: comments, `=`, `:` or blank
//! between key and value, escapes, continued lines. Version 0 (before KRaft) is told apart by name, not read as 1.
//! Nothing here touches a file: where the text lies and how it is replaced is the driver's affair.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::types::ids::{DirectoryId, NodeId, uuid_from_text, uuid_to_text};
use crate::types::time::Timestamp;

/// The name of the file in each log directory.
pub const META_PROPERTIES: &str = "meta.properties";
/// No honest file is longer; a longer one is not read.
pub const META_PROPERTIES_BYTES_MAX: u64 = 64 * 1024;

/// Identifiers below this are reserved by KIP-858 for replicas without a directory.
const RESERVED_DIRECTORY_IDS: u128 = 100;

/// What version 1 says of a directory.
#[expect(clippy::struct_field_names, reason = "the names of Kafka's keys")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster this directory belongs to: usually a UUID's text, but any text that the operator chose.
    pub cluster_id: String,
    /// The node this directory belongs to.
    pub node_id: NodeId,
    /// The directory itself (KIP-858); older files lack it, and it is then added at start.
    pub directory_id: Option<DirectoryId>,
}

/// Why a text is not a `meta.properties` of version 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaPropertiesError {
    /// A backslash-u without four hexadecimal digits.
    #[error("malformed \\uXXXX escape in line {line}")]
    Escape {
        /// Counted from 1.
        line: usize,
    },
    /// `version` is no number.
    #[error("invalid meta.properties version string '{0}'")]
    VersionText(String),
    /// A version that Kafka 4 does not write.
    #[error("unknown meta.properties version number {0}")]
    VersionUnknown(i32),
    /// Version 0, or no version at all: written by a broker that kept its metadata in ZooKeeper.
    #[error("the directory is formatted for legacy mode (meta.properties has no `version=1`)")]
    Legacy,
    /// A key that version 1 demands.
    #[error("{0} was not found")]
    Missing(&'static str),
    /// `node.id` is no number.
    #[error("unable to read node.id as a base-10 number: '{0}'")]
    NodeId(String),
    /// `directory.id` is no UUID.
    #[error("unable to read directory.id as a Uuid: '{0}'")]
    DirectoryId(String),
    /// `directory.id` is one of the reserved ones.
    #[error("invalid reserved directory ID {0}")]
    ReservedDirectoryId(DirectoryId),
}

impl MetaProperties {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self, MetaPropertiesError> {
        let properties = parse_properties(text)?;
        let get = |key: &str| properties.get(key).map(|value| value.trim());
        let version = get("version").ok_or(MetaPropertiesError::Legacy)?;
        match version.parse::<i32>() {
            Err(_) => return Err(MetaPropertiesError::VersionText(version.to_owned())),
            Ok(0) => return Err(MetaPropertiesError::Legacy),
            Ok(1) => {}
            Ok(other) => return Err(MetaPropertiesError::VersionUnknown(other)),
        }
        let cluster_id = get("cluster.id").ok_or(MetaPropertiesError::Missing("cluster.id"))?;
        let node_id = get("node.id").ok_or(MetaPropertiesError::Missing("node.id"))?;
        let node_id =
            node_id.parse().map_err(|_| MetaPropertiesError::NodeId(node_id.to_owned()))?;
        let directory_id = get("directory.id").map(parse_directory_id).transpose()?;
        Ok(Self { cluster_id: cluster_id.to_owned(), node_id: NodeId(node_id), directory_id })
    }

    /// The text that Kafka writes: an empty comment, the date, then the keys in the order of its hash map.
    pub fn to_text(&self, now: Timestamp) -> String {
        let mut text = String::from("#\n");
        let _ = writeln!(text, "#{}", java_date(now));
        let _ = writeln!(text, "node.id={}", self.node_id);
        if let Some(id) = self.directory_id {
            let _ = writeln!(text, "directory.id={}", uuid_to_text(id.0));
        }
        text.push_str("version=1\n");
        let _ = writeln!(text, "cluster.id={}", escape_value(&self.cluster_id));
        text
    }
}

fn parse_directory_id(text: &str) -> Result<DirectoryId, MetaPropertiesError> {
    let uuid =
        uuid_from_text(text).ok_or_else(|| MetaPropertiesError::DirectoryId(text.to_owned()))?;
    let id = DirectoryId(uuid);
    if uuid.as_u128() < RESERVED_DIRECTORY_IDS {
        return Err(MetaPropertiesError::ReservedDirectoryId(id));
    }
    Ok(id)
}

/// Keys and values of a text in Java's properties syntax; the last of equal keys wins.
fn parse_properties(text: &str) -> Result<BTreeMap<String, String>, MetaPropertiesError> {
    let mut properties = BTreeMap::new();
    let mut lines = text.split(['\n', '\r']).enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches(is_blank);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while ends_in_open_backslash(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start_matches(is_blank)),
                None => break,
            }
        }
        let (key, value) = split_pair(&logical);
        let line = number + 1;
        properties.insert(unescape(key, line)?, unescape(value, line)?);
    }
    Ok(properties)
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn ends_in_open_backslash(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or blank that no backslash guards; blanks and one separator follow it.
fn split_pair(line: &str) -> (&str, &str) {
    let mut guarded = false;
    let end = line.find(|c| {
        let ends = !guarded && (c == '=' || c == ':' || is_blank(c));
        guarded = c == '\\' && !guarded;
        ends
    });
    let Some((key, rest)) = end.and_then(|end| line.split_at_checked(end)) else {
        return (line, "");
    };
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

fn unescape(text: &str, line: usize) -> Result<String, MetaPropertiesError> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => {}
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                let c =
                    code.and_then(char::from_u32).ok_or(MetaPropertiesError::Escape { line })?;
                out.push(c);
            }
            Some(other) => out.push(other),
        }
    }
    Ok(out)
}

fn escape_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        match c {
            ' ' if index == 0 => out.push_str("\\ "),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '\\' | '=' | ':' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A date as `java.util.Date` prints it in UTC: `Sat Nov 21 21:40:29 UTC 2026`.
fn java_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = at.0.max(0) / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    let weekday = DAYS.get((days % 7) as usize).copied().unwrap_or_default();
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
    format!(
        "{weekday} {month} {day:02} {:02}:{:02}:{:02} UTC {year}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Days since 1970 to (year, month 1–12, day 1–31), counted in years that begin in March, so that the leap day is last.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const APACHE: &str = "#\n#Sat Nov 21 21:40:29 UTC 2026\nnode.id=1\ndirectory.id=5EIy9FEKQM-dukS631KzBw\nversion=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\n";

    #[test]
    fn what_apache_writes_is_read_and_written_alike() {
        let read = MetaProperties::parse(APACHE).unwrap();
        assert_eq!(read.cluster_id, "4L6g3nShT-eMCtK--X86sw");
        assert_eq!(read.node_id, NodeId(1));
        assert_eq!(read.to_text(Timestamp(1_795_297_229_000)), APACHE);
    }

    #[test]
    fn a_hand_written_file_has_a_padded_id_and_windows_lines() {
        let text = "#\r\n#date\r\ncluster.id = a\\:b c\r\ndirectory.id:EAAAAAAAQACAAAAAAAAAAQ==\r\n! x\r\nnode.id 7\r\nversion=1";
        let read = MetaProperties::parse(text).unwrap();
        assert_eq!(
            read.directory_id,
            Some(DirectoryId(Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0001)))
        );
        assert_eq!((read.node_id, read.cluster_id.as_str()), (NodeId(7), "a:b c"));
    }

    #[test]
    fn any_cluster_id_survives_writing_and_reading() {
        for cluster_id in ["my cluster", " a=b:c#d!", "tab\there", "back\\slash", "ünï"] {
            let written = MetaProperties {
                cluster_id: cluster_id.to_owned(),
                node_id: NodeId(3),
                directory_id: None,
            };
            let text = written.to_text(Timestamp(0));
            // Blanks at the ends are not part of an id.
            let expected = MetaProperties { cluster_id: cluster_id.trim().to_owned(), ..written };
            assert_eq!(MetaProperties::parse(&text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn continued_lines_and_escapes_are_javas() {
        let text = "version=\\\n   1\nnode.id=\\u0031\ncluster.id=x\\\\\ndirectory.id=\\\n";
        // The last line is continued by nothing, so its value is empty: no UUID.
        assert_eq!(
            MetaProperties::parse(text),
            Err(MetaPropertiesError::DirectoryId(String::new()))
        );
        let text = "version=\\\n   1\nnode.id=\\u0031\ncluster.id=x\\\\\n";
        let read = MetaProperties::parse(text).unwrap();
        assert_eq!((read.node_id, read.cluster_id.as_str()), (NodeId(1), "x\\"));
    }

    #[test]
    fn what_is_not_version_1_is_refused_by_its_fault() {
        use MetaPropertiesError as E;
        let cases: [(&str, E); 9] = [
            ("", E::Legacy),
            ("version=0\nbroker.id=1\n", E::Legacy),
            ("version=2", E::VersionUnknown(2)),
            ("version=one", E::VersionText("one".to_owned())),
            ("version=1\nnode.id=1", E::Missing("cluster.id")),
            ("version=1\ncluster.id=x", E::Missing("node.id")),
            ("version=1\ncluster.id=x\nnode.id=9999999999", E::NodeId("9999999999".to_owned())),
            ("version=1\ncluster.id=x\nnode.id=1\ndirectory.id=q", E::DirectoryId("q".to_owned())),
            (
                "version=1\ncluster.id=x\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAA",
                E::ReservedDirectoryId(DirectoryId::MIGRATING),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(MetaProperties::parse(text), Err(expected), "{text}");
        }
        assert_eq!(MetaProperties::parse("a=\\uzz"), Err(E::Escape { line: 1 }));
    }

    #[test]
    fn dates_are_those_of_java() {
        assert_eq!(java_date(Timestamp(0)), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(java_date(Timestamp(1_709_210_096_789)), "Thu Feb 29 12:34:56 UTC 2024");
        assert_eq!(java_date(Timestamp(4_102_444_799_000)), "Thu Dec 31 23:59:59 UTC 2099");
    }
}
