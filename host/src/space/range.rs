//! Whether what a plugin or a user names is of the space: architectures, options, weights of options.

use nshot_graph::Role;

use super::Space;

impl Space {
    /// Checks that an architecture is one of this space.
    ///
    /// # Errors
    /// Says what is out of range.
    pub fn check(&self, architecture: &[u32]) -> Result<(), String> {
        let choices = self.choices();
        if architecture.len() != choices.len() {
            return Err(format!(
                "an architecture of {} options, expected {}, one for each choice",
                architecture.len(),
                choices.len()
            ));
        }
        for (choice, option) in architecture.iter().enumerate() {
            self.check_options(choice as u32, &[*option])?;
        }
        Ok(())
    }

    /// Checks that options, at least one, are of a choice.
    ///
    /// # Errors
    /// Says what is out of range.
    pub fn check_options(&self, choice: u32, options: &[u32]) -> Result<(), String> {
        let Some(at) = self.choices().get(choice as usize) else {
            return Err(format!("there is no choice {choice}; the space has {}", self.choices().len()));
        };
        if options.is_empty() {
            return Err(format!("no option of the choice `{}` is named, expected at least one", at.name));
        }
        match options.iter().find(|option| **option as usize >= at.options.len()) {
            None => Ok(()),
            Some(option) => Err(format!(
                "there is no option {option} of the choice `{}`; it has {}, counted from 0",
                at.name,
                at.options.len()
            )),
        }
    }

    /// Checks that a parameter can weight the options of a choice.
    ///
    /// # Errors
    /// No such parameter, of another role or shape.
    pub fn check_weighting(&self, choice: u32, parameter: &str) -> Result<(), String> {
        let options = self.choices()[choice as usize].options.len() as i64;
        let spec = self.parameters().index(parameter).and_then(|index| self.parameters().get(index));
        match spec {
            Some(spec) if spec.role == Role::Architecture && spec.shape == [options] => Ok(()),
            Some(spec) => Err(format!(
                "the parameter `{}` has the role `{}` and the shape {:?}, expected `architecture` and [{options}]",
                spec.name,
                spec.role.name(),
                spec.shape
            )),
            None => {
                Err(format!("there is no parameter `{}`", parameter.chars().take(64).collect::<String>()))
            }
        }
    }
}
