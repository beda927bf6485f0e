//! Crossover and mutation of architectures.

use nshot_sdk::prelude::*;

/// Each choice's option from one parent or the other, with equal probability.
pub(crate) fn crossover(one: &[u32], other: &[u32], random: &mut Random) -> Architecture {
    one.iter().zip(other).map(|(&a, &b)| if random.below(2) == 0 { a } else { b }).collect()
}

/// At each choice, with a probability, an option drawn from the allowed ones; it may be the old one, as in SPOS.
pub(crate) fn mutate(
    parent: &[u32],
    allowed: &[Vec<u32>],
    probability: f64,
    random: &mut Random,
) -> Architecture {
    let drawn = parent
        .iter()
        .zip(allowed)
        .map(|(&option, options)| if random.unit() < probability { random.pick(options) } else { option });
    drawn.collect()
}

/// Architectures of a round that a host takes.
const MOST: usize = 100_000;

/// Refuses sizes with which there is nothing to do, or too much for one round.
pub(crate) fn check_sizes(population: usize, generations: u64) -> Result<()> {
    if !(1..=MOST).contains(&population) {
        return Err(Error::new(format!("`population` is {population}, expected 1 to {MOST}")));
    }
    if generations == 0 {
        return Err(Error::new("`generations` is 0, expected at least 1"));
    }
    Ok(())
}

/// Refuses a setting that is no probability.
pub(crate) fn check_probability(name: &str, found: f64) -> Result<()> {
    if (0.0..=1.0).contains(&found) {
        Ok(())
    } else {
        Err(Error::new(format!("`{name}` is {found}, expected a number from 0 to 1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_takes_half_of_each_parent() {
        let (one, other) = (vec![0; 1000], vec![1; 1000]);
        let child = crossover(&one, &other, &mut Random::new(1, 0));
        let ones = child.iter().sum::<u32>();
        // Five standard deviations of a binomial with n = 1000, p = 0.5.
        assert!(ones.abs_diff(500) < 80, "{ones}");
        assert_eq!(crossover(&[3, 4], &[3, 4], &mut Random::new(1, 1)), [3, 4]);
    }

    #[test]
    fn mutation_changes_its_share_and_draws_allowed_options() {
        let allowed = vec![vec![2, 5, 7, 9]; 4000];
        let parent = vec![2; 4000];
        let child = mutate(&parent, &allowed, 0.1, &mut Random::new(2, 0));
        let changed = child.iter().filter(|&&option| option != 2).count();
        // A tenth is drawn anew, and three of four draws differ: 300, with a deviation of 17.
        assert!(changed.abs_diff(300) < 85, "{changed}");
        assert!(child.iter().all(|option| allowed[0].contains(option)));
        assert_eq!(mutate(&parent, &allowed, 0.0, &mut Random::new(2, 1)), parent);
        let fresh = mutate(&parent, &allowed, 1.0, &mut Random::new(2, 2));
        assert!([2, 5, 7, 9].iter().all(|option| fresh.contains(option)));
    }

    #[test]
    fn sizes_are_checked() {
        assert!(check_sizes(1, 1).is_ok() && check_sizes(MOST, 1).is_ok());
        for wrong in [0, MOST + 1, usize::MAX] {
            assert!(check_sizes(wrong, 1).unwrap_err().text().contains("expected 1 to 100000"));
        }
        assert!(check_sizes(1, 0).unwrap_err().text().contains("`generations` is 0"));
    }

    #[test]
    fn probabilities_are_checked() {
        assert!(check_probability("p", 0.0).is_ok() && check_probability("p", 1.0).is_ok());
        for wrong in [-0.1, 1.1, f64::NAN] {
            assert!(
                check_probability("p", wrong).unwrap_err().text().contains("expected a number from 0 to 1")
            );
        }
    }
}
