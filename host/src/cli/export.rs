//! `nshot export`.

use std::path::PathBuf;

use nshot::execute::Ending;
use nshot::export::{self, Format};
use nshot::manifest::parse_override;

use super::Outcome;

/// Writes one subnet of a trained run, with its weights, to a file that other programs read.
///
/// Dead branches are left out. The file takes normalised images `[N, C, H, W]`; `--example` writes a batch of them with
/// the logits that belong to it, to check whatever reads the file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot export runs/first-run --arch '|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+\
    |skip_connect~0|none~1|avg_pool_3x3~2|' --format onnx --output subnet.onnx"
)]
pub(super) struct Arguments {
    /// The run directory.
    directory: PathBuf,
    /// The subnet, in any of the space's text forms.
    #[arg(long, value_name = "TEXT")]
    arch: String,
    /// The format.
    #[arg(long, value_enum)]
    format: FormatArgument,
    /// The file. Default: `subnet` with the format's ending.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    /// Also write a batch of images with its logits, as safetensors.
    #[arg(long, value_name = "FILE")]
    example: Option<PathBuf>,
    /// Another value for a key of `[rank]`, such as `rank.recalibrate=50`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    overrides: Vec<(String, String)>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FormatArgument {
    /// The parameters alone, under their names.
    Safetensors,
    /// For `torch.jit.load` of PyTorch.
    Torchscript,
    /// For ONNX Runtime and others.
    Onnx,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    let format = match arguments.format {
        FormatArgument::Safetensors => Format::Safetensors,
        FormatArgument::Torchscript => Format::TorchScript,
        FormatArgument::Onnx => Format::Onnx,
    };
    let options = export::Options {
        architecture: arguments.arch.clone(),
        format,
        output: arguments.output.clone(),
        force: arguments.force,
        example: arguments.example.clone(),
        overrides: arguments.overrides.clone(),
        json: arguments.json,
    };
    export::export(&arguments.directory, &options).map(Ending::exit_status)
}
