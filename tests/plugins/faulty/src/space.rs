//! A search space that goes wrong.

use std::sync::atomic::{AtomicU32, Ordering};

use nshot_sdk::prelude::*;

use crate::fault::Fault;

const CHANNELS: u64 = 4;

/// How often a subnet was described.
static MOOD: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Faulty {
    fault: Fault,
    stem: Conv2d,
    kernels: [Conv2d; 2],
    classifier: Linear,
}

impl SearchSpace for Faulty {
    type Settings = Fault;
    const ABOUT: &'static str = "Two choices of two options, but for its faults.";

    fn new(fault: Fault, task: &Task) -> Result<Self> {
        fault.enter("new")?;
        let conv = |side| Conv2d::new(&format!("conv{side}"), CHANNELS, CHANNELS, side).no_bias();
        Ok(Self {
            fault,
            stem: Conv2d::new("stem", task.input_shape[0], CHANNELS, 3).no_bias(),
            kernels: [conv(1), conv(3)],
            classifier: Linear::new("classifier", CHANNELS, task.classes),
        })
    }

    fn choices(&self) -> Vec<Choice> {
        if let Err(error) = self.fault.enter("choices") {
            panic!("{error}");
        }
        let choice = |name: &str| Choice::new(name, &["first", "second"]);
        match self.fault.name() {
            "choice-without-options" => vec![Choice::new("kernel", &[""; 0])],
            "choice-twice" => vec![choice("kernel"), choice("kernel")],
            "option-twice" => vec![Choice::new("kernel", &["first", "first"])],
            "endless-choice-name" => vec![choice(&"x".repeat(10 << 20))],
            "choice-with-control-characters" => vec![choice("ker\u{1b}[31mnel\n")],
            "endless-options" => {
                let options: Vec<String> = (0..70_000).map(|option| option.to_string()).collect();
                vec![Choice::new("kernel", &options)]
            }
            "no-choices" => Vec::new(),
            _ => vec![choice("kernel"), choice("skip")],
        }
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        self.fault.enter("declare")?;
        self.stem.declare(to)?;
        self.kernels.iter().try_for_each(|kernel| kernel.declare(to))?;
        self.classifier.declare(to)?;
        let mut odd = |name: &str, shape: &[u64]| to.parameter(name, shape, Role::Weight, Init::Zeros);
        match self.fault.name() {
            "value-of-all-memory" => odd("odd", &[1 << 20]),
            "parameter-twice" => odd("classifier.bias", &[10]),
            "parameter-of-all-memory" => odd("odd", &[1 << 20, 1 << 18]),
            "parameter-of-more-than-all" => odd("odd", &[u64::MAX, 2]),
            "parameter-of-many-dimensions" => odd("odd", &[1; 100]),
            "endless-parameter-name" => odd(&"x".repeat(10 << 20), &[1]),
            "parameter-with-control-characters" => odd("od\u{1b}[31md\n", &[1]),
            "endless-parameters" => (0_u64..).try_for_each(|index| odd(&index.to_string(), &[1])),
            "nan-initialisation" => to.parameter("odd", &[1], Role::Weight, Init::Normal(f64::NAN, 1.0)),
            _ => Ok(()),
        }
    }

