//! What Apache Kafka 4.3.1 answered to the same requests in the same order, byte for byte.
//!
//! Each line of the transcript is a name, an API key, a version, the body of the request and what came after the
//! correlation id of the answer. `{t}` is the id of topic t; `SSSSSSSS` is the number of the last session.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::api::harness::{Node, bytes_of, topic_id};

const TRANSCRIPT: &str = include_str!("testdata/apache-4.3.1.tsv");

const SESSION: &str = "SSSSSSSS";

fn from_hex(text: &str) -> Bytes {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn with_ids(text: &str) -> String {
    let id = |name: &str| to_hex(topic_id(name).0.as_bytes());
    text.replace("{t}", &id("t")).replace("{z}", &id("z")).replace("{c}", &id("c"))
}

#[test]
fn answers_are_those_of_apache() {
    let node = Node::with(&[
        ("t", 2, &[]),
        ("c", 1, &[("cleanup.policy", "compact")]),
        ("z", 1, &[("compression.type", "zstd")]),
        ("la", 1, &[("message.timestamp.type", "LogAppendTime")]),
        ("small", 1, &[("max.message.bytes", "100")]),
        ("ts", 1, &[("message.timestamp.after.max.ms", "1000")]),
        ("dl", 1, &[]),
    ]);
    let mut session = String::new();
    let mut wrong = Vec::new();
    for line in TRANSCRIPT.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, key, version, body, expected] = fields[..] else { panic!("{line}") };
        let (key, version): (i16, i16) = (key.parse().unwrap(), version.parse().unwrap());
        let body = from_hex(&with_ids(body).replace(SESSION, &session));
        let got = to_hex(&bytes_of(node.ask(key, version, body)));
        if name.starts_with("sess full") {
            let at = expected.find(SESSION).unwrap();
            got[at..at + SESSION.len()].clone_into(&mut session);
            assert_ne!(session, "00000000");
        }
        let expected = with_ids(expected).replace(SESSION, &session);
        if got != expected {
            wrong.push(format!("{name}\n     got {got}\nexpected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
