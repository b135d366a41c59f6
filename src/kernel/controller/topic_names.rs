//! Which names a topic may have, in Kafka's words.

/// The longest name of a topic.
const TOPIC_NAME_MAX_LENGTH: usize = 249;

/// Why a name cannot be that of a topic.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.encode_utf16().count() > TOPIC_NAME_MAX_LENGTH {
        format!(
            "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_MAX_LENGTH}"
        )
    } else if !name.chars().all(is_legal) {
        format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'"
        )
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// Whether names like this one can collide in the names of metrics, where `.` and `_` are the same.
pub fn has_collision_chars(name: &str) -> bool {
    name.contains(['.', '_'])
}

/// Two names with the same result collide.
pub fn unify_collision_chars(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegal_names_are_refused_in_kafkas_words() {
        let long = "a".repeat(250);
        let too_long = format!("the length of '{long}' is longer than the max allowed length 249");
        let characters = "'a b' contains one or more characters other than ASCII alphanumerics, \
                          '.', '_' and '-'";
        for (name, why) in [
            ("", "the empty string is not allowed"),
            (".", "'.' is not allowed"),
            ("..", "'..' is not allowed"),
            ("a b", characters),
            (long.as_str(), too_long.as_str()),
        ] {
            let expected = Err(format!("Topic name is invalid: {why}"));
            assert_eq!(check_topic_name(name), expected, "{name}");
        }
        for name in ["a", "A-z_0.9", "...", &"a".repeat(249)] {
            assert_eq!(check_topic_name(name), Ok(()), "{name}");
        }
    }
}
