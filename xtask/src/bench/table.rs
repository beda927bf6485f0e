//! Figures over rounds: their medians, and the medians of their ratios.

use serde_json::{Map, Value, json};

/// Figures in the order in which they were first measured.
#[derive(Debug, Default)]
pub(super) struct Table {
    figures: Vec<(String, Vec<f64>)>,
    ratios: Vec<(String, Vec<f64>)>,
}

impl Table {
    pub(super) fn add(&mut self, name: &str, value: f64) {
        push(&mut self.figures, name, value);
    }

    /// `above` to `below`, both of one round.
    pub(super) fn ratio(&mut self, name: &str, above: f64, below: f64) {
        push(&mut self.ratios, name, above / below);
    }

    pub(super) fn print(&self) {
        let width = self.figures.iter().chain(&self.ratios).map(|(name, _)| name.len()).max().unwrap_or(0);
        for (title, rows) in
            [("median of the rounds", &self.figures), ("ratio, median of the rounds", &self.ratios)]
        {
            if rows.is_empty() {
                continue;
            }
            println!("{title}");
            for (name, values) in rows {
                let (low, high) = range(values);
                println!("  {name:width$}  {:10.4}   ({low:.4} to {high:.4})", median(values));
            }
        }
    }

    pub(super) fn print_json(&self) {
        let of = |rows: &[(String, Vec<f64>)]| -> Map<String, Value> {
            rows.iter().map(|(name, values)| (name.clone(), json!(median(values)))).collect()
        };
        println!("{}", json!({ "figures": of(&self.figures), "ratios": of(&self.ratios) }));
    }
}

fn push(rows: &mut Vec<(String, Vec<f64>)>, name: &str, value: f64) {
    match rows.iter_mut().find(|(known, _)| known == name) {
        Some((_, values)) => values.push(value),
        None => rows.push((name.to_owned(), vec![value])),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-12);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let mut table = Table::default();
        for (above, below) in [(2.0, 1.0), (30.0, 10.0), (8.0, 2.0)] {
            table.ratio("a / b", above, below);
        }
        assert!((median(&table.ratios[0].1) - 3.0).abs() < 1e-12);
    }
}
