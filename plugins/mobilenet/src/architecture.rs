//! An architecture as one operation for each layer, and its texts.

use nshot_sdk::{Error, Result};

/// Kernel and expansion of each operation but the identity, in order.
pub(crate) const OPERATIONS: [(u64, u64); 6] = [(3, 3), (3, 6), (5, 3), (5, 6), (7, 3), (7, 6)];

/// The option that is no layer at all.
pub(crate) const IDENTITY: u32 = 6;

/// The smallest and the largest operation that computes, by every measure: costs grow with kernel and expansion.
pub(crate) const SMALLEST: u32 = 0;
pub(crate) const LARGEST: u32 = 5;

const NAMES: [&str; 7] = ["k3e3", "k3e6", "k5e3", "k5e6", "k7e3", "k7e6", "identity"];

const HINT: &str = "\n\nhint: an architecture names an operation for each layer, such as `k3e3-k5e6-identity`, or gives \
                    their indices, such as `0,3,6`";

/// The choice layers: which of them begin a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers {
    begins_stage: Vec<bool>,
}

impl Layers {
    /// Layers of the stages, by the number of each.
    pub(crate) fn of_stages(counts: &[u64]) -> Self {
        Self { begins_stage: counts.iter().flat_map(|count| (0..*count).map(|layer| layer == 0)).collect() }
    }

    /// Options of each layer. A stage's first layer changes the shape, so it has no identity.
    pub(crate) fn options(&self) -> impl Iterator<Item = &'static [&'static str]> {
        self.begins_stage.iter().map(|begins| if *begins { &NAMES[..IDENTITY as usize] } else { &NAMES[..] })
    }

    /// As few layers as there can be, each the smallest.
    pub(crate) fn smallest(&self) -> Vec<u32> {
        self.begins_stage.iter().map(|begins| if *begins { SMALLEST } else { IDENTITY }).collect()
    }

    /// The largest operation everywhere.
    pub(crate) fn largest(&self) -> Vec<u32> {
        vec![LARGEST; self.begins_stage.len()]
    }

    /// The same network with the identities at the end of each stage: where in a stage they stand matters to
    /// weights of a supernet only.
    ///
    /// # Errors
    /// Not an architecture of these layers.
    pub(crate) fn canonical(&self, architecture: &[u32]) -> Result<Vec<u32>> {
        self.check(architecture)?;
        let mut all = Vec::with_capacity(architecture.len());
        let mut identities = 0;
        for (begins, option) in self.begins_stage.iter().zip(architecture) {
            if *begins {
                all.extend(std::iter::repeat_n(IDENTITY, std::mem::take(&mut identities)));
            }
            if *option == IDENTITY {
                identities += 1;
            } else {
                all.push(*option);
            }
        }
        all.extend(std::iter::repeat_n(IDENTITY, identities));
        Ok(all)
    }

    /// Names of the operations, joined by `-`.
    ///
    /// # Errors
    /// Not an architecture of these layers.
    pub(crate) fn to_text(&self, architecture: &[u32]) -> Result<String> {
        self.check(architecture)?;
        let names: Vec<&str> = architecture.iter().map(|option| NAMES[*option as usize]).collect();
        Ok(names.join("-"))
    }

    /// Reads names or indices of operations, separated by `-`, `|` or commas, or one digit for each layer.
    ///
    /// # Errors
    /// Any other text.
    pub(crate) fn parse(&self, text: &str) -> Result<Vec<u32>> {
        self.read(text.trim()).map_err(|problem| {
            let shown: String = text.chars().take(200).collect();
            Error::new(format!("`{}` is not an architecture: {problem}{HINT}", shown.escape_debug()))
        })
    }

    fn read(&self, text: &str) -> Result<Vec<u32>> {
        let parts: Vec<String> = if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
            text.chars().map(String::from).collect()
        } else {
            let inside = text.strip_prefix('|').unwrap_or(text);
            let inside = inside.strip_suffix('|').unwrap_or(inside);
            inside.split(['-', '|', ',']).map(|part| part.trim().to_owned()).collect()
        };
        let architecture = parts.iter().map(|part| option(part)).collect::<Result<Vec<u32>>>()?;
        self.check(&architecture)?;
        Ok(architecture)
    }

    fn check(&self, architecture: &[u32]) -> Result<()> {
        let (found, expected) = (architecture.len(), self.begins_stage.len());
        if found != expected {
            return Err(Error::new(format!("it has {found} layers, expected {expected}")));
        }
        for (layer, (option, options)) in architecture.iter().zip(self.options()).enumerate() {
            if *option == IDENTITY && options.len() == IDENTITY as usize {
                return Err(Error::new(format!("layer {layer} begins a stage and cannot be `identity`")));
            }
            if *option as usize >= options.len() {
                let most = options.len() - 1;
                return Err(Error::new(format!("layer {layer} has option {option}, expected 0 to {most}")));
            }
        }
        Ok(())
    }
}

