//! Formatting real directories under a temporary one.
#![expect(clippy::disallowed_methods, reason = "tests look at real files")]

use std::path::Path;

use super::start::{Prepared, prepare};
use super::*;
use crate::types::time::Mono;

const NOW: Now = Now { mono: Mono(std::time::Duration::ZERO), wall: Timestamp(1_795_524_228_000) };

/// Random bytes that differ from call to call and are the same in every run.
fn counted() -> impl FnMut() -> [u8; 16] {
    let mut count = 0u8;
    move || {
        count += 1;
        [count; 16]
    }
}

fn storage(directories: &[&Path], static_quorum: bool) -> Storage {
    Storage {
        node_id: NodeId(1),
        is_controller: true,
        log_dirs: directories.iter().map(|path| path.to_path_buf()).collect(),
        metadata_log_dir: directories[0].to_owned(),
        controller_listener: ControllerListener {
            name: "CONTROLLER".to_owned(),
            host: String::new(),
            port: 9093,
        },
        static_quorum,
    }
}

fn options(quorum: InitialQuorum) -> FormatOptions {
    FormatOptions { cluster_id: "abc".to_owned(), quorum, ..FormatOptions::default() }
}

/// Formats, and returns what was said or why it was refused.
fn run(options: &FormatOptions, storage: &Storage) -> Result<String, String> {
    let mut said = Vec::new();
    format(options, storage, &mut said, NOW, &mut counted()).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(said).unwrap())
}

fn names(directory: &Path) -> Vec<String> {
    files::list_names(directory).unwrap()
}

fn read(path: &Path) -> String {
    files::read_text(path).unwrap().unwrap()
}

#[test]
fn a_static_quorum_needs_no_snapshot() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("deep/data");
    let storage = storage(&[&directory], true);
    let said = run(&options(InitialQuorum::Unspecified), &storage).unwrap();
    let path = directory.display();
    assert_eq!(
        said,
        format!("Formatting metadata directory {path} with metadata.version 4.3-IV0.\n")
    );
    assert_eq!(names(&directory), ["bootstrap.checkpoint", "meta.properties"]);
    let text = read(&directory.join("meta.properties"));
    assert_eq!(MetaProperties::parse(&text).unwrap().cluster_id, "abc");
}

#[test]
fn a_standalone_directory_has_its_voter_in_the_snapshot_0_0() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (root.path().join("a"), root.path().join("b"));
    let storage = storage(&[&first, &second], false);
    let said = run(&options(InitialQuorum::Standalone), &storage).unwrap();
    assert!(said.starts_with("Formatting dynamic metadata voter directory "), "{said}");
    assert!(said.contains(&format!("Formatting data directory {} ", second.display())), "{said}");
    assert_eq!(names(&first), ["__cluster_metadata-0", "bootstrap.checkpoint", "meta.properties"]);
    assert_eq!(names(&second), ["bootstrap.checkpoint", "meta.properties"]);

    let snapshot = first.join("__cluster_metadata-0/00000000000000000000-0000000000.checkpoint");
    let bytes = std::fs::read(&snapshot).unwrap().into();
    let checkpoint = Checkpoint::decode(&bytes).unwrap();
    let id = MetaProperties::parse(&read(&first.join("meta.properties"))).unwrap().directory_id;
    let voters = checkpoint.voters.unwrap();
    let voter = &voters.0[&NodeId(1)];
    assert_eq!(voter.key.directory_id, id);
    let (listener, endpoint) = &voter.endpoints[0];
    assert_eq!(
        (listener.as_str(), endpoint.host.as_str(), endpoint.port),
        ("CONTROLLER", "localhost", 9093)
    );
    assert_eq!(checkpoint.kraft_version, 1);
    assert!(checkpoint.values.is_empty());
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&snapshot).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o400);
}

#[test]
fn the_bootstrap_checkpoint_holds_the_chosen_levels() {
    let root = tempfile::tempdir().unwrap();
    let mut options = options(InitialQuorum::Unspecified);
    options.release_version = Some("4.1".to_owned());
    run(&options, &storage(&[root.path()], true)).unwrap();
    let bytes = std::fs::read(root.path().join(BOOTSTRAP_CHECKPOINT)).unwrap().into();
    let checkpoint = Checkpoint::decode(&bytes).unwrap();
    // FeatureLevelRecords v0 in their frames: metadata.version 27, group.version 1, transaction.version 2.
    let records = [
        &b"\x01\x0c\x00\x11metadata.version\x00\x1b\x00"[..],
        b"\x01\x0c\x00\x0egroup.version\x00\x01\x00",
        b"\x01\x0c\x00\x14transaction.version\x00\x02\x00",
    ];
    assert_eq!(checkpoint.values, records);
    assert_eq!(checkpoint.voters, None);
}

