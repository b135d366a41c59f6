//! One file per Kafka API, by family: decode, check, call a machine, encode.
