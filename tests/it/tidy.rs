//! What clippy does not see: sizes, names, doc comments, and that the table of APIs is true.

use std::collections::BTreeMap;

use crate::tree::{Source, files, read, sources};

const FOLDERS: &[&str] = &["src", "tests", "benches", "fuzz", "protocol-tests"];

const FILE_LINES_MAX: usize = 800;
const TEST_FILE_LINES_MAX: usize = 1200;
const FOLDER_FILES_MAX: usize = 20;
/// rustfmt keeps code below 100; this is for comments. Long texts between quotes stay in one piece.
const LINE_CHARS_MAX: usize = 125;

/// Files that were longer before the limit came, with their lines. The list only shrinks.
const LONG_FILES: &[(&str, usize)] = &[];

#[test]
fn files_are_short() {
    let allowed: BTreeMap<_, _> = LONG_FILES.iter().copied().collect();
    for source in sources(FOLDERS) {
        let lines = source.text.lines().count();
        let limit = if source.is_test { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
        match allowed.get(source.path.as_str()) {
            None => assert!(lines <= limit, "{} has {lines} lines, above {limit}", source.path),
            Some(longest) => {
                assert!(lines > limit, "{} is short now: take it off the list", source.path);
                assert!(lines <= *longest, "{} has grown to {lines} lines", source.path);
            }
        }
    }
}

#[test]
fn lines_are_short() {
    for source in sources(FOLDERS).iter().filter(|source| !source.is_test) {
        for (index, line) in source.text.lines().enumerate() {
            let is_short = line.chars().count() <= LINE_CHARS_MAX || line.contains('"');
            assert!(is_short, "{}:{} is long", source.path, index + 1);
        }
    }
}

#[test]
fn functions_are_short() {
    assert!(read("clippy.toml").contains("too-many-lines-threshold = 70\n"));
}

#[test]
fn folders_are_small_and_names_say_something() {
    const BANNED: &[&str] = &[
        "util", "utils", "common", "misc", "helper", "helpers", "manager", "managers", "impl",
        "impls",
    ];
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources(FOLDERS) {
        let mut parts = source.path.trim_end_matches(".rs").split('/');
        assert!(
            !parts.any(|part| BANNED.contains(&part)),
            "{}: a name that says nothing",
            source.path
        );
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *files.entry(folder.to_owned()).or_default() += 1;
    }
    for (folder, count) in files {
        assert!(count <= FOLDER_FILES_MAX, "{folder} has {count} files");
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for source in sources(FOLDERS) {
        let is_named = source.text.starts_with("//! ");
        assert!(is_named || source.path.ends_with("tests.rs"), "{} has no //!", source.path);
    }
}

#[test]
fn tests_run_and_do_not_sleep() {
    let ignore = concat!("#[", "ignore");
    let sleeps = [concat!("thread::", "sleep("), concat!("time::", "sleep(")];
    for source in sources(&["src", "tests", "fuzz"]) {
        assert!(!source.text.contains(ignore), "{} has an ignored test", source.path);
        let tests = source.text.find("#[cfg(test)]").map_or("", |at| &source.text[at..]);
        let tests = if source.is_test { source.text.as_str() } else { tests };
        let sleeps = sleeps.iter().any(|sleep| tests.contains(sleep));
        assert!(!sleeps, "{} has a test that sleeps", source.path);
    }
}

/// A row of `src/api/table.rs`.
struct Row {
    key: i16,
    name: String,
    versions: (i16, i16),
}

fn rows() -> Vec<Row> {
    let table = read("src/api/table.rs");
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let key = words.next()?.parse().ok()?;
        let name = words.next()?.to_owned();
        let (min, max) = words.next()?.split_once("..=")?;
        Some(Row { key, name, versions: (min.parse().ok()?, max.parse().ok()?) })
    };
    table.lines().filter_map(row).collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// What a row's file begins with.
fn card(row: &Row) -> String {
    match row.versions {
        (min, max) if min == max => format!("//! {} ({}), version {min}: ", row.name, row.key),
        (min, max) => format!("//! {} ({}), versions {min}–{max}: ", row.name, row.key),
    }
}

fn file_of<'a>(row: &Row, sources: &'a [Source]) -> Option<&'a Source> {
    let name = snake_case(&row.name);
    let endings = [format!("/{name}.rs"), format!("/{name}/mod.rs")];
    sources.iter().find(|source| endings.iter().any(|ending| source.path.ends_with(ending)))
}

#[test]
fn every_api_has_a_file_that_begins_with_its_card() {
    let sources = sources(&["src/api"]);
    let rows = rows();
    assert!(!rows.is_empty(), "the table is not read");
    for row in rows {
        let file = file_of(&row, &sources);
        let file = file.unwrap_or_else(|| panic!("{} has no file in src/api", row.name));
        let card = card(&row);
        let first = file.text.lines().next().unwrap_or_default();
        assert!(first.starts_with(&card), "{} begins with {first:?}, not {card:?}", file.path);
    }
}

/// What a test begins with.
const TESTS: [&str; 2] = ["#[test]", "#[tokio::test]"];

/// By name in a test, or by key in a transcript of what Apache Kafka answers.
#[test]
fn every_api_has_a_test() {
    let sources = sources(&["src", "tests", "protocol-tests"]);
    let transcripts = files(&["src/api"], "tsv");
    let lines: Vec<&str> = transcripts.iter().flat_map(|(_, text)| text.lines()).collect();
    for row in rows() {
        let snake = snake_case(&row.name);
        let names_it = |source: &Source| {
            let is_about = source.path.contains(&format!("/{snake}"))
                || source.is_test
                    && (source.text.contains(&row.name) || source.text.contains(&snake));
            is_about
                && TESTS.iter().any(|test| source.text.contains(test))
                && source.path != "tests/it/tidy.rs"
        };
        let key = row.key.to_string();
        let asks_it = |line: &&str| line.split('\t').nth(1) == Some(key.as_str());
        let is_tested = sources.iter().any(names_it) || lines.iter().any(asks_it);
        assert!(is_tested, "no test names {}", row.name);
    }
}
