//! Which scenario, with which settings: `name:key=value,key=value`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;

/// A scenario as it was asked for.
#[derive(Clone, Debug)]
pub struct Spec {
    text: String,
    name: String,
    settings: BTreeMap<String, String>,
}

impl Spec {
    /// Reads `name:key=value,key=value`.
    pub fn parse(text: &str) -> Self {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let setting = |pair: &str| {
            let (key, value) =
                pair.split_once('=').unwrap_or_else(|| panic!("{pair}: not a key=value"));
            (key.to_owned(), value.to_owned())
        };
        let settings = settings.split(',').filter(|pair| !pair.is_empty()).map(setting).collect();
        Self { text: text.to_owned(), name: name.to_owned(), settings }
    }

    /// The scenario.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its settings, to be taken. Each must be known to the scenario.
    pub fn settings(&self) -> Settings {
        Settings(self.settings.clone())
    }
}

/// What is left of the settings. One that nobody takes is a mistake.
#[derive(Debug)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// A setting, or what it is when nobody says so.
    pub fn take<T: FromStr<Err: Debug>>(&mut self, key: &str, default: T) -> T {
        let parsed = |value: String| {
            value.parse().unwrap_or_else(|error| panic!("{key}={value}: {error:?}"))
        };
        self.0.remove(key).map_or(default, parsed)
    }

    /// A share of all, or one in so many: at least 1.
    pub fn take_positive(&mut self, key: &str, default: usize) -> usize {
        let value = self.take(key, default);
        assert!(value > 0, "{key} must be above 0");
        value
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        assert!(self.0.is_empty() || std::thread::panicking(), "unknown settings: {:?}", self.0);
    }
}
