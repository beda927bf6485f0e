//! Momentum separation (MS), from *Subnet-Aware Dynamic Supernet Training for Neural Architecture Search*, CVPR 2025,
//! arXiv 2503.10740; and its control experiment, as many groups drawn at random.

mod random_groups;

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `momentum-separation`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The choices whose options separate the optimizer's state, by index or by name. Default: drawn.
    choices: Option<Vec<NamedChoice>>,
    /// How many choices are drawn if none are given.
    drawn: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { choices: None, drawn: 1 }
    }
}

struct MomentumSeparation(Settings);

/// Draws different choices, none that the sampler splits by.
fn draw(count: u32, all: u32, split: &[u32], mut random: Random) -> Result<Vec<ChoiceIndex>> {
    let mut free: Vec<u32> = (0..all).filter(|choice| !split.contains(choice)).collect();
    if free.len() < count as usize {
        return Err(Error::new(format!("`drawn` is {count}, but only {} choices are free", free.len())));
    }
    random.shuffle(&mut free);
    free.truncate(count as usize);
    free.sort_unstable();
    Ok(free)
}

impl StateGroups for MomentumSeparation {
    type Settings = Settings;
    const ABOUT: &'static str =
        "Separate optimizer state for each option of a choice, drawn or given (momentum separation).";
    const CITATION: &'static str = "@inproceedings{jeon2025subnet, title={Subnet-Aware Dynamic Supernet Training for \
        Neural Architecture Search}, booktitle={CVPR}, year={2025}, note={arXiv 2503.10740}}";

    fn new(settings: Settings) -> Result<Self> {
        if settings.drawn == 0 || settings.choices.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::new("no choice separates the state; leave `[state]` out instead"));
        }
        Ok(Self(settings))
    }

    fn separate_by(&mut self, run: &Run) -> Result<Vec<ChoiceIndex>> {
        let split = run.split_choices()?;
        match &self.0.choices {
            None => draw(self.0.drawn, run.choice_count(), &split, run.random(0)),
            Some(given) => {
                let choices = NamedChoice::find_all(given, "choices", run)?;
                match choices.iter().find(|choice| split.contains(choice)) {
                    None => Ok(choices),
                    Some(&choice) => Err(Error::new(format!(
                        "`choices` has `{}`, by which the sampler splits the space into stages",
                        run.choice_name(choice)?
                    ))),
                }
            }
        }
    }
}

nshot_sdk::plugin!(
    group: "nshot";
    state_groups "momentum-separation" => MomentumSeparation,
    state_groups "random-groups" => random_groups::RandomGroups,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_choices_are_never_split_ones_and_all_come_up() {
        let mut seen = [0; 6];
        for key in 0..600 {
            for choice in draw(2, 6, &[1], Random::new(key, 0)).unwrap() {
                seen[choice as usize] += 1;
            }
        }
        assert_eq!(seen[1], 0);
        // 240 expected each, of a hypergeometric draw with deviation 12.
        assert!(
            seen.iter().enumerate().all(|(choice, &n)| choice == 1 || (180..300).contains(&n)),
            "{seen:?}"
        );
        assert!(draw(6, 6, &[1], Random::new(0, 0)).unwrap_err().text().contains("only 5 choices"));
    }

    #[test]
    fn a_step_belongs_to_the_group_of_its_option() {
        let run = nshot_sdk::testing::run(&[("edge 1<-0", 5), ("edge 2<-0", 3)]);
        let groups =
            run.groups::<MomentumSeparation>(nshot_sdk::testing::json!({ "choices": ["edge 2<-0"] }));
        assert_eq!(groups.separated(), [1]);
        assert_eq!(groups.of(&[vec![4, 2], vec![0, 2], vec![4, 0]]), [2, 2, 0]);
    }

    #[test]
    #[should_panic(expected = "`choices` has `edge 1<-0`, by which the sampler splits the space into stages")]
    fn a_choice_that_splits_the_space_is_refused() {
        let run = nshot_sdk::testing::run(&[("edge 1<-0", 5), ("edge 2<-0", 3)]).split_by(&[0]);
        let _ = run.groups::<MomentumSeparation>(nshot_sdk::testing::json!({ "choices": [0] }));
    }

    #[test]
    fn random_groups_are_as_many_as_asked_for_and_resume() {
        let run = nshot_sdk::testing::run(&[("edge 1<-0", 5)]);
        let groups = run.groups::<random_groups::RandomGroups>(nshot_sdk::testing::json!({ "groups": 3 }));
        let steps = run.draw(100);
        groups.assert_resumes(&steps);
        let found: std::collections::BTreeSet<u64> = groups.of(&steps).into_iter().collect();
        assert_eq!(found, (0..3).collect());
    }
}
