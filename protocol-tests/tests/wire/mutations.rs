//! Every golden request with some of its bytes changed: whatever comes of it, the broker goes on.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use kafka_protocol::messages::ApiVersionsRequest;
use protocol_tests::fields::Writer;
use protocol_tests::node::Node;
use protocol_tests::program::is_foreign;

/// How many times each request is changed.
const ROUNDS: u32 = 8;
/// A changed Fetch may wait for ever: then its connection is given up.
const PATIENCE: Duration = Duration::from_millis(100);
/// What the node may take, whatever a request says.
const MEMORY_MIB_MAX: u64 = 192;

/// The requests that were recorded.
fn requests() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/golden");
    let mut paths: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts: Vec<_> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let hex = |digits: &str| {
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    };
    lines.filter_map(|line| line.strip_prefix("> ")).map(hex).collect()
}

/// Xorshift: the same changes in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }
}

/// Changes a frame after its API key, version and correlation id.
fn change(frame: &mut Vec<u8>, random: &mut Random) {
    const ODD: [u8; 8] = [0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff];
    for _ in 0..=random.below(3) {
        let at = 8 + random.below(frame.len() - 8);
        match random.below(6) {
            0 => frame[at] = ODD[random.below(ODD.len())],
            1 => frame[at] ^= 1 << random.below(8),
            2 => frame.truncate(at.max(9)),
            3 => frame.insert(at, ODD[random.below(ODD.len())]),
            4 => {
                let end = (at + 4).min(frame.len());
                frame[at..end].fill(ODD[random.below(ODD.len())]);
            }
            _ => {
                let end = (at + 1 + random.below(16)).min(frame.len());
                let copied = frame[at..end].to_vec();
                frame.splice(at..at, copied);
            }
        }
    }
}

/// Sends a frame; whether the connection can be used for the next.
fn send(stream: &mut TcpStream, frame: &[u8]) -> bool {
    let whole = Writer::default().i32(frame.len() as i32).raw(frame).0;
    let mut length = [0; 4];
    if stream.write_all(&whole).is_err() || stream.read_exact(&mut length).is_err() {
        return false;
    }
    let length = i32::from_be_bytes(length);
    assert!((4..16 << 20).contains(&length), "an answer of {length} bytes");
    stream.read_exact(&mut vec![0; length as usize]).is_ok()
}

#[test]
fn changed_requests_end_their_connection_at_most() {
    if is_foreign() {
        return;
    }
    let node = Node::start();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let connect = || {
        let stream = TcpStream::connect(node.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let mut stream = connect();
    let requests = requests();
    assert!(requests.len() > 1500);
    for round in 0..ROUNDS {
        for request in &requests {
            let mut frame = request.clone();
            if round > 0 {
                change(&mut frame, &mut random);
            }
            if !send(&mut stream, &frame) {
                stream = connect();
            }
        }
    }
    let answer = node.connect().ask(0, &ApiVersionsRequest::default());
    assert_eq!(answer.error_code, 0);
    let said = node.program().said();
    assert!(!said.contains("panicked"), "{said}");
    let peak = node.program().status_kib("VmHWM") / 1024;
    assert!(peak < MEMORY_MIB_MAX, "{peak} MiB");
}
