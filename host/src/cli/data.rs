//! `nshot data`.

mod speed;

use nshot_data::{Availability, Available, available};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Lines};

/// Datasets: which there are, where they were looked for, and how fast they come.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    List(List),
    Speed(speed::Speed),
}

/// Lists the datasets: where each was looked for, and how to get it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot data list")]
pub(super) struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(command: &Command) -> Outcome {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Speed(arguments) => speed::main(arguments),
    }
}

fn list(list: &List) -> Outcome {
    let datasets = available();
    if list.json {
        output::print_json(&datasets.iter().map(to_json).collect::<Vec<_>>())?;
    } else {
        output::print(&datasets.iter().map(to_text).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(0)
}

fn to_json(dataset: &Available) -> Value {
    let (state, folder) = match &dataset.state {
        Availability::Embedded => ("embedded", None),
        Availability::Found(folder) => ("found", Some(folder)),
        Availability::Absent => ("absent", None),
        Availability::Given => ("given", None),
    };
    json!({
        "name": dataset.name, "description": dataset.description, "state": state, "folder": folder,
        "looked": dataset.looked, "how": dataset.how,
    })
}

fn to_text(dataset: &Available) -> String {
    let mut text = Lines::default();
    text.line(format_args!("{}: {}", dataset.name, dataset.description));
    match &dataset.state {
        Availability::Embedded => text.line("  here: in the program itself"),
        Availability::Found(folder) => text.line(format_args!("  here: {}", folder.display())),
        Availability::Given => text.line(format_args!("  {}", dataset.how)),
        Availability::Absent => {
            dataset.looked.iter().for_each(|folder| text.line(format_args!("  not in {}", folder.display())));
            text.line(format_args!("  to get it: {}", dataset.how));
        }
    }
    text.0
}

/// The datasets that a run can use now, and those that it cannot.
pub(super) fn here_and_absent() -> (Vec<&'static str>, Vec<Available>) {
    let (absent, here): (Vec<_>, Vec<_>) =
        available().into_iter().partition(|dataset| dataset.state == Availability::Absent);
    let here = here.iter().filter(|dataset| dataset.state != Availability::Given);
    (here.map(|dataset| dataset.name).collect(), absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_dataset_is_told_with_its_places() {
        let dataset = Available {
            name: "cifar10",
            description: "images",
            state: Availability::Absent,
            looked: vec!["/a".into(), "/b".into()],
            how: "unpack it",
        };
        assert_eq!(to_text(&dataset), "cifar10: images\n  not in /a\n  not in /b\n  to get it: unpack it\n");
        assert_eq!(to_json(&dataset)["state"], "absent");
    }

    #[test]
    fn digits_are_always_here() {
        let (here, _) = here_and_absent();
        assert!(here.contains(&"digits") && !here.contains(&"batches"));
    }
}
