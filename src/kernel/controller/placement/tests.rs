//! Brokers by rack, and where partitions go.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::kernel::controller::tests::{broker, config};
use crate::kernel::metadata::image::Image;

/// Brokers with the rack of each, and whether it is fenced.
fn placed(
    brokers: &[(i32, Option<&str>, bool)],
    partitions: usize,
    factor: i16,
) -> Result<Vec<Vec<i32>>, String> {
    let mut image = Image::empty();
    let registered = Arc::make_mut(&mut image.brokers);
    for (id, rack, fenced) in brokers {
        let mut registration = broker(*id);
        registration.rack = rack.map(str::to_owned);
        registration.fenced = *fenced;
        registered.insert(NodeId(*id), Arc::new(registration));
    }
    let config = config(&[]);
    let view = View { image: &image, config: &config };
    let mut state = 1u128;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()
    };
    let placed = place(&view, partitions, factor, &mut random)?;
    Ok(placed.into_iter().map(|ids| ids.into_iter().map(|id| id.0).collect()).collect())
}

#[test]
fn one_broker_gets_everything() {
    assert_eq!(placed(&[(7, None, false)], 3, 1), Ok(vec![vec![7]; 3]));
}

#[test]
fn brokers_and_racks_take_turns() {
    let brokers: Vec<(i32, Option<&str>, bool)> =
        (0..6).map(|id| (id, Some(["a", "b", "c"][id as usize % 3]), false)).collect();
    let placed = placed(&brokers, 60, 3).unwrap();
    for replicas in &placed {
        let racks: BTreeSet<i32> = replicas.iter().map(|id| id % 3).collect();
        assert_eq!((replicas.len(), racks.len()), (3, 3), "{replicas:?}");
    }
    for id in 0..6 {
        let led = placed.iter().filter(|replicas| replicas[0] == id).count();
        assert!((8..=12).contains(&led), "{id} leads {led}");
    }
}

#[test]
fn a_fenced_broker_is_never_first() {
    let placed = placed(&[(1, None, false), (2, None, true)], 10, 2).unwrap();
    assert_eq!(placed, vec![vec![1, 2]; 10]);
}

#[test]
fn too_few_brokers_are_told_in_kafkas_words() {
    let all_fenced =
        "All brokers are currently fenced, or have all their log directories cordoned.";
    let too_few = "The target replication factor of 3 cannot be reached because only 2 broker(s) are registered or \
                   some brokers have all their log directories cordoned.";
    let one = (1, None, false);
    assert_eq!(placed(&[one, (2, None, true)], 1, 3), Err(too_few.to_owned()));
    assert_eq!(placed(&[(1, None, true)], 1, 1), Err(all_fenced.to_owned()));
    assert_eq!(placed(&[], 1, 1), Err(all_fenced.to_owned()));
    let not_positive = "Invalid replication factor -2: the replication factor must be positive.";
    assert_eq!(placed(&[one], 1, -2), Err(not_positive.to_owned()));
}
