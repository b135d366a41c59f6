//! The floors: a module imports only what lies below it (docs/ARCHITECTURE.md).

use crate::tree::{Source, sources};

/// What each floor may import, besides itself.
const FLOORS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("wire", &["types"]),
    // Decisions. `controller` and `replica` stand on the others, which are blind to each other but for the
    // tables of configuration.
    ("kernel::configs", &["types", "wire"]),
    ("kernel::log", &["types", "wire"]),
    ("kernel::raft", &["types", "wire"]),
    ("kernel::metadata", &["types", "wire", "kernel::configs"]),
    ("kernel::authorizer", &["types", "wire", "kernel::configs", "kernel::metadata"]),
    ("kernel::machine", &["types", "wire", "kernel::configs", "kernel::metadata"]),
    (
        "kernel::coordinator",
        &["types", "wire", "kernel::configs", "kernel::log", "kernel::machine"],
    ),
    ("kernel::controller", &["types", "wire", "kernel::configs", "kernel::metadata"]),
    ("kernel::replica", &["types", "wire", "kernel::log", "kernel::metadata"]),
    (
        "kernel::groups",
        &[
            "types",
            "wire",
            "kernel::configs",
            "kernel::metadata",
            "kernel::machine",
            "kernel::authorizer",
        ],
    ),
    ("kernel::txns", &["types", "wire", "kernel::configs", "kernel::metadata", "kernel::machine"]),
    // The simulated world, which runs the kernel without the shell.
    ("sim", &["types", "wire", "kernel"]),
    // Effects: the clock, chance, threads; then `disk` and `net`, which are blind to each other; then
    // `drivers`, which see all but `net`.
    ("shell", &["types", "wire"]),
    ("shell::disk", &["types", "wire", "kernel::log", "shell"]),
    ("shell::net", &["types", "wire", "shell"]),
    ("shell::drivers", &["types", "wire", "kernel", "shell", "shell::disk"]),
    // Handlers reach the shell through what drivers give them, never through sockets or files.
    ("api", &["types", "wire", "kernel", "shell", "shell::drivers"]),
    (
        "server",
        &["types", "wire", "kernel", "shell", "shell::disk", "shell::drivers", "shell::net", "api"],
    ),
];

fn is_within(module: &str, floor: &str) -> bool {
    module.strip_prefix(floor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The floor of a module: the longest name that fits.
fn floor_of(module: &str) -> Option<&'static str> {
    let floors = FLOORS.iter().map(|(floor, _)| *floor).filter(|floor| is_within(module, floor));
    floors.max_by_key(|floor| floor.len())
}

/// The paths after each `crate::` in code.
fn imports(source: &Source) -> Vec<String> {
    let code = source.code();
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let after = code.split("crate::").skip(1);
    after.map(|rest| rest.chars().take_while(|c| is_path(*c)).collect()).collect()
}

#[test]
fn a_module_imports_only_what_lies_below_it() {
    let mut wrong = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !source.is_test) {
        let module = source.module();
        if ["lib", "main", "kernel", "shell", "bin::ottla_sim"].contains(&module.as_str()) {
            continue;
        }
        let Some(own) = floor_of(&module) else {
            wrong.push(format!("{} is on no floor", source.path));
            continue;
        };
        let (_, below) = FLOORS.iter().find(|(floor, _)| *floor == own).unwrap();
        for import in imports(source) {
            let floor = floor_of(&import).unwrap_or(import.as_str());
            // `kernel` is all of its floors.
            let is_below =
                |under: &&str| *under == floor || *under == "kernel" && is_within(floor, under);
            let allowed = floor == own || below.iter().any(is_below);
            if !allowed {
                wrong.push(format!("{} imports crate::{import}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_floor_exists_and_stands_on_floors() {
    let sources = sources(&["src"]);
    for (floor, below) in FLOORS {
        let exists = sources.iter().any(|source| is_within(&source.module(), floor));
        assert!(exists, "there is no {floor}");
        for under in *below {
            let above = FLOORS.iter().position(|(name, _)| name == floor);
            let under = FLOORS.iter().position(|(name, _)| is_within(name, under));
            assert!(under.is_some() && under < above, "{floor} stands on what is not below it");
        }
    }
}

/// Where in `src` a word of code may stand.
fn only_in(word: &str, allowed: &[&str]) {
    let found = sources(&["src"]).into_iter().filter(|source| {
        let has_word = |line: &str| line.contains(word) && !line.contains('"');
        !source.is_test && source.code().lines().any(has_word)
    });
    for source in found {
        let is_allowed = allowed.iter().any(|allowed| source.path.starts_with(allowed));
        assert!(is_allowed, "{} has {word}", source.path);
    }
}

#[test]
fn the_world_is_touched_by_the_shell_only() {
    for door in
        ["std::fs", "std::net::Tcp", "std::net::Udp", "std::thread", "std::process", "tokio::"]
    {
        only_in(door, &["src/shell/", "src/api/", "src/server/", "src/main.rs", "src/bin/"]);
    }
    only_in("std::net::Tcp", &["src/shell/net/", "src/server/"]);
}

#[test]
fn unsafe_stands_in_the_disk_only() {
    for word in ["unsafe {", "unsafe fn", "unsafe impl"] {
        only_in(word, &["src/shell/disk/"]);
    }
}

#[test]
fn errors_without_a_type_stay_at_the_top() {
    only_in("anyhow", &["src/server/", "src/main.rs"]);
}
