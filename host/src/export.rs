//! `nshot export`: one subnet alone, with its weights, as a file that other programs read.

use std::path::{Path, PathBuf};

use nshot_export::{OnnxOptions, Values};
use nshot_graph::{Op, Statistics};
use nshot_torch::{ParameterStore, Pass, Precision, Tensor};
use serde::Serialize;

use crate::execute::Ending;
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::progress::say;
use crate::rank::{self, Recalibration, Supernets, stage_of};
use crate::run_directory::write_atomically;
use crate::selection::Selection;
use crate::space::Subnet;
use crate::stdout;
use crate::trained_run::TrainedRun;

/// The file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The parameters alone, under their names.
    Safetensors,
    /// A module that PyTorch loads with `torch.jit.load`.
    TorchScript,
    /// A model for ONNX Runtime and others.
    Onnx,
}

impl Format {
    /// The usual ending of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::TorchScript => "pt",
            Self::Onnx => "onnx",
        }
    }
}

/// What is exported, and where to.
#[derive(Debug, Clone)]
pub struct Options {
    /// The subnet, in any of the space's text forms.
    pub architecture: String,
    /// The format.
    pub format: Format,
    /// The file. None: `subnet` with the format's ending, in the working directory.
    pub output: Option<PathBuf>,
    /// Replaces a file that is there.
    pub force: bool,
    /// Also writes a batch of images and what the subnet makes of it, as safetensors.
    pub example: Option<PathBuf>,
    /// Keys of the manifest's `[rank]` that are set.
    pub overrides: Vec<(String, String)>,
    /// The result as JSON.
    pub json: bool,
}

/// What was exported.
#[derive(Debug, Serialize)]
struct Exported {
    architecture: String,
    stage: String,
    file: PathBuf,
    parameters: u64,
    macs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<PathBuf>,
}

/// Exports a subnet of a trained run.
///
/// # Errors
/// The run is not trained, the text is no architecture, a file is there already, or the format cannot express an
/// operation.
pub fn export(run_directory: &Path, options: &Options) -> Result<Ending> {
    let trained = TrainedRun::open(run_directory, &options.overrides, &["rank"])?;
    let experiment = &trained.experiment;
    let default = || PathBuf::from(format!("subnet.{}", options.format.extension()));
    let file = options.output.clone().unwrap_or_else(default);
    let place = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    if options.example.as_ref().is_some_and(|example| place(example) == place(&file)) {
        return Err(Failure::usage(format!("`{}` is to be both the model and the example", file.display())));
    }
    for path in [Some(&file), options.example.as_ref()].into_iter().flatten() {
        if path.exists() && !options.force {
            let failure = Failure::new(format!("`{}` is there already", path.display()));
            return Err(failure.hint("name another file, or replace it with --force"));
        }
    }
    let architecture = experiment.space.parse(&options.architecture)?;
    let text = experiment.space.to_text(&architecture)?;
    let stage = stage_of(experiment, &architecture)
        .ok_or_else(|| Failure::new(format!("no stage of the run holds the subnet `{text}`")))?;
    let subnet = experiment.space.subnet(&Selection::of(&architecture))?;
    let mut supernets = Supernets::of(experiment, run_directory);
    let store = supernets.get(stage)?;
    let progress = nshot_torch::scalar(1.0, experiment.device, experiment.precision)?;
    let recalibrated = Recalibration::of(experiment)?.statistics(experiment, store, &subnet, &progress)?;
    let store = recalibrated.as_ref().unwrap_or(store);
    let subnet = subnet.trained(experiment.space.parameters());
    match options.format {
        Format::Safetensors => safetensors(&file, &subnet, store)?,
        Format::TorchScript => torch_script(&file, &subnet, store)?,
        Format::Onnx => onnx(&file, experiment, &text, &subnet, store)?,
    }
    if let Some(example) = &options.example {
        write_example(example, experiment, &subnet, store)?;
    }
    if depends_on_batch(&subnet) {
        say(
            "note: batch norm takes the batch's own statistics: an image's logits depend on the others in its batch",
        );
    }
    let cost = subnet.live_cost();
    let exported = Exported {
        architecture: text,
        stage: experiment.stages[stage].name.clone(),
        file,
        parameters: cost.params,
        macs: cost.macs,
        example: options.example.clone(),
    };
    exported.print(options.json)?;
    Ok(Ending::Done)
}

