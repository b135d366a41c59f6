//! What a start does with the log directories: reads them, formats empty ones, refuses foreign ones by name.

use std::path::{Path, PathBuf};

use super::{
    FormatError, FormatOptions, Found, InitialQuorum, Plan, Random, Storage, files,
    random_directory_id, write_meta_properties,
};
use crate::types::ids::{DirectoryId, uuid_from_random, uuid_to_text};
use crate::types::time::Now;

/// Names that an otherwise empty directory may hold: a mount point's, and those that begin with a dot.
const LOST_AND_FOUND: &str = "lost+found";

/// Log directories that are ready to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The cluster that they belong to.
    pub cluster_id: String,
    /// Each directory of `log.dirs` and its id.
    pub directories: Vec<(PathBuf, DirectoryId)>,
    /// The id of the directory with the metadata log.
    pub metadata_directory_id: DirectoryId,
    /// Whether any of them has been formatted just now.
    pub formatted: bool,
}

/// Readies every log directory. An empty or absent one is formatted: into the cluster of the others, or into a new
/// one, with `cluster_id` if the operator chose one. Kafka demands a separate command for that; a start on a directory
/// which holds anything else is refused, so a mistyped path costs nothing.
pub fn prepare(
    storage: &Storage,
    cluster_id: Option<&str>,
    now: Now,
    random: Random<'_>,
) -> Result<Prepared, FormatError> {
    let mut found = Found::read(storage)?;
    found.check(cluster_id, storage.node_id)?;
    for directory in &found.empty {
        refuse_foreign_content(directory)?;
    }
    refuse_lost_metadata(storage, &found)?;
    let formatted = !found.empty.is_empty();
    let cluster_id = match (cluster_id, found.formatted.values().next()) {
        (Some(chosen), _) => chosen.to_owned(),
        (None, Some(other)) => other.cluster_id.clone(),
        (None, None) => random_cluster_id(random),
    };
    let quorum = if !storage.static_quorum && storage.is_controller {
        InitialQuorum::Standalone
    } else {
        InitialQuorum::Unspecified
    };
    let options =
        FormatOptions { cluster_id: cluster_id.clone(), quorum, ..FormatOptions::default() };
    if formatted {
        let plan = Plan::new(&options, storage, random)?;
        for directory in std::mem::take(&mut found.empty) {
            let properties = plan.write(&directory, storage, now, random)?;
            found.formatted.insert(directory, properties);
        }
    }
    let mut directories = Vec::new();
    let mut metadata_directory_id = None;
    for (directory, mut properties) in found.formatted {
        // Files from before KIP-858 have no directory id; Kafka adds one at start, too.
        let id = if let Some(id) = properties.directory_id {
            id
        } else {
            let id = random_directory_id(random);
            properties.directory_id = Some(id);
            write_meta_properties(&directory, &properties, now.wall)?;
            id
        };
        if directory == storage.metadata_log_dir {
            metadata_directory_id = Some(id);
        }
        if storage.log_dirs.contains(&directory) {
            directories.push((directory, id));
        }
    }
    let missing = || FormatError::Refused("no metadata log directory is configured".to_owned());
    let metadata_directory_id = metadata_directory_id.ok_or_else(missing)?;
    Ok(Prepared { cluster_id, directories, metadata_directory_id, formatted })
}

fn refuse_foreign_content(directory: &Path) -> Result<(), FormatError> {
    let names = files::list_names(directory)?;
    let foreign = names.into_iter().find(|name| name != LOST_AND_FOUND && !name.starts_with('.'));
    match foreign {
        None => Ok(()),
        Some(found) => Err(FormatError::ForeignContent { directory: directory.to_owned(), found }),
    }
}

/// An empty metadata directory beside formatted ones is a disk that was not mounted, or a path that changed: a new
/// metadata log would make all topics of the others unknown.
fn refuse_lost_metadata(storage: &Storage, found: &Found) -> Result<(), FormatError> {
    match found.formatted.keys().next() {
        Some(other) if found.empty.contains(&storage.metadata_log_dir) => {
            Err(FormatError::Refused(format!(
                "the metadata log directory {} is not formatted, although {} is: is a disk missing?",
                storage.metadata_log_dir.display(),
                other.display()
            )))
        }
        _ => Ok(()),
    }
}

fn random_cluster_id(random: Random<'_>) -> String {
    loop {
        if let Some(uuid) = uuid_from_random(random()) {
            return uuid_to_text(uuid);
        }
    }
}
