//! Any history, cleaned at any points, is to its readers what it was.

use proptest::prelude::*;

use super::*;

/// What is done to a log.
#[derive(Clone, Debug)]
enum Step {
    /// Records without a transaction: keys, values (none is a tombstone), codec.
    Put(Vec<(u8, Option<u8>)>, u8),
    /// The same in a transaction of one of three producers.
    Write(u8, Vec<(u8, Option<u8>)>, u8),
    /// Such a transaction ends.
    End(u8, bool),
    Roll,
    /// A cleaning, with so much room for keys.
    Clean(u16),
    Wait,
    Reopen,
    /// A start after a crash, which reads all.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let records = || prop::collection::vec((0u8..6, any::<Option<u8>>()), 1..5);
    let step = prop_oneof![
        4 => (records(), 0u8..5).prop_map(|(records, codec)| Step::Put(records, codec)),
        4 => (0u8..3, records(), 0u8..5).prop_map(|(id, records, codec)| Step::Write(id, records, codec)),
        3 => (0u8..3, any::<bool>()).prop_map(|(id, commit)| Step::End(id, commit)),
        4 => Just(Step::Roll),
        4 => prop_oneof![Just(0u16), Just(4000)].prop_map(Step::Clean),
        2 => Just(Step::Wait),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Clone, Copy, Default)]
struct Writing {
    sequence: i32,
    is_open: bool,
}

/// What was written, whatever was cleaned since.
#[derive(Default)]
struct Model {
    /// Everything that counts, or may come to count: offset, key, value, and the transaction that it is part of.
    records: Vec<(i64, String, Option<String>, Option<u8>)>,
    writing: [Writing; 3],
    now: i64,
}

impl Model {
    fn note(&mut self, base: Offset, records: &[(u8, Option<u8>)], transaction: Option<u8>) {
        for (index, (key, value)) in records.iter().enumerate() {
            let value = value.map(|value| value.to_string());
            self.records.push((base.0 + index as i64, key.to_string(), value, transaction));
        }
    }

    fn end(&mut self, id: u8, commit: bool) {
        if commit {
            for (.., transaction) in &mut self.records {
                *transaction = transaction.filter(|of| *of != id);
            }
        } else {
            self.records.retain(|(.., transaction)| *transaction != Some(id));
        }
    }

    fn committed_below(&self, stable: Offset) -> Seen {
        let below = self.records.iter().filter(|(offset, ..)| *offset < stable.0);
        below.map(|(offset, key, value, _)| (*offset, key.clone(), value.clone())).collect()
    }
}

fn of_numbers(writer: Option<Writer>, codec: u8, records: &[(u8, Option<u8>)]) -> Batch {
    let texts: Vec<(String, Option<String>)> = records
        .iter()
        .map(|(key, value)| (key.to_string(), value.map(|value| value.to_string())))
        .collect();
    let records: Vec<_> =
        texts.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    batch(writer, Codec::of_id(codec).unwrap(), &records)
}

fn small() -> LogConfig {
    LogConfig { segment_bytes: 2000, ..config() }
}

fn apply(tested: Tested, step: &Step, model: &mut Model) -> Tested {
    match step {
        Step::Put(records, codec) => {
            let base = tested.append(&of_numbers(None, *codec, records));
            model.note(base, records, None);
        }
        Step::Write(id, records, codec) => {
            let writing = &mut model.writing[usize::from(*id)];
            let writer = (i64::from(*id), 0, writing.sequence, true);
            writing.sequence += records.len() as i32;
            writing.is_open = true;
            let base = tested.append(&of_numbers(Some(writer), *codec, records));
            model.note(base, records, Some(*id));
        }
        Step::End(id, commit) => {
            let writing = &mut model.writing[usize::from(*id)];
            if std::mem::take(&mut writing.is_open) {
                let kind = if *commit { ControlType::Commit } else { ControlType::Abort };
                tested.append(&marker(i64::from(*id), 0, kind));
                model.end(*id, *commit);
            }
        }
        Step::Roll => tested.roll(),
        Step::Clean(map_bytes) => {
            let limits = Limits { map_bytes: usize::from(*map_bytes), ..LIMITS };
            tested.clean_with(at(model.now), &limits);
        }
        Step::Wait => model.now += 700,
        Step::Reopen | Step::Crash => {
            let clean = matches!(step, Step::Reopen);
            let mut log = tested.log.into_inner();
            if clean {
                log.close().unwrap();
            }
            let start = LogStart {
                recovery_point: Offset::ZERO,
                log_start_offset: log.log_start_offset(),
                clean,
            };
            let opened = Tested::of(&tested.disk, small(), start);
            opened.log.borrow_mut().set_cleaned_to(log.cleaned_to());
            return opened;
        }
    }
    tested
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn readers_see_the_last_value_of_each_key(steps in steps()) {
        let mut tested = Tested::new(small());
        let mut model = Model { now: 1000, ..Model::default() };
        for step in &steps {
            tested = apply(tested, step, &mut model);
            let stable = tested.last_stable();
            let committed = model.committed_below(stable);
            let seen = tested.consume();
            // What is left is at its offset, what it was; and nothing that was aborted.
            for record in &seen {
                prop_assert!(committed.contains(record), "{step:?}: {record:?}");
            }
            prop_assert_eq!(table(&seen), table(&committed), "after {:?}", step);
            // The last record of a key that has a value is there, at its offset, for whoever comes.
            for (offset, key, value) in &committed {
                let is_last = committed.iter().all(|(other, of, _)| of != key || other <= offset);
                if is_last && value.is_some() {
                    let record = (*offset, key.clone(), value.clone());
                    prop_assert!(seen.contains(&record), "{step:?}: {record:?} is gone");
                }
            }
        }
        for (id, writing) in model.writing.iter().enumerate() {
            let log = tested.log.borrow();
            let entry = log.producers().get(ProducerId(id as i64));
            prop_assert_eq!(
                entry.map_or(-1, super::super::super::producers::ProducerEntry::last_sequence),
                writing.sequence - 1
            );
            prop_assert_eq!(
                entry.is_some_and(|entry| entry.transaction_first_offset.is_some()),
                writing.is_open
            );
        }
    }

    /// A tombstone that goes must not leave anything behind that it buried, and not before its time: a reader that
    /// began at the start less than `delete.retention.ms` before has seen it.
    #[test]
    fn a_slow_reader_sees_each_tombstone_or_what_came_after(steps in steps(), from in 0usize..60) {
        let mut tested = Tested::new(small());
        let mut model = Model { now: 1000, ..Model::default() };
        let mut held: Option<(BTreeMap<String, String>, i64)> = None;
        for (index, step) in steps.iter().filter(|step| !matches!(step, Step::Wait)).enumerate() {
            tested = apply(tested, step, &mut model);
            let stable = tested.last_stable();
            if index == from {
                held = Some((table(&tested.consume()), stable.0));
            } else if let Some((table_then, then)) = &held {
                // It goes on where it was.
                let mut seen = tested.consume();
                seen.retain(|(offset, ..)| offset >= then);
                let mut now = table_then.clone();
                for (_, key, value) in seen {
                    match value {
                        Some(value) => drop(now.insert(key, value)),
                        None => drop(now.remove(&key)),
                    }
                }
                prop_assert_eq!(now, table(&model.committed_below(stable)));
            }
        }
    }
}
