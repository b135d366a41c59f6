//! `.kafka_cleanshutdown`: the last thing that a broker writes into a log directory when it stops in order, and
//! deletes when it starts. Where it lies, no log needs recovery. It names the broker's epoch (KIP-966), by which
//! the controller knows that nothing was lost.

use crate::types::epoch::BrokerEpoch;

/// The name of the file in each log directory.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// No honest file is longer; a longer one is not read.
pub const CLEAN_SHUTDOWN_BYTES_MAX: u64 = 4 * 1024;

/// The epoch that the text names. [`BrokerEpoch::UNKNOWN`] if it names none, as in the empty files of Kafka before
/// 3.7: the stop was clean all the same.
pub fn parse(text: &str) -> BrokerEpoch {
    let after = text.split_once(r#""brokerEpoch""#).map_or("", |(_, after)| after);
    let after = after.trim_start().strip_prefix(':').unwrap_or_default().trim_start();
    let end = after.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(after.len());
    let number = after.get(..end).and_then(|number| number.parse().ok());
    number.map_or(BrokerEpoch::UNKNOWN, BrokerEpoch)
}

/// The text that Kafka writes.
pub fn to_text(broker_epoch: BrokerEpoch) -> String {
    format!(r#"{{"version":0,"brokerEpoch":{}}}"#, broker_epoch.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apache_writes_is_read_and_written_alike() {
        let text = r#"{"version":0,"brokerEpoch":14}"#;
        assert_eq!(parse(text), BrokerEpoch(14));
        assert_eq!(to_text(BrokerEpoch(14)), text);
        assert_eq!(parse(r#"{ "brokerEpoch" : -1, "version" : 0 }"#), BrokerEpoch(-1));
    }

    #[test]
    fn a_file_without_an_epoch_is_read() {
        for text in ["", "{}", r#"{"brokerEpoch":}"#, r#"{"brokerEpoch":"x"}"#, "\"brokerEpoch\""] {
            assert_eq!(parse(text), BrokerEpoch::UNKNOWN, "{text}");
        }
    }
}
