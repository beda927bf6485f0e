//! A comparison as text.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::bootstrap::Interval;
use crate::compare::{Agreement, Comparison, Complexity};
use crate::fairness::Fairness;
use crate::top::Top;

/// Stands for an undefined figure.
const NONE: &str = "-";

impl Comparison {
    /// A table for people: one line a figure, one column a predictor, then how to read them.
    pub fn text(&self) -> String {
        let mut text = format!("{} architectures with trained accuracies", self.n);
        if let Some(chance) = self.chance {
            let _ = write!(
                text,
                ", {} of them at chance (up to {chance:.digits$})",
                self.n - self.above_chance,
                digits = self.digits()
            );
        }
        text += "\n\n";
        for line in self.table().to_string().lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
        for (what, reading) in self.readings() {
            let _ = writeln!(text, "{what:<24}{reading}");
        }
        text
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["", "accuracy", "-NLL", "params", "live weights", "random"]);
        self.correlations(&mut table);
        self.tops(&mut table);
        self.fairness(&mut table);
        for column in 1..6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn predictors(&self) -> [&Agreement; 4] {
        [&self.accuracy, &self.nll, &self.params, &self.live_weights]
    }

    fn row(&self, table: &mut Table, what: String, cell: impl Fn(&Agreement) -> String, random: &str) {
        let cells = self.predictors().map(cell);
        table.add_row([what].into_iter().chain(cells).chain([random.to_owned()]));
    }

    fn correlations(&self, table: &mut Table) {
        self.row(table, "tau-b".to_owned(), |found| figure(found.kendall), "0.000");
        if self.resamples > 0 {
            self.row(table, "  95 % interval".to_owned(), |found| range(found.kendall_interval), "");
            self.row(
                table,
                "  less that of params".to_owned(),
                |found| found.over_params.map_or(String::new(), |found| range(Some(found))),
                "",
            );
        }
        if self.above_chance < self.n {
            let what = format!("  above chance (n = {})", self.above_chance);
            self.row(table, what, |found| figure(found.kendall_above_chance), "0.000");
        }
        for (index, quartile) in self.quartiles.iter().enumerate() {
            let what = format!("  quartile {} (n = {})", index + 1, quartile.n);
            self.row(table, what, |found| figure(found.kendall_in_quartile[index]), "0.000");
        }
        self.row(table, "Spearman's rho".to_owned(), |found| figure(found.spearman), "0.000");
    }

    fn tops(&self, table: &mut Table) {
        for (index, top) in self.accuracy.top.iter().enumerate() {
            let of = |found: &Agreement, value: &dyn Fn(&Top) -> f64, digits: usize| {
                found.top.get(index).map_or(NONE.to_owned(), |top| format!("{:.digits$}", value(top)))
            };
            let portion = top.portion.map_or(String::new(), |portion| format!(" ({:.0} %)", 100.0 * portion));
            let random = format!("{:.digits$}", top.random_best, digits = self.digits());
            let what = format!("best of top {}{portion}", top.k);
            self.row(table, what, |found| of(found, &|top| top.best, self.digits()), &random);
            if top.portion.is_some() {
                let random = format!("{:.3}", top.k as f64 / self.n as f64);
                self.row(
                    table,
                    "  precision".to_owned(),
                    |found| of(found, &|top| top.precision, 3),
                    &random,
                );
            }
        }
    }

    fn fairness(&self, table: &mut Table) {
        let mut row = |what: String, value: &dyn Fn(&Fairness) -> Option<f64>| {
            let cells = [&self.accuracy_fairness, &self.nll_fairness].map(|found| signed(value(found)));
            table.add_row([what].into_iter().chain(cells));
        };
        row("tau-b with complexity".to_owned(), &|found| found.score_complexity);
        row("complexity bias".to_owned(), &|found| found.complexity_bias);
        row("complexity-convergence".to_owned(), &|found| found.complexity_convergence);
        for quartile in 0..4 {
            row(format!("rank error, quartile {}", quartile + 1), &|found| found.rank_error[quartile]);
        }
    }

    /// Decimals of an accuracy: two of a percentage.
    fn digits(&self) -> usize {
        let percent = self.accuracy.top.first().is_some_and(|top| top.possible > 1.0);
        if percent { 2 } else { 4 }
    }

    fn readings(&self) -> Vec<(&'static str, String)> {
        let cost = match self.complexity {
            Complexity::Weights => "weights",
            Complexity::Params => "params",
            Complexity::Macs => "MACs",
        };
        let truth = self.accuracy_fairness.truth_complexity;
        let bounds = self.quartiles.iter().filter_map(|quartile| Some((quartile.least?, quartile.most?)));
        let bounds = bounds.map(|(least, most)| format!("{least}-{most}")).collect::<Vec<_>>().join(", ");
        let mut readings = vec![
            ("tau-b, rho", "1: the trained order, 0: no relation, -1: the opposite order".to_owned()),
            ("less that of params", "above 0 throughout: better than counting parameters".to_owned()),
            ("quartile", format!("of {cost}: {bounds}")),
        ];
        if let Some(top) = self.accuracy.top.first() {
            let best = format!("{:.digits$}", top.possible, digits = self.digits());
            readings.push(("best of top", format!("trained accuracy of the best of them; of all: {best}")));
            readings
                .push(("precision", "portion of the best-scored that are truly among the best".to_owned()));
        }
        readings.extend([
            (
                "tau-b with complexity",
                format!("of the score with {cost}; the trained accuracies have {}", signed(truth)),
            ),
            (
                "complexity bias",
                "the difference of the two; +: large subnets are preferred too much, -: small".to_owned(),
            ),
            (
                "complexity-convergence",
                "at equal trained accuracy, +: large subnets score higher, -: small".to_owned(),
            ),
            (
                "rank error",
                "+: these subnets are ranked too high, -: too low; 1 is the whole range".to_owned(),
            ),
        ]);
        readings
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{value:.3}"))
}

fn signed(value: Option<f64>) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{value:+.3}"))
}

fn range(interval: Option<Interval>) -> String {
    interval.map_or(NONE.to_owned(), |Interval { low, high }| format!("{low:.3} to {high:.3}"))
}
