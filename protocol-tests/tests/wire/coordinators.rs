//! FindCoordinator: keys of groups, of transactional ids, of share groups, and of what nobody coordinates.

use kafka_protocol::messages::FindCoordinatorRequest;
use protocol_tests::requests::text;

use super::transactions::begin;

/// Share groups have keys of a form of their own, which is looked at first; what ours says of a good one is in the tests
/// of the door.
#[test]
fn find_coordinator() {
    let mut script = begin("find-coordinator");
    let long = "k".repeat(300);
    for version in 0..=6 {
        for kind in [0, 1, 2, 3, -1] {
            if version == 0 && kind != 0 {
                continue;
            }
            let request = FindCoordinatorRequest::default().with_key_type(kind);
            let keys = ["g", "", "g:nothing:0", "a:b", &long];
            if version < 4 {
                for key in keys {
                    script.ask(version, &request.clone().with_key(text(key)));
                }
                continue;
            }
            let mut ask = |keys: &[&str]| {
                let keys = keys.iter().map(|key| text(*key)).collect();
                script.ask(version, &request.clone().with_coordinator_keys(keys));
            };
            ask(&[]);
            ask(&keys[..1]);
            ask(&keys);
            ask(&["twice", "twice"]);
        }
    }
    script.end();
}