impl Exported {
    fn print(&self, json: bool) -> Result<()> {
        if json {
            return stdout::print_json(self);
        }
        let example =
            self.example.as_ref().map_or(String::new(), |path| format!("example       {}\n", path.display()));
        stdout::print(&format!(
            "architecture  {}\nsupernet      {}\nparameters    {} outside dead branches\nMACs          {}\nfile          {}\n{example}",
            self.architecture,
            self.stage,
            crate::report::count(self.parameters as f64),
            crate::report::count(self.macs as f64),
            self.file.display()
        ))
    }
}

/// Whether the outputs for an image depend on the other images of its batch.
fn depends_on_batch(subnet: &Subnet) -> bool {
    subnet.live().steps.iter().any(|step| {
        let op = &subnet.graph.node(step.node).op;
        matches!(op, Op::BatchNorm { statistics: Statistics::Batch, .. })
    })
}

/// A parameter of the store, by its index.
fn parameter(store: &ParameterStore, index: usize) -> Result<(&str, &Tensor)> {
    let found = store.specs().get(index).zip(store.get(index));
    found
        .map(|(spec, tensor)| (spec.name.as_str(), tensor))
        .ok_or_else(|| Failure::new("a parameter is not there"))
}

fn safetensors(file: &Path, subnet: &Subnet, store: &ParameterStore) -> Result<()> {
    let named = nshot_export::live_parameters(&subnet.graph).into_iter().map(|index| {
        let (name, tensor) = parameter(store, index)?;
        Ok((name.to_owned(), tensor.shallow_clone()))
    });
    Ok(nshot_torch::write_tensors(file, &named.collect::<Result<Vec<_>>>()?)?)
}

fn torch_script(file: &Path, subnet: &Subnet, store: &ParameterStore) -> Result<()> {
    let script = nshot_export::torch_script(&subnet.graph)?;
    let attributes = script.attributes.iter().map(|attribute| {
        let (_, tensor) = parameter(store, attribute.parameter)?;
        Ok((attribute.identifier.as_str(), tensor, attribute.buffer))
    });
    Ok(nshot_torch::write_script(file, &script.source, &attributes.collect::<Result<Vec<_>>>()?)?)
}

fn onnx(
    file: &Path,
    experiment: &Experiment,
    text: &str,
    subnet: &Subnet,
    store: &ParameterStore,
) -> Result<()> {
    let mut values = Vec::new();
    for index in nshot_export::live_parameters(&subnet.graph) {
        let (_, tensor) = parameter(store, index)?;
        values.push((index, nshot_torch::read_values(tensor)?));
    }
    let parameters = values.iter().filter_map(|(index, values)| {
        let spec = store.specs().get(*index)?;
        let values = Values::Float64(values);
        Some(nshot_export::Parameter { name: &spec.name, shape: &spec.shape, values })
    });
    let parameters: Vec<_> = parameters.collect();
    let precision = match experiment.precision {
        Precision::Float32 => nshot_export::Precision::Float32,
        Precision::Float64 => nshot_export::Precision::Float64,
    };
    let metadata = [
        ("architecture", text),
        ("space", &experiment.space.identity().name),
        ("data", &experiment.manifest.data.name),
        ("nshot", env!("CARGO_PKG_VERSION")),
    ];
    let options = OnnxOptions { name: "subnet", precision, metadata: &metadata };
    write_atomically(file, &nshot_export::onnx(&subnet.graph, &parameters, &options)?)
}

/// The first batch that is ranked on, `image` `[N, C, H, W]` and `label` `[N]`, with the subnet's `logits`.
fn write_example(
    file: &Path,
    experiment: &Experiment,
    subnet: &Subnet,
    store: &ParameterStore,
) -> Result<()> {
    let batch = rank::batches(experiment)?.next();
    let batch = batch.ok_or_else(|| Failure::new("there are no images to rank on"))??;
    let (inputs, pass) = ([("image", &batch.image)], Pass::evaluation());
    let mut tensors = nshot_torch::forward(&subnet.graph, subnet.evaluation(), store, &inputs, pass)?;
    tensors.push(("image".to_owned(), batch.image));
    tensors.push(("label".to_owned(), batch.label));
    Ok(nshot_torch::write_tensors(file, &tensors)?)
}