    fn describe(&self, g: &mut Graph) -> Result<()> {
        self.fault.enter("describe")?;
        let none = Attributes::new();
        let image = g.input("image")?;
        let x = self.stem.forward(g, image)?;
        let x = g.choose(0, |g, option| self.kernels[option as usize].forward(g, x))?;
        let x = if self.fault.is("moody") && MOOD.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            g.relu(x)?
        } else {
            x
        };
        let y = g.choose(1, |g, option| if option == 0 { g.relu(x) } else { Ok(x) })?;
        match self.fault.name() {
            "wrong-shape" => self.kernels[0].forward(g, image).map(|_| ())?,
            "unknown-operation" => g.op("conv3d", &[y], &none).map(|_| ())?,
            "unknown-attribute" => g.op("relu", &[y], &attributes! { slope: 0.1 }).map(|_| ())?,
            "wrong-attribute" => g.op("dropout", &[y], &attributes! { p: "half" }).map(|_| ())?,
            "foreign-value" => {
                let value = later_value(g)?;
                g.relu(value).map(|_| ())?;
            }
            "no-logits" => return g.output("features", y),
            "no-output" => return Ok(()),
            "logits-of-a-wrong-shape" => return g.output("logits", y),
            "undeclared-parameter" => g.parameter("clasifier.weight").map(|_| ())?,
            "unknown-input" => g.input("imgae").map(|_| ())?,
            "endless-operation-name" => g.op(&"x".repeat(10 << 20), &[y], &none).map(|_| ())?,
            "operation-with-control-characters" => g.op("re\u{1b}[31mlu\n", &[y], &none).map(|_| ())?,
            "endless-nodes" => loop {
                g.relu(y)?;
            },
            "endless-scopes" => return endless_scopes(g),
            "unknown-aten-operation" => {
                let shape = attributes! { output_shape: [-1_i64, 4, 8, 8] };
                return g.op("aten::wobble", &[y], &shape).and_then(|y| g.global_avg_pool(y)).and_then(|y| {
                    let y = self.classifier.forward(g, y)?;
                    g.output("logits", y)
                });
            }
            _ => {}
        }
        let y = g.global_avg_pool(y)?;
        let mut y = self.classifier.forward(g, y)?;
        if self.fault.is("value-of-all-memory") {
            let odd = g.parameter("odd")?;
            let (column, row) = (g.reshape(odd, &[-1, 1])?, g.reshape(odd, &[1, -1])?);
            let (huge, zero) = (g.matmul(column, row)?, g.constant(0.5)?);
            let huge = g.slice(huge, 0, 0, 1)?;
            let huge = g.slice(huge, 1, 0, 1)?;
            let nothing = g.mul(huge, zero)?;
            y = g.add(&[y, nothing])?;
        }
        g.output("logits", y)
    }

    fn extremes(&self) -> (Architecture, Architecture) {
        if let Err(error) = self.fault.enter("extremes") {
            panic!("{error}");
        }
        match self.fault.name() {
            "extremes-out-of-range" => (vec![0, 1], vec![1, 2]),
            "extremes-too-near" => (vec![0, 0], vec![0, 1]),
            "endless-extremes" => (vec![0; 10 << 20], vec![0, 0]),
            _ => (vec![0, 0], vec![1, 1]),
        }
    }

    fn canonical(&self, architecture: &[u32]) -> Result<Architecture> {
        self.fault.enter("canonical")?;
        Ok(match self.fault.name() {
            "canonical-out-of-range" => vec![5, 5],
            "canonical-of-canonical" => vec![1 - architecture[0], architecture[1]],
            _ => architecture.to_vec(),
        })
    }

    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        self.fault.enter("to_text")?;
        Ok(match self.fault.name() {
            "endless-text" => "x".repeat(10 << 20),
            "empty-text" => String::new(),
            "text-of-two-lines" => "a\nb".to_owned(),
            _ => format!("{}-{}", architecture[0], architecture[1]),
        })
    }

    fn from_text(&self, text: &str) -> Result<Architecture> {
        self.fault.enter("from_text")?;
        if self.fault.is("from-text-out-of-range") {
            return Ok(vec![0, 17]);
        }
        let options = text.split('-').map(str::parse).collect::<Result<_, _>>();
        options.map_err(|_| Error::new(format!("`{text}` is no pair such as `0-1`")))
    }
}

/// A value of a graph that is further than this one.
fn later_value(g: &mut Graph) -> Result<nshot_sdk::Value> {
    thread_local! {
        static LAST: std::cell::Cell<Option<nshot_sdk::Value>> = const { std::cell::Cell::new(None) };
    }
    if LAST.get().is_none() {
        let mut value = g.input("image")?;
        for _ in 0..100 {
            value = g.relu(value)?;
        }
        LAST.set(Some(value));
    }
    LAST.get().ok_or_else(|| Error::new("no value"))
}

fn endless_scopes(g: &mut Graph) -> Result<()> {
    g.scope("s", endless_scopes)
}
