//! Tests of comparisons.

use nshot_data::random::Stream;

use super::*;
use crate::table::tests::{cell, nas_bench_201};
use crate::{Table, TableOptions};

fn random_rows(count: u64, seed: u64) -> Vec<Ranked<'static>> {
    let mut stream = Stream::new(seed, "rows", (0, 0));
    let mut row = || {
        let weights = 1 + stream.below(50);
        let truth = weights as f64 + 30.0 * stream.f64();
        let accuracy = (truth + 20.0 * stream.f64()) / 100.0;
        let (params, macs) = (weights + 7, 100 * weights);
        let mean_nll = 2.0 - accuracy;
        Ranked {
            accuracy,
            mean_nll,
            weights,
            params,
            macs,
            live_weights: weights,
            truth,
            ..Ranked::default()
        }
    };
    (0..count).map(|_| row()).collect()
}

#[test]
fn the_same_input_gives_the_same_figures() {
    let rows = random_rows(120, 0);
    let options = CompareOptions { classes: 10, resamples: 200, ..CompareOptions::default() };
    let first = compare(&rows, &options);
    assert_eq!(first, compare(&rows, &options));
    let interval = first.accuracy.kendall_interval.unwrap();
    let tau = first.accuracy.kendall.unwrap();
    assert!(interval.low < tau && tau < interval.high && interval.high - interval.low < 0.3);
    let other = compare(&rows, &CompareOptions { seed: 1, ..options });
    assert_ne!(other.accuracy.kendall_interval, first.accuracy.kendall_interval);
    assert_eq!(other.accuracy.kendall, first.accuracy.kendall);
    // One score is a monotone map of the other.
    assert_eq!(first.accuracy.kendall, first.nll.kendall);
    assert_eq!(first.params.over_params, None);
    assert!(first.accuracy.over_params.unwrap().low > 0.0);
}

#[test]
fn chance_is_in_the_units_of_the_truth() {
    let mut rows = random_rows(80, 1);
    let percent = compare(&rows, &CompareOptions { classes: 10, resamples: 0, ..CompareOptions::default() });
    assert_eq!(percent.chance, Some(15.0));
    let expected = rows.iter().filter(|row| row.truth > 15.0).count();
    assert!(percent.above_chance == expected && expected < 80);
    for row in &mut rows {
        row.truth /= 100.0;
    }
    let fraction = compare(&rows, &CompareOptions { classes: 10, resamples: 0, ..CompareOptions::default() });
    assert!((fraction.chance.unwrap() - 0.15).abs() < 1e-15);
    assert_eq!(fraction.above_chance, expected);
    assert_eq!(fraction.accuracy.kendall_above_chance, percent.accuracy.kendall_above_chance);
    assert_ne!(fraction.accuracy.kendall_above_chance, fraction.accuracy.kendall);
    assert_eq!(compare(&rows, &CompareOptions::default()).chance, None);
}

#[test]
fn quartiles_split_by_the_complexity_asked_for() {
    let mut rows = random_rows(200, 2);
    for row in &mut rows {
        row.macs = 1000 - row.weights;
    }
    let options = CompareOptions { resamples: 0, ..CompareOptions::default() };
    let by_weights = compare(&rows, &options);
    let by_macs = compare(&rows, &CompareOptions { complexity: Complexity::Macs, ..options });
    assert_eq!(by_weights.quartiles.iter().map(|quartile| quartile.n).sum::<usize>(), 200);
    assert!(by_weights.quartiles[0].most < by_weights.quartiles[1].least);
    assert!(by_weights.quartiles[0].truth < by_weights.quartiles[3].truth);
    assert!(by_macs.quartiles[0].truth > by_macs.quartiles[3].truth);
    assert_eq!(by_macs.accuracy.kendall, by_weights.accuracy.kendall);
    assert!(
        by_weights
            .accuracy
            .kendall_in_quartile
            .iter()
            .all(|tau| tau.unwrap() < by_weights.accuracy.kendall.unwrap())
    );
}

#[test]
fn undefined_figures_are_null() {
    let constant = [Ranked { truth: 3.0, ..Ranked::default() }; 9];
    let nan =
        [Ranked { accuracy: f64::NAN, ..Ranked::default() }, Ranked { truth: 1.0, ..Ranked::default() }];
    for rows in [&[][..], &constant[..1], &constant[..], &nan[..]] {
        let found = compare(rows, &CompareOptions { classes: 10, ..CompareOptions::default() });
        assert_eq!((found.n, found.accuracy.kendall, found.accuracy.spearman), (rows.len(), None, None));
        assert_eq!((found.accuracy.kendall_interval, found.accuracy.over_params), (None, None));
        assert_eq!(found.accuracy_fairness.complexity_bias, None);
        assert!(serde_json::to_value(&found).unwrap()["accuracy"]["kendall"].is_null());
        assert!(found.text().contains("complexity bias"));
        let again: Comparison = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
        assert_eq!(again, found);
    }
}

#[test]
fn the_text_holds_the_figures() {
    let found = compare(&random_rows(100, 3), &CompareOptions { classes: 10, ..CompareOptions::default() });
    let text = found.text();
    let tau = text.lines().find(|line| line.trim_start().starts_with("tau-b ")).unwrap();
    let expected = [&found.accuracy, &found.nll, &found.params, &found.live_weights];
    let expected = expected.map(|found| format!("{:.3}", found.kendall.unwrap()));
    assert_eq!(tau.split_whitespace().skip(1).take(4).collect::<Vec<_>>(), expected);
    assert!(text.contains("best of top 5 (5 %)") && text.contains("best of top 10 (10 %)"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
}

/// What is known of the published table: tau-b and rho of the parameter count on its ranking set, by scipy.
#[test]
fn parameters_predict_nas_bench_201_as_known() {
    let Some(path) = nas_bench_201() else { return };
    let columns = ["params", "weights", "macs", "cifar10_test", "cifar100_test", "imagenet16_test"];
    let columns = columns.map(str::to_owned).to_vec();
    let options = TableOptions { columns, subset: Some("ranking_set".to_owned()), ..TableOptions::default() };
    let table = Table::read(&path, &options, &cell).unwrap();
    for (column, classes, expected) in [
        (3, 10, (0.636_605_920_264_958_7, 0.800_956_255_133_924_2)),
        (4, 100, (0.633_638_441_715_666_6, 0.798_134_383_490_154_3)),
        (5, 120, (0.584_198_760_215_317_8, 0.735_313_702_220_746_7)),
    ] {
        let rows = table.subset().map(|entry| Ranked {
            params: entry.accuracies[0] as u64,
            weights: entry.accuracies[1] as u64,
            macs: entry.accuracies[2] as u64,
            truth: entry.accuracies[column],
            ..Ranked::default()
        });
        let rows: Vec<Ranked> = rows.collect();
        let found = compare(&rows, &CompareOptions { classes, ..CompareOptions::default() });
        assert!((found.params.kendall.unwrap() - expected.0).abs() < 1e-12, "{:?}", found.params);
        assert!((found.params.spearman.unwrap() - expected.1).abs() < 1e-12, "{:?}", found.params);
        assert_eq!(found.n, 327);
    }
}
