//! Where a search takes its architectures from: a trait, so that the algorithms are tested without a host.

use nshot_sdk::prelude::*;

/// The architectures that a search may ask for.
pub(crate) trait Space {
    /// Options allowed at each choice; never empty.
    fn allowed(&self) -> &[Vec<u32>];
    /// Whether an architecture of allowed options is valid and meets the limits.
    fn admits(&self, architecture: &[u32]) -> Result<bool>;
    /// An architecture drawn uniformly from the admitted ones.
    fn draw(&self, random: &mut Random) -> Result<Architecture>;
}

/// The run's space within limits.
pub(crate) struct Limited<'a> {
    run: Run<'a>,
    limits: &'a Limits,
    allowed: Vec<Vec<u32>>,
}

impl<'a> Limited<'a> {
    pub(crate) fn new(run: Run<'a>, limits: &'a Limits) -> Result<Self> {
        let allowed = run.all_allowed()?;
        Ok(Self { run, limits, allowed })
    }
}

impl Space for Limited<'_> {
    fn allowed(&self) -> &[Vec<u32>] {
        &self.allowed
    }

    fn admits(&self, architecture: &[u32]) -> Result<bool> {
        Ok(self.run.valid(architecture)? && self.limits.meets(&self.run, architecture)?)
    }

    fn draw(&self, random: &mut Random) -> Result<Architecture> {
        self.limits.uniform(&self.run, random)
    }
}

/// Asks for the scores of what `choose` finds in the run's space within limits, with the round's random numbers.
pub(crate) fn ask_for(
    ask: &mut Ask,
    limits: &Limits,
    choose: impl FnOnce(&Limited, &mut Random) -> Result<Vec<Architecture>>,
) -> Result<()> {
    let chosen = {
        let space = Limited::new(ask.run(), limits)?;
        choose(&space, &mut ask.random())?
    };
    chosen.iter().try_for_each(|architecture| ask.candidate(architecture))
}

/// A space for tests: every option of every choice, but for architectures whose options sum up to more than `most`.
#[cfg(test)]
pub(crate) struct Toy {
    allowed: Vec<Vec<u32>>,
    most: u32,
}

#[cfg(test)]
impl Toy {
    pub(crate) fn new(choices: usize, options: u32, most: u32) -> Self {
        Self { allowed: vec![(0..options).collect(); choices], most }
    }
}

#[cfg(test)]
impl Space for Toy {
    fn allowed(&self) -> &[Vec<u32>] {
        &self.allowed
    }

    fn admits(&self, architecture: &[u32]) -> Result<bool> {
        Ok(architecture.iter().sum::<u32>() <= self.most)
    }

    fn draw(&self, random: &mut Random) -> Result<Architecture> {
        loop {
            let drawn: Architecture = self.allowed.iter().map(|options| random.pick(options)).collect();
            if self.admits(&drawn)? {
                return Ok(drawn);
            }
        }
    }
}
