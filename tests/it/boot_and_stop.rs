//! The program as a user runs it: it starts, answers over a socket, and stops when told to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

struct Node {
    child: Child,
    address: String,
}

impl Node {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ottla"))
            .args(["--ephemeral", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, address }
    }

    fn ask(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(&(request.len() as i32).to_be_bytes()).unwrap();
        stream.write_all(request).unwrap();
        let mut length = [0; 4];
        if stream.read_exact(&mut length).is_err() {
            return Vec::new();
        }
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).unwrap();
        answer
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn api_versions_is_answered_and_lists_itself() {
    let node = Node::start();
    let answer = node.ask(&[0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]);
    assert_eq!(answer[..6], [0, 0, 0, 7, 0, 0]);
    assert!(answer.windows(6).any(|row| row == [0, 18, 0, 0, 0, 4]), "{answer:?}");
    // Version 4 has a flexible body but the old response header (KIP-511): no tags before the error.
    let answer = node.ask(&[0, 18, 0, 4, 0, 0, 0, 8, 0xff, 0xff, 0, 2, b'a', 2, b'1', 0]);
    assert_eq!(answer[..6], [0, 0, 0, 8, 0, 0]);
    assert!(answer.windows(7).any(|row| row == [0, 18, 0, 0, 0, 4, 0]), "{answer:?}");
}

#[test]
fn a_version_from_the_future_is_answered_with_error_35_in_version_0() {
    let answer = Node::start().ask(&[0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0]);
    assert_eq!(answer, [0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
}

#[test]
fn a_name_outside_the_pattern_is_an_invalid_request() {
    let request = [0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0, 2, b'_', 2, b'1', 0];
    assert_eq!(Node::start().ask(&request), [0, 0, 0, 1, 0, 42, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn what_breaks_the_protocol_is_closed_and_the_next_client_is_served() {
    let node = Node::start();
    assert!(node.ask(&[0x7f; 12]).is_empty());
    assert!(node.ask(&[0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff]).is_empty());
    assert!(!node.ask(&[0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).is_empty());
}

#[test]
fn sigterm_ends_it_with_code_0_although_a_client_holds_a_connection() {
    let mut node = Node::start();
    let held = TcpStream::connect(&node.address).unwrap();
    let pid = node.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
    drop(held);
}
