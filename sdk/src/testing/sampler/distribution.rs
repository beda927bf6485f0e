//! How evenly a sampler draws.

use std::collections::HashMap;

use super::SamplerTest;

/// Deviations of the normal distribution beyond which a draw counts as not uniform: 3 in ten million draws that are.
const DEVIATIONS: f64 = 5.0;
/// The fewest draws that are expected in each cell.
const EXPECTED: usize = 5;

impl SamplerTest {
    /// How often the paths of `count` steps take each option, by choice; counted on a sampler of its own.
    #[track_caller]
    pub fn counts(&self, count: usize) -> Vec<Vec<u64>> {
        let mut counts: Vec<Vec<u64>> =
            self.run.all_options().iter().map(|options| vec![0; options.len()]).collect();
        for path in self.fresh().steps(count).iter().flatten() {
            for (counts, picked) in counts.iter_mut().zip(&path.picked) {
                picked.options.iter().for_each(|&option| counts[option as usize] += 1);
            }
        }
        counts
    }

    /// Checks by a chi-squared test that the paths of `count` steps take each allowed option of a choice equally often,
    /// and, where they are few enough, each valid architecture. A uniform sampler fails in one of some million seeds.
    ///
    /// # Panics
    /// They do not; or `count` is too small to tell.
    #[track_caller]
    pub fn assert_uniform(&self, count: usize) {
        let drawn = self.fresh().architectures(count);
        let all = self.run.enumerate(&self.run.allowed);
        for (choice, allowed) in self.run.allowed.iter().enumerate() {
            let name = &self.run.ground.choices()[choice].name;
            let share = |option: u32| match &all {
                None => 1.0 / allowed.len() as f64,
                Some(all) => all.iter().filter(|a| a[choice] == option).count() as f64 / all.len() as f64,
            };
            let cells = allowed.iter().map(|&option| {
                let found = drawn.iter().filter(|drawn| drawn[choice] == option).count();
                (found as f64, share(option) * drawn.len() as f64)
            });
            let cells: Vec<_> = cells.filter(|(found, expected)| *found > 0.0 || *expected > 0.0).collect();
            self.fits(&format!("the options of the choice `{name}`"), &cells);
        }
        if let Some(all) = all.filter(|all| all.len() * EXPECTED <= drawn.len()) {
            let mut found = HashMap::new();
            for drawn in &drawn {
                *found.entry(drawn).or_insert(0_u32) += 1;
            }
            let expected = drawn.len() as f64 / all.len() as f64;
            let cell = |architecture| (f64::from(found.get(architecture).copied().unwrap_or(0)), expected);
            self.fits("the architectures", &all.iter().map(cell).collect::<Vec<_>>());
        }
    }

    /// Compares counts with what is expected of them.
    #[track_caller]
    fn fits(&self, what: &str, cells: &[(f64, f64)]) {
        if cells.len() < 2 {
            return;
        }
        if let Some((_, expected)) = cells.iter().find(|(_, expected)| *expected < EXPECTED as f64) {
            self.component.fail(
                "sample",
                &format!("too few steps to tell: {expected:.1} draws of one of {what} are expected, at least {EXPECTED} needed"),
            );
        }
        let distance: f64 = cells.iter().map(|(found, expected)| (found - expected).powi(2) / expected).sum();
        let bound = chi_squared_bound(cells.len() - 1);
        if distance > bound {
            let (found, expected): (Vec<f64>, Vec<f64>) =
                cells.iter().take(20).map(|(found, expected)| (*found, expected.round())).unzip();
            self.component.fail(
                "sample",
                &format!(
                    "{what} are not drawn uniformly: counts {found:?}, expected about {expected:?} (chi-squared \
                     {distance:.1}, expected at most {bound:.1})"
                ),
            );
        }
    }
}

/// The value that chi-squared of so many degrees of freedom does not exceed: Wilson and Hilferty's approximation.
fn chi_squared_bound(freedom: usize) -> f64 {
    let spread = 2.0 / (9.0 * freedom as f64);
    freedom as f64 * (1.0 - spread + DEVIATIONS * spread.sqrt()).powi(3)
}
