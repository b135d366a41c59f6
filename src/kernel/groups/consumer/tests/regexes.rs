//! Expressions beside RE2/J.

use crate::kernel::groups::consumer::topic_regex::{REGEX_MAX_BYTES, TopicRegex};

/// RE2/J accepts and refuses the same, says the same, and matches the same names.
#[test]
fn expressions_mean_what_they_mean_to_kafka() {
    let mut lines =
        include_str!("../testdata/regexes.txt").lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in lines {
        let mut parts = line.split('\t');
        let (regex, verdict) = (parts.next().unwrap(), parts.next().unwrap());
        let expected = format!("{verdict} {}", parts.next().unwrap());
        let ours = match TopicRegex::new(regex) {
            Ok(compiled) => {
                let matching = names.iter().copied().filter(|name| compiled.matches(name));
                format!("= {}", matching.collect::<Vec<_>>().join(" "))
            }
            Err(error) => format!("! {}", error.description),
        };
        if ours != expected {
            wrong.push(format!("{regex}: {ours}, but RE2/J: {expected}"));
        }
        count += 1;
    }
    assert_eq!((wrong, count), (Vec::<String>::new(), 83));
}

#[test]
fn a_refusal_is_told_as_kafka_tells_it() {
    let error = TopicRegex::new("[").err().unwrap();
    let text = "SubscribedTopicRegex `[` is not a valid regular expression: missing closing ].";
    assert_eq!(error.to_string(), text);
}

/// An engine that goes back on its steps would not come to an end here.
#[test]
fn no_expression_takes_longer_than_its_text() {
    let name = "a".repeat(249);
    assert!(!TopicRegex::new("(a*)*b").unwrap().matches(&name));
    assert!(!TopicRegex::new("(a|a)*c").unwrap().matches(&name));
    assert!(TopicRegex::new("(a?){100}a{100}a*").unwrap().matches(&name));
}

#[test]
fn an_expression_is_bounded() {
    let check = |regex: &str, said: &str| {
        let error = TopicRegex::new(regex).err().unwrap();
        assert!(error.description.contains(said), "{error}");
        assert!(error.to_string().len() < 400);
    };
    check(&"a".repeat(64 * 1024), "longer than");
    check("((a{1,1000}){1,1000}){1,1000}", "too large");
    check(&format!("({}", "(".repeat(REGEX_MAX_BYTES - 10)), "");
    assert!(TopicRegex::new(&"a".repeat(REGEX_MAX_BYTES / 2)).is_ok());
}
