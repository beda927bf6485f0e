//! Strict fairness: Chu et al., *`FairNAS`: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture
//! Search*, ICCV 2021.
//!
//! A step has as many paths as the longest choice has options; at each choice its paths take the options in a random
//! order of its own, each once, and their gradients accumulate into one update. Where a choice has fewer options, it
//! deals them from a shuffled deck that goes on from step to step: each is taken equally often over time. Choices
//! that separate the optimizer's state are drawn once for a step, and all its paths take that option.

use nshot_sdk::prelude::*;

#[derive(Default)]
struct FairNas {
    /// For each choice, the options left in its deck.
    decks: Vec<Vec<u32>>,
}

impl FairNas {
    /// The paths of a step. `allowed`: the options of each choice; `shared`: choices whose option all paths take.
    fn deal(&mut self, allowed: &[Vec<u32>], shared: &[u32], random: &mut Random) -> Vec<Architecture> {
        let is_shared = |choice: usize| shared.contains(&(choice as u32));
        let free = allowed.iter().enumerate().filter(|(choice, _)| !is_shared(*choice));
        let paths = free.map(|(_, options)| options.len()).max().unwrap_or(1);
        self.decks.resize(allowed.len(), Vec::new());
        let mut architectures = vec![Vec::with_capacity(allowed.len()); paths];
        for (choice, options) in allowed.iter().enumerate() {
            if is_shared(choice) {
                let option = random.pick(options);
                for path in &mut architectures {
                    path.push(option);
                }
                continue;
            }
            let deck = &mut self.decks[choice];
            for path in &mut architectures {
                if deck.is_empty() {
                    deck.extend_from_slice(options);
                    random.shuffle(deck);
                }
                path.extend(deck.pop());
            }
        }
        architectures
    }
}

impl Sampler for FairNas {
    type Settings = NoSettings;
    const ABOUT: &'static str = "Strict fairness: each option of each choice once in a step (FairNAS).";
    const CITATION: &'static str = "@inproceedings{chu2021fairnas, title={FairNAS: Rethinking Evaluation Fairness of \
        Weight Sharing Neural Architecture Search}, author={Chu, Xiangxiang and Zhang, Bo and Xu, Ruijun}, \
        booktitle={ICCV}, year={2021}}";

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self::default())
    }

    fn start(&mut self, _run: &Run) -> Result<()> {
        self.decks.clear();
        Ok(())
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let run = at.run();
        for path in self.deal(&run.all_allowed()?, &run.separated_choices()?, &mut at.random()) {
            step.path(&path)?;
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.decks)?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        self.decks = serde_json::from_slice(state)?;
        Ok(())
    }
}

nshot_sdk::plugin!(group: "nshot"; sampler "fairnas" => FairNas);

#[cfg(test)]
mod tests {
    use super::*;

    fn options(counts: &[u32]) -> Vec<Vec<u32>> {
        counts.iter().map(|&count| (0..count).collect()).collect()
    }

    #[test]
    fn every_option_is_taken_once_in_a_step() {
        let (mut sampler, allowed) = (FairNas::default(), options(&[5; 6]));
        for step in 0..50 {
            let paths = sampler.deal(&allowed, &[], &mut Random::new(1, step));
            assert_eq!(paths.len(), 5);
            for choice in 0..6 {
                let mut taken: Vec<u32> = paths.iter().map(|path| path[choice]).collect();
                taken.sort_unstable();
                assert_eq!(taken, [0, 1, 2, 3, 4]);
            }
        }
    }

    #[test]
    fn unequal_choices_are_fair_over_time() {
        let (mut sampler, allowed) = (FairNas::default(), options(&[7, 6, 2]));
        let mut counts = [[0_i32; 7]; 3];
        for step in 0..600 {
            for path in sampler.deal(&allowed, &[], &mut Random::new(2, step)) {
                path.iter().zip(&mut counts).for_each(|(&option, count)| count[option as usize] += 1);
            }
        }
        assert_eq!(counts[0], [600; 7]);
        assert!(counts[1][..6].iter().all(|count| (count - 700).abs() <= 1), "{:?}", counts[1]);
        assert!(counts[2][..2].iter().all(|count| (count - 2100).abs() <= 1), "{:?}", counts[2]);
    }

    #[test]
    fn paths_share_the_option_that_separates_the_state() {
        let (mut sampler, allowed) = (FairNas::default(), options(&[5, 5, 3]));
        let mut shared = [0; 3];
        for step in 0..300 {
            let paths = sampler.deal(&allowed, &[2], &mut Random::new(3, step));
            assert!(paths.iter().all(|path| path[2] == paths[0][2]) && paths.len() == 5);
            shared[paths[0][2] as usize] += 1;
        }
        assert!(shared.iter().all(|&n| (60..140).contains(&n)), "{shared:?}");
    }
}
