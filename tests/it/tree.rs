//! The source tree, as `floors` and `tidy` read it.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test that reads the source")]

use std::path::{Path, PathBuf};

/// One file of Rust.
pub struct Source {
    /// Its path from the root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
    /// Whether all of it is tests.
    pub is_test: bool,
}

impl Source {
    /// The module's path within the crate: `wire::guard` for `src/wire/guard/mod.rs`.
    pub fn module(&self) -> String {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod").replace('/', "::")
    }

    /// What is compiled into the library: no comments, and nothing from `#[cfg(test)] mod …` on.
    pub fn code(&self) -> String {
        let end = self.text.find("#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        let lines = self.text[..end].lines();
        let code = lines.map(|line| line.split_once("//").map_or(line, |(code, _)| code));
        code.collect::<Vec<_>>().join("\n")
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of Rust below these folders, in order.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let source = |(path, text): (PathBuf, String)| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        Source { is_test: is_test(&path, &name), path: name, text }
    };
    files(folders, "rs").into_iter().map(source).collect()
}

/// Every file with this ending below these folders, in order, and what it says.
pub fn files(folders: &[&str], ending: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}

/// Whether a file is among tests, or compiled for them only.
fn is_test(path: &Path, name: &str) -> bool {
    let mut parts = name.split('/');
    if parts.any(|part| matches!(part, "tests" | "tests.rs" | "protocol-tests")) {
        return true;
    }
    let front = std::fs::read_to_string(path.with_file_name("mod.rs")).unwrap_or_default();
    let module = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    ["mod", "pub mod"].iter().any(|word| front.contains(&format!("#[cfg(test)]\n{word} {module};")))
}

/// A file at the root.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}
