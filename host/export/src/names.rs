//! Names that have to differ.

use std::collections::{HashMap, HashSet};

/// Names in use.
#[derive(Debug, Default)]
pub(crate) struct Names {
    used: HashSet<String>,
    /// Per name the number that was last put behind it.
    numbers: HashMap<String, u64>,
}

impl Names {
    /// Takes `name`; false if it is in use.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        self.used.insert(name.to_owned())
    }

    /// Takes `name`, with a number behind it if it is in use.
    pub(crate) fn unique(&mut self, name: &str) -> String {
        if self.take(name) {
            return name.to_owned();
        }
        let number = self.numbers.entry(name.to_owned()).or_insert(0);
        loop {
            *number += 1;
            let numbered = format!("{name}_{number}");
            if self.used.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_use_get_a_free_number() {
        let mut names = Names::default();
        assert!(names.take("x_1") && !names.take("x_1"));
        let made: Vec<_> = (0..3).map(|_| names.unique("x")).collect();
        assert_eq!(made, ["x", "x_2", "x_3"]);
    }
}