fn option(part: &str) -> Result<u32> {
    if let Some(option) = NAMES.iter().position(|name| *name == part) {
        return Ok(option as u32);
    }
    part.parse().map_err(|_| {
        let names = NAMES.join(", ");
        Error::new(format!("there is no operation `{}`, only {names}", part.escape_debug()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Layers {
        Layers::of_stages(&[3, 1, 2])
    }

    #[test]
    fn names_follow_kernels_and_expansions() {
        for ((kernel, expansion), name) in OPERATIONS.into_iter().zip(NAMES) {
            assert_eq!(name, format!("k{kernel}e{expansion}"));
        }
        assert_eq!(NAMES[IDENTITY as usize], "identity");
    }

    #[test]
    fn a_stage_begins_without_identity() {
        let counts: Vec<usize> = layers().options().map(<[_]>::len).collect();
        assert_eq!(counts, [6, 7, 7, 6, 6, 7]);
        assert_eq!(layers().smallest(), [0, 6, 6, 0, 0, 6]);
        assert_eq!(layers().largest(), [5; 6]);
    }

    #[test]
    fn reads_every_form() {
        let architecture = [0, 6, 5, 1, 3, 6];
        let text = layers().to_text(&architecture).expect("a text");
        assert_eq!(text, "k3e3-identity-k7e6-k3e6-k5e6-identity");
        let bars = text.replace('-', "|");
        for text in [
            text.as_str(),
            bars.as_str(),
            &format!("|{bars}|"),
            &format!(" {}\n", text.replace('-', " - ")),
            "0,6,5,1,3,6",
            "0-6-5-1-3-6",
            "065136",
        ] {
            assert_eq!(layers().parse(text).expect("an architecture"), architecture, "{text}");
        }
        assert_eq!(Layers::of_stages(&[1]).parse("3").expect("an architecture"), [3]);
    }

    #[test]
    fn every_text_reads_back() {
        let layers = Layers::of_stages(&[2, 1]);
        for options in (0..6 * 7 * 6).map(|index| [index / 42, index / 6 % 7, index % 6]) {
            let text = layers.to_text(&options).expect("a text");
            assert_eq!(layers.parse(&text).expect("an architecture"), options);
        }
    }

    #[test]
    fn identities_move_to_the_end_of_their_stage() {
        let canonical = |options: &[u32]| layers().canonical(options).expect("an architecture");
        assert_eq!(canonical(&[0, 6, 1, 2, 3, 6]), [0, 1, 6, 2, 3, 6]);
        assert_eq!(canonical(&[0, 6, 6, 2, 3, 4]), [0, 6, 6, 2, 3, 4]);
        assert_eq!(canonical(&[1, 2, 3, 4, 5, 0]), [1, 2, 3, 4, 5, 0]);
        assert!(layers().canonical(&[6, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn refuses_and_says_why() {
        for (text, why) in [
            ("", "there is no operation ``, only k3e3, k3e6, "),
            ("06513", "it has 5 layers, expected 6"),
            ("0651366", "it has 7 layers, expected 6"),
            ("065136x", "there is no operation `065136x`"),
            ("665136", "layer 0 begins a stage and cannot be `identity`"),
            ("k3e3-k3e3-k3e3-identity-k3e3-k3e3", "layer 3 begins a stage and cannot be `identity`"),
            ("0,7,5,1,3,6", "layer 1 has option 7, expected 0 to 6"),
            ("7,6,5,1,3,6", "layer 0 has option 7, expected 0 to 5"),
            ("k3e3-k3e4-k3e3-k3e3-k3e3-k3e3", "there is no operation `k3e4`"),
            ("0,-1,5,1,3,6", "there is no operation ``"),
            ("0,99999999999,5,1,3,6", "there is no operation `99999999999`"),
        ] {
            let error = layers().parse(text).expect_err("a refusal");
            assert!(error.text().starts_with(&format!("`{text}` is not an architecture: {why}")), "{error}");
        }
    }
}
