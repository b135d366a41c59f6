//! Stages 1 to 7: the port, correlation ids, ApiVersions, several requests and several clients.

use std::time::Duration;

use protocol_tests::fields::{Reader, Writer};

use super::answers::ApiVersions;
use super::client::{Client, request};
use super::files;
use super::place::Place;
use super::random::Random;
use super::run::Run;

const API_VERSIONS: i16 = 18;

/// ApiVersions as the tester sends it, at any version.
pub fn api_versions_request(version: i16, correlation_id: i32) -> Writer {
    request(API_VERSIONS, version, correlation_id).compact(b"kafka-cli").compact(b"0.1").tags()
}

/// Asks for ApiVersions v4 on one connection.
pub fn ask_api_versions(client: &mut Client, correlation_id: i32) -> ApiVersions {
    client.send(&api_versions_request(4, correlation_id));
    read_api_versions(client, correlation_id)
}

fn read_api_versions(client: &mut Client, correlation_id: i32) -> ApiVersions {
    let answer = ApiVersions::decode(&client.body(correlation_id, false)).unwrap();
    assert_eq!(answer.error, 0);
    assert!(answer.covers(API_VERSIONS, 4), "{answer:?}");
    answer
}

/// A whole stage: ApiVersions v4 lists `key` with `version`.
pub fn lists(place: &Place, random: &mut Random, key: i16, version: i16) {
    files::write(place, &[]);
    let run = Run::start(place);
    let answer = ask_api_versions(&mut run.connect(), random.correlation_id());
    assert!(answer.covers(key, version), "{answer:?}");
    run.stop();
}

pub fn bind_to_a_port(place: &Place, _: &mut Random) {
    files::write(place, &[]);
    let mut run = Run::start(place);
    // This stage has five seconds more.
    run.deadline += Duration::from_secs(5);
    // Never closed by the tester: the program has to end all the same.
    let held = run.connect();
    run.stop();
    drop(held);
}

pub fn send_correlation_id(place: &Place, _: &mut Random) {
    answers_the_correlation_id(place, 7);
}

pub fn parse_correlation_id(place: &Place, random: &mut Random) {
    answers_the_correlation_id(place, random.correlation_id());
}

fn answers_the_correlation_id(place: &Place, correlation_id: i32) {
    files::write(place, &[]);
    let run = Run::start(place);
    let mut client = run.connect();
    client.send(&api_versions_request(4, correlation_id));
    assert_eq!(client.receive()[4..8], correlation_id.to_be_bytes());
    run.stop();
}

pub fn parse_api_version(place: &Place, random: &mut Random) {
    files::write(place, &[]);
    let run = Run::start(place);
    let mut client = run.connect();
    let correlation_id = random.correlation_id();
    client.send(&api_versions_request(random.from(1000, 2000) as i16, correlation_id));
    let answer = client.receive();
    let reader = &mut Reader(&answer[4..]);
    assert_eq!((reader.i32().unwrap(), reader.i16().unwrap()), (correlation_id, 35));
    run.stop();
}

pub fn api_versions(place: &Place, random: &mut Random) {
    lists(place, random, API_VERSIONS, 4);
}

pub fn serial_requests(place: &Place, random: &mut Random) {
    files::write(place, &[]);
    let run = Run::start(place);
    let mut client = run.connect();
    let correlation_id = random.correlation_id();
    for _ in 0..random.from(2, 5) {
        ask_api_versions(&mut client, correlation_id);
    }
    run.stop();
}

pub fn concurrent_requests(place: &Place, random: &mut Random) {
    files::write(place, &[]);
    let run = Run::start(place);
    let mut clients: Vec<_> =
        (0..random.from(2, 4)).map(|_| (run.connect(), random.correlation_id())).collect();
    for (client, correlation_id) in &mut clients {
        client.send(&api_versions_request(4, *correlation_id));
    }
    for (client, correlation_id) in clients.iter_mut().rev() {
        read_api_versions(client, *correlation_id);
    }
    run.stop();
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_request_is_the_recorded_one() {
        let recorded =
            "00120004000000010 00c6b61666b612d746573746572000a6b61666b612d636c6904302e3100";
        let bytes = super::api_versions_request(4, 1).0;
        assert_eq!(protocol_tests::fields::hex(&bytes), recorded.replace(' ', ""));
    }
}
