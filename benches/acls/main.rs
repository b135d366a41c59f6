//! What a question to the authorizer takes, and one more ACL, where there are many: `cargo bench --features internals
//! --bench acls`. After `--`: how many.
//!
//! A third of them names topics in full, a third by their beginnings, a third groups; each of a user of its own.

#![expect(clippy::print_stdout, reason = "a bench speaks on stdout")]
#![expect(clippy::disallowed_methods, reason = "a stopwatch needs the clock")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ottla::internals::kernel::authorizer::{AUTHORIZER_CLASS_NAME, Authorizer};
use ottla::internals::kernel::authorizer::{Requester, STANDARD_AUTHORIZER};
use ottla::internals::kernel::metadata::acls::Acl;
use ottla::internals::kernel::metadata::delta::Delta;
use ottla::internals::kernel::metadata::image::Image;
use ottla::internals::types::acls::{Operation, PatternType, Permission, ResourceType, WILDCARD};
use uuid::Uuid;

const QUESTIONS: usize = 200_000;
const ROUNDS: usize = 5;

fn main() {
    let counts: Vec<usize> = std::env::args().skip(1).filter_map(|it| it.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![0, 100, 10_000, 100_000] } else { counts };
    println!(
        "{:>8} {:>12} {:>12} {:>14} {:>12} {:>12}",
        "ACLs", "named, ns", "prefix, ns", "not at all, ns", "all, ms", "one more, ms"
    );
    for count in counts {
        let began = Instant::now();
        let image = grown(&Image::empty(), 0..count);
        let all = began.elapsed();
        let [named, prefix, none] = ["topic-", "prefix-", "else-"].map(|start| ask(&image, start));
        let more = best(|| drop(black_box(grown(&image, count..count + 1))));
        println!(
            "{count:>8} {named:>12} {prefix:>12} {none:>14} {:>12.1} {:>12.3}",
            ms(all),
            ms(more)
        );
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn best(mut work: impl FnMut()) -> Duration {
    let rounds = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    rounds.min().unwrap_or(Duration::MAX)
}

/// The image with these ACLs beside those that it has.
fn grown(image: &Image, numbers: std::ops::Range<usize>) -> Image {
    let mut delta = Delta::new(image);
    for number in numbers {
        let record = acl(number).to_record(Uuid::from_u128(number as u128 + 1)).into();
        assert_eq!(delta.replay(&record), Ok(()));
    }
    delta.image().clone()
}

fn acl(number: usize) -> Acl {
    let (resource_type, pattern_type, start) = match number % 3 {
        0 => (ResourceType::TOPIC, PatternType::LITERAL, "topic-"),
        1 => (ResourceType::TOPIC, PatternType::PREFIXED, "prefix-"),
        _ => (ResourceType::GROUP, PatternType::LITERAL, "group-"),
    };
    Acl {
        resource_type,
        resource_name: format!("{start}{number:06}"),
        pattern_type,
        operation: Operation::READ,
        principal: format!("User:{number}"),
        host: WILDCARD.to_owned(),
        permission: Permission::ALLOW,
    }
}

/// The nanoseconds of a question about one of many topics whose names begin so.
fn ask(image: &Image, start: &str) -> u128 {
    let set = [(AUTHORIZER_CLASS_NAME.to_owned(), STANDARD_AUTHORIZER.to_owned())];
    let Ok(Some(authorizer)) = Authorizer::of(&set.into()) else { return 0 };
    let (first, end) = if start == "prefix-" { (1, "-of-a-team") } else { (0, "") };
    let names: Vec<String> =
        (0..1000).map(|it| format!("{start}{:06}{end}", it * 99 + first)).collect();
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let who = Requester { principal: "User:nobody", host };
    let time = best(|| {
        for name in names.iter().cycle().take(QUESTIONS) {
            let resource = (ResourceType::TOPIC, name.as_str());
            black_box(authorizer.allows(&image.acls, who, Operation::READ, resource));
        }
    });
    time.as_nanos() / QUESTIONS as u128
}
