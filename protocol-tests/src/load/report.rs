//! What a trial tells: one line of JSON; and a table of many.

use std::fmt::{self, Write as _};

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Number(f64),
}

/// The fields of one trial, in the order in which they are told.
#[derive(Clone, Debug, Default)]
pub struct Report {
    fields: Vec<(String, Value)>,
    /// Those of the table.
    figures: Vec<String>,
}

impl Report {
    /// A text before all others.
    pub fn lead(&mut self, key: &str, text: &str) {
        self.fields.insert(0, (key.to_owned(), Value::Text(text.to_owned())));
    }

    /// A text.
    pub fn text(&mut self, key: &str, text: &str) {
        self.fields.push((key.to_owned(), Value::Text(text.to_owned())));
    }

    /// A number.
    pub fn number(&mut self, key: &str, number: f64) {
        self.fields.push((key.to_owned(), Value::Number(number)));
    }

    /// A number that belongs into the table.
    pub fn figure(&mut self, key: &str, number: f64) {
        self.number(key, number);
        self.figures.push(key.to_owned());
    }

    /// A number that it tells.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.fields.iter().find_map(|(name, value)| match value {
            Value::Number(number) if name == key => Some(*number),
            _ => None,
        })
    }

    /// A text that it tells; empty if it does not.
    pub fn said(&self, key: &str) -> &str {
        let value = self.fields.iter().find(|(name, _)| name == key);
        match value {
            Some((_, Value::Text(text))) => text,
            _ => "",
        }
    }

    /// What trials have in common that may be compared.
    fn kind(&self) -> String {
        format!("{} {}", self.said("scenario"), self.said("mode")).trim_end().to_owned()
    }
}

/// Four digits after the point are enough.
fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

impl fmt::Display for Report {
    /// As a JSON object; texts are names of ours, which need quotes and backslashes escaped only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.fields.iter().enumerate() {
            f.write_str(if index == 0 { "{" } else { "," })?;
            write!(f, "\"{key}\":")?;
            match value {
                Value::Text(text) => {
                    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))?;
                }
                Value::Number(number) if number.is_finite() => write!(f, "{}", rounded(*number))?,
                Value::Number(_) => f.write_str("null")?,
            }
        }
        f.write_str("}")
    }
}

/// The middle of some numbers, of which there is one at least.
pub(super) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    }
}

/// The median of each figure for each broker, and how many times that of the first the others are.
pub fn table(reports: &[Report]) -> String {
    let distinct = |of: &dyn Fn(&Report) -> String| {
        let mut all: Vec<String> = Vec::new();
        for text in reports.iter().map(of) {
            if !all.contains(&text) {
                all.push(text);
            }
        }
        all
    };
    let brokers = distinct(&|report| report.said("broker").to_owned());
    let mut text = format!("| scenario | figure | {} |", brokers.join(" | "));
    let others = brokers.len().saturating_sub(1);
    text.push_str(&" × |".repeat(others));
    let columns = 2 + brokers.len() + others;
    write!(text, "\n|{}\n", "---|".repeat(columns)).unwrap();
    for kind in distinct(&Report::kind) {
        let of_kind: Vec<&Report> = reports.iter().filter(|it| it.kind() == kind).collect();
        for figure in &of_kind[0].figures {
            let of = |broker: &String| {
                let told = of_kind.iter().filter(|it| it.said("broker") == broker);
                let numbers: Vec<f64> = told.filter_map(|it| it.get(figure)).collect();
                (!numbers.is_empty()).then(|| median(numbers))
            };
            let medians: Vec<Option<f64>> = brokers.iter().map(of).collect();
            write!(text, "| {kind} | {figure} |").unwrap();
            for median in &medians {
                write!(text, " {} |", shown(*median)).unwrap();
            }
            for median in &medians[1..] {
                let times = median.zip(medians[0]).map(|(other, first)| other / first);
                write!(text, " {} |", shown(times.filter(|it| it.is_finite()))).unwrap();
            }
            text.push('\n');
        }
    }
    text
}

/// Three digits that count.
fn shown(number: Option<f64>) -> String {
    match number {
        None => "–".to_owned(),
        Some(number) if number.abs() >= 100.0 => format!("{number:.0}"),
        Some(number) if number.abs() >= 10.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.2}"),
    }
}
