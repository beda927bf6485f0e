//! What a measured run does, as a manifest.

use std::fmt::Write as _;

/// More steps than any run has.
pub(super) const NEVER: u64 = 1_000_000;
/// Options that take part, whatever the number of them: the same paths are trained in each supernet.
const TAKEN: usize = 2;
/// Choices, and channels, of the supernets whose number of options is set.
pub(super) const WIDE_CHOICES: usize = 8;
pub(super) const WIDE_CHANNELS: usize = 128;

/// A space at the size of a measurement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Space {
    NasBench201 {
        channels: usize,
        cells: usize,
    },
    MobileNet,
    /// Equal 3x3 convolutions, so many at each choice.
    Wide {
        options: usize,
    },
}

/// What a run does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) space: Space,
    /// With `CaLR` and momentum separation.
    pub(super) subnet_aware: bool,
    /// Subnets drawn by the sampler `spos`, in place of the fixed ones.
    pub(super) drawn: bool,
    /// Images in a batch, in place of the space's usual number.
    pub(super) batch: Option<usize>,
    /// Steps between checkpoints; without it there is none.
    pub(super) checkpoint_every: Option<u64>,
    /// Activations are computed again in the backward pass.
    pub(super) recompute: bool,
}

/// Where things lie that a manifest names.
pub(super) struct Places<'a> {
    pub(super) images: &'a str,
    pub(super) replay: &'a str,
    pub(super) wide: &'a str,
}

impl Work {
    pub(super) fn of(space: Space) -> Self {
        let (subnet_aware, drawn, recompute) = (false, false, false);
        Self { space, subnet_aware, drawn, batch: None, checkpoint_every: None, recompute }
    }

    /// The file of the fixed architectures.
    pub(super) fn list(&self) -> Option<&'static str> {
        match self.space {
            Space::NasBench201 { .. } => Some("bench-archs.json"),
            Space::MobileNet => Some("bench-archs-mobilenet.json"),
            Space::Wide { .. } => None,
        }
    }

    /// Paths of the supernets of equal convolutions, each as `[0, 1, …]`.
    pub(super) fn wide_architectures() -> Vec<String> {
        let option = |path: usize, choice: usize| ((path >> (choice % 3)) % TAKEN).to_string();
        let path = |path| (0..WIDE_CHOICES).map(|choice| option(path, choice)).collect::<Vec<_>>();
        (0..8).map(|index| format!("[{}]", path(index).join(", "))).collect()
    }

    /// The manifest of a training on fixed architectures, each as `[0, 2, 4, 1, 4, 2]`.
    pub(super) fn manifest(
        &self,
        places: &Places<'_>,
        architectures: &[String],
        steps: usize,
        threads: usize,
    ) -> String {
        let (batch, resize) = match self.space {
            Space::MobileNet => (32, 64),
            _ => (64, 32),
        };
        let batch = self.batch.unwrap_or(batch);
        let mut text = format!(
            "[run]\nthreads = {threads}\ndevice = \"cpu\"\n\
             [data]\nname = \"cifar10\"\npath = \"{}\"\nbatch_size = {batch}\nresize = {resize}\n\
             rank_from = \"test\"\naugment = {{ flip = false, crop = 0 }}\n\
             [space]\n{}\n\
             [optimizer]\nuse = \"sgd\"\nmomentum = 0.9\nnesterov = true\nweight_decay = 5e-4\n\
             [train]\nsteps = {steps}\nlr = 0.025\nclip_norm = 5.0\n",
            places.images,
            self.space_table(places),
        );
        // The yardstick writes none.
        let every = self.checkpoint_every.unwrap_or(NEVER);
        let _ = writeln!(text, "checkpoint_every = {every}\nrecompute = {}", self.recompute);
        if self.drawn {
            text += "[sampler]\nuse = \"spos\"\n";
        } else {
            let paths: Vec<String> = architectures.iter().map(|text| format!("[{text}]")).collect();
            let (use_, paths) = (places.replay, paths.join(", "));
            let _ = writeln!(text, "[sampler]\nuse = {{ path = \"{use_}\" }}\nsteps = [{paths}]");
        }
        text += if self.subnet_aware {
            "[scheduler]\nuse = \"calr\"\n[state]\nuse = \"momentum-separation\"\nchoices = [0]\n"
        } else {
            "[scheduler]\nuse = \"cosine\"\n"
        };
        text
    }

    fn space_table(&self, places: &Places<'_>) -> String {
        match self.space {
            Space::NasBench201 { channels, cells } => {
                format!("use = \"nas-bench-201\"\nchannels = {channels}\ncells = {cells}")
            }
            Space::MobileNet => "use = \"mobilenet\"".to_owned(),
            Space::Wide { options } => format!(
                "use = {{ path = \"{}\" }}\nchoices = {WIDE_CHOICES}\noptions = {options}\nchannels = {WIDE_CHANNELS}",
                places.wide
            ),
        }
    }
}