#[test]
fn refusals_are_worded_as_kafka_words_them() {
    let root = tempfile::tempdir().unwrap();
    let dynamic = storage(&[root.path()], false);
    let fixed = storage(&[root.path()], true);
    let refused = |options: &FormatOptions, storage| run(options, storage).unwrap_err();
    assert!(refused(&options(InitialQuorum::Unspecified), &dynamic).starts_with(
        "Because controller.quorum.voters is not set on this controller, you must specify one"
    ));
    assert!(
        refused(&options(InitialQuorum::Standalone), &fixed)
            .starts_with("You cannot specify controller.quorum.voters and format the node with")
    );
    let wrong = options(InitialQuorum::Controllers("1@h:1".to_owned()));
    assert!(refused(&wrong, &dynamic).ends_with("No colon following port could be found."));
    let with = |quorum, feature: &str| FormatOptions {
        features: vec![feature.to_owned()],
        ..options(quorum)
    };
    assert!(
        refused(&with(InitialQuorum::Standalone, "kraft.version=0"), &dynamic)
            .starts_with("Cannot set kraft.version to 0 if controller.quorum.voters is empty and")
    );
    assert!(
        refused(&with(InitialQuorum::Unspecified, "kraft.version=1"), &fixed).starts_with(
            "Cannot set kraft.version to 1 unless controller.quorum.voters is empty and"
        )
    );
    let mut broker = storage(&[root.path()], false);
    broker.is_controller = false;
    assert_eq!(
        refused(&options(InitialQuorum::Standalone), &broker),
        "You can only use --standalone on a controller."
    );
    assert!(names(root.path()).is_empty(), "a refusal leaves nothing behind");
}

#[test]
fn a_formatted_directory_is_formatted_once() {
    let root = tempfile::tempdir().unwrap();
    let storage = storage(&[root.path()], false);
    let mut options = options(InitialQuorum::Standalone);
    run(&options, &storage).unwrap();
    let before = read(&root.path().join("meta.properties"));
    let path = root.path().display();
    assert_eq!(
        run(&options, &storage).unwrap_err(),
        format!(
            "Log directory {path} is already formatted. Use --ignore-formatted to ignore this directory and format the others."
        )
    );
    options.ignore_formatted = true;
    assert_eq!(
        run(&options, &storage).unwrap(),
        "All of the log directories are already formatted.\n"
    );
    assert_eq!(read(&root.path().join("meta.properties")), before);
    "def".clone_into(&mut options.cluster_id);
    assert_eq!(
        run(&options, &storage).unwrap_err(),
        format!("Invalid cluster.id in: {path}/meta.properties. Expected def, but read abc")
    );
    let other = Storage { node_id: NodeId(2), ..storage };
    options.cluster_id = "abc".to_owned();
    assert!(
        run(&options, &other)
            .unwrap_err()
            .starts_with("Stored node id 1 doesn't match previous node id 2 in")
    );
}

#[test]
fn a_start_formats_what_is_empty_and_keeps_what_is_not() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (root.path().join("a"), root.path().join("b"));
    std::fs::create_dir_all(first.join("lost+found")).unwrap();
    std::fs::write(first.join(".lock"), "").unwrap();
    let one = prepare(&storage(&[&first], false), None, NOW, &mut counted()).unwrap();
    assert!(one.formatted);
    assert_eq!(one.directories, [(first.clone(), one.metadata_directory_id)]);
    let again = prepare(&storage(&[&first], false), None, NOW, &mut counted()).unwrap();
    assert_eq!(again, Prepared { formatted: false, ..one.clone() });
    // A second directory joins the cluster of the first.
    let both = prepare(&storage(&[&first, &second], false), None, NOW, &mut counted()).unwrap();
    assert_eq!((both.cluster_id.as_str(), both.directories.len()), (one.cluster_id.as_str(), 2));
}

#[test]
fn a_start_refuses_foreign_content_and_another_cluster_by_name() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("home");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("thesis.tex"), "").unwrap();
    let storage = storage(&[&directory], false);
    let refused =
        |cluster_id| prepare(&storage, cluster_id, NOW, &mut counted()).unwrap_err().to_string();
    assert!(refused(None).contains("it contains thesis.tex"));
    assert_eq!(names(&directory), ["thesis.tex"]);
    std::fs::write(directory.join("meta.properties"), "broker.id=1\n").unwrap();
    assert!(refused(None).contains("meta.properties: the directory is formatted for legacy mode"));
    std::fs::write(directory.join("meta.properties"), "version=1\nnode.id=1\ncluster.id=x\n")
        .unwrap();
    assert!(refused(Some("y")).contains("Expected y, but read x"));
    // From before directory ids: one is added.
    let prepared = prepare(&storage, None, NOW, &mut counted()).unwrap();
    let text = read(&directory.join("meta.properties"));
    assert_eq!(
        MetaProperties::parse(&text).unwrap().directory_id,
        Some(prepared.metadata_directory_id)
    );
}

#[test]
fn an_absent_metadata_disk_is_not_replaced_by_an_empty_one() {
    let root = tempfile::tempdir().unwrap();
    let (metadata, data) = (root.path().join("metadata"), root.path().join("data"));
    prepare(&storage(&[&data], false), None, NOW, &mut counted()).unwrap();
    let error =
        prepare(&storage(&[&metadata, &data], false), None, NOW, &mut counted()).unwrap_err();
    assert!(error.to_string().contains("is a disk missing?"), "{error}");
    assert!(!metadata.exists());
}
