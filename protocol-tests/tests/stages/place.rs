//! Where a stage runs: a network and a /tmp of its own.
//!
//! The test starts itself again inside new namespaces, as root or, where the kernel lets ordinary users make
//! them, as one. Where neither is possible the stage runs with free ports and a temporary directory
//! instead of the fixed ones, in files that are otherwise the same.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Says that this process is the one inside.
const INSIDE: &str = "STAGES_INSIDE";
/// Where the machine's /tmp is seen inside.
const HOST_TMP: &str = "/tmp/host";

/// The ports and paths of a stage.
#[derive(Debug)]
pub struct Place {
    /// Where clients connect.
    pub client_port: u16,
    /// The controller's.
    pub controller_port: u16,
    /// The configuration.
    pub properties: PathBuf,
    /// The log directory.
    pub logs: PathBuf,
}

/// Runs `body` in a place that nobody else is in. `test` is the name of the calling test.
pub fn alone(test: &str, body: impl FnOnce(&Place)) {
    if std::env::var_os(INSIDE).is_some() {
        body(&fixed(Path::new("/tmp"), 9092, 9093));
        return;
    }
    if let Some(unshare) = namespaces() {
        run_inside(unshare, test);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Both are held until both are known, so that they differ.
    let (client, controller) = (free_port(), free_port());
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let place = fixed(directory.path(), port(&client), port(&controller));
    drop((client, controller));
    body(&place);
}

fn fixed(directory: &Path, client_port: u16, controller_port: u16) -> Place {
    let properties = directory.join("server.properties");
    Place { client_port, controller_port, properties, logs: directory.join("kraft-combined-logs") }
}

fn free_port() -> TcpListener {
    TcpListener::bind(("::", 0)).or_else(|_| TcpListener::bind(("0.0.0.0", 0))).unwrap()
}

/// The arguments of `unshare` that this user may use.
fn namespaces() -> Option<&'static [&'static str]> {
    const AS_ROOT: &[&str] = &["--net", "--mount"];
    const AS_USER: &[&str] = &["--user", "--map-root-user", "--net", "--mount"];
    static FOUND: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
    *FOUND.get_or_init(|| [AS_ROOT, AS_USER].into_iter().find(|arguments| is_possible(arguments)))
}

fn is_possible(unshare: &[&str]) -> bool {
    let mut command = Command::new("unshare");
    command.args(unshare).args(["sh", "-ec", "ip link set lo up && mount -t tmpfs none /mnt"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The machine's /tmp stays visible in `HOST_TMP`, because the test or the broker may lie there.
fn run_inside(unshare: &[&str], test: &str) {
    const PREPARE: &str = r#"
        ip link set lo up
        mount -t tmpfs none "$1"
        mkdir "$1/host"
        mount --rbind /tmp "$1/host"
        mount --rbind "$1" /tmp
        shift
        exec "$@""#;
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(unshare).args(["sh", "-ec", PREPARE, "sh"]).arg(directory.path());
    command.arg(seen_inside(&std::env::current_exe().unwrap()));
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").env_remove("TMPDIR");
    command.env("OTTLA_BROKER", seen_inside(&protocol_tests::program::broker()));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    // A name that no test has would pass without having run.
    let ran = text.contains("1 passed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && ran, "{}\n{text}\n{errors}", output.status);
}

fn seen_inside(path: &Path) -> OsString {
    match path.strip_prefix("/tmp") {
        Ok(rest) => Path::new(HOST_TMP).join(rest).into_os_string(),
        Err(_) => path.as_os_str().to_owned(),
    }
}
