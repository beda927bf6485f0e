//! A choice as a setting names it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::run::{ChoiceIndex, Run};

/// A choice of the space in a component's settings: by its index, from 0, or by its name.
///
/// ```
/// use nshot_sdk::NamedChoice;
///
/// let split: Vec<NamedChoice> = serde_json::from_str(r#"[0, "edge 2<-0"]"#)?;
/// assert_eq!(split[1].to_string(), "`edge 2<-0`");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NamedChoice {
    /// From 0.
    Index(u32),
    /// As the space declares it.
    Name(String),
}

impl NamedChoice {
    /// The choices that a list names, in its order.
    ///
    /// # Errors
    /// The space does not have one of them, or one is there twice; `setting` is blamed.
    pub fn find_all(list: &[Self], setting: &str, run: &Run) -> Result<Vec<ChoiceIndex>> {
        let names: Vec<String> =
            (0..run.choice_count()).map(|choice| run.choice_name(choice)).collect::<Result<_>>()?;
        find_all(list, setting, &names)
    }
}

fn find_all(list: &[NamedChoice], setting: &str, names: &[String]) -> Result<Vec<ChoiceIndex>> {
    let mut found = Vec::with_capacity(list.len());
    for named in list {
        let index = match named {
            NamedChoice::Index(index) => Some(*index as usize).filter(|index| *index < names.len()),
            NamedChoice::Name(name) => names.iter().position(|other| other == name),
        };
        let index = index.ok_or_else(|| {
            Error::new(format!("`{setting}` has {named}; the space has the choices {}", names.join(", ")))
        })? as ChoiceIndex;
        if found.contains(&index) {
            return Err(Error::new(format!("`{setting}` has {named} twice")));
        }
        found.push(index);
    }
    Ok(found)
}

impl fmt::Display for NamedChoice {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(to, "{index}"),
            Self::Name(name) => write!(to, "`{name}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_found_by_index_and_name() {
        let names = ["edge 1<-0", "edge 2<-0"].map(str::to_owned);
        let find = |list: &[NamedChoice]| find_all(list, "choices", &names);
        let name = |name: &str| NamedChoice::Name(name.to_owned());
        assert_eq!(find(&[name("edge 2<-0"), NamedChoice::Index(0)]).unwrap(), [1, 0]);
        for (list, text) in [
            (vec![NamedChoice::Index(2)], "`choices` has 2; the space has the choices edge 1<-0, edge 2<-0"),
            (vec![name("edge")], "`choices` has `edge`; the space has the choices edge 1<-0, edge 2<-0"),
            (vec![NamedChoice::Index(0), name("edge 1<-0")], "`choices` has `edge 1<-0` twice"),
        ] {
            assert_eq!(find(&list).unwrap_err().text(), text);
        }
    }
}
