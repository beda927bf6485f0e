//! Search spaces: the extremes and many random architectures, described, counted, and run in libtorch.

use nshot_torch::{Device, Gradients, HostBatch, ParameterStore, Pass, Precision};

use super::drive::{self, watch};
use super::ground::{self, Case};
use super::report::{Checks, Ended};
use crate::component::is_panic;
use crate::failure::{Failure, Result};
use crate::selection::{Architecture, Picked, Selection, Weighting};
use crate::space::{MEASURES, Space};

/// Random architectures that are described.
const ARCHITECTURES: usize = 200;
/// Those that libtorch runs; the extremes are among them.
const RUN: usize = 20;
/// Images of a pass.
const IMAGES: usize = 2;
/// Texts that are no architecture.
const TEXTS: [&str; 10] =
    ["", " ", "0", "-1", "|", "\0", "é", "[[[[[[[[", "999999999999999999999999", "a,b;c|d~e-f"];

pub(super) fn check(case: &Case, checks: &mut Checks) {
    let new = || case.resolved.space(&case.task());
    let made = new().and_then(|space| {
        let pool = ground::architectures(&space, &space.all_options(), ARCHITECTURES)?;
        Ok((space, pool))
    });
    let (space, pool) = match made {
        Ok(made) => made,
        Err(failure) => return checks.run("valid", || Err(failure.into())),
    };
    checks.run("choices and parameters", || declared(&space, &new()?));
    checks.run("extremes", || extremes(&space));
    checks.run("graphs", || graphs(&space, &pool));
    checks.run("describe is pure", || pure(&space, &new()?, &pool));
    checks.run("mixtures", || mixtures(&space));
    checks.run("canonical", || canonical(&space, &pool));
    checks.run("text", || text(&space, &pool));
    checks.run("values", || values(&space, &pool[..pool.len().min(RUN)]));
    checks.run("memory", || {
        let watched = watch("describe", |call| space.cost(&pool[call as usize % pool.len()]).map(drop));
        watched.map_err(|text| space.identity().failure("describe", &text))?
    });
}

fn declared(space: &Space, again: &Space) -> Result<String, Ended> {
    let wrong = |method: &str, what: &str| {
        let text = format!("two components of the same settings have different {what}");
        Ended::Failed(space.identity().failure(method, &text))
    };
    if space.choices() != again.choices() {
        return Err(wrong("choices", "choices"));
    }
    if !space.parameters().iter().eq(again.parameters().iter()) {
        return Err(wrong("declare", "parameters"));
    }
    Ok(format!("{} choices, {} parameters, twice", space.choices().len(), space.parameters().len()))
}

/// The extremes by each measure: in order.
fn extremes(space: &Space) -> Result<String, Ended> {
    for measure in MEASURES {
        let of = |largest| {
            let architecture = space.extreme(measure, largest)?;
            let cost = space.complexity(&architecture, measure);
            cost.map_err(|refusal| Failure::new(refusal.text())).map(|cost| (architecture, cost))
        };
        let ((small, least), (large, most)) = (of(false)?, of(true)?);
        if least > most {
            let text = format!(
                "by `{measure}` the smallest, {small:?}, has {least}, and the largest, {large:?}, {most}, expected no more"
            );
            return Err(space.identity().failure("extremes", &text).into());
        }
    }
    let steps = neighbours(space, false)? + neighbours(space, true)?;
    Ok(format!("by weights, params and MACs; none of {steps} neighbours by one option is beyond them"))
}

/// No architecture that differs from an extreme in one option has fewer weights than the smallest, or more than the
/// largest. Returns how many there are.
fn neighbours(space: &Space, largest: bool) -> Result<usize, Ended> {
    let extreme = space.extreme("weights", largest)?;
    let (limit, mut count) = (space.cost(&extreme)?.weights, 0);
    for (choice, options) in space.all_options().iter().enumerate() {
        for &option in options.iter().filter(|option| **option != extreme[choice]) {
            let mut other = extreme.clone();
            other[choice] = option;
            if !space.valid(&other)? {
                continue;
            }
            let weights = space.cost(&other)?.weights;
            if (weights > limit) == largest && weights != limit {
                let (which, than) = if largest { ("largest", "more") } else { ("smallest", "fewer") };
                let text = format!(
                    "the {which}, {extreme:?}, has {limit} weights, but {other:?} has {weights}, {than} than it"
                );
                return Err(space.identity().failure("extremes", &text).into());
            }
            count += 1;
        }
    }
    Ok(count)
}

/// Each is described, within the extremes, with costs that agree with its parameters.
fn graphs(space: &Space, pool: &[Architecture]) -> Result<String, Ended> {
    let least = space.cost(&space.extreme("weights", false)?)?.weights;
    let most = space.cost(&space.extreme("weights", true)?)?.weights;
    for architecture in pool {
        let subnet = space.subnet(&Selection::of(architecture))?;
        let cost = subnet.cost;
        let wrong = |method: &str, text: String| {
            let text = format!("{text}, of the architecture {architecture:?}");
            Err(Ended::Failed(space.identity().failure(method, &text)))
        };
        if space.cost(architecture)? != cost {
            return wrong("describe", format!("described twice, the costs differ: {cost:?}"));
        }
        let specs = subnet.reached.iter().filter_map(|&index| space.parameters().get(index));
        let counted = specs.filter(|spec| spec.role.counts());
        let reached: u64 = counted.map(nshot_graph::ParameterSpec::elements).sum();
        let aten = subnet.graph.nodes().iter().any(|node| matches!(node.op, nshot_graph::Op::Aten { .. }));
        if !aten && (cost.weights > cost.params || cost.params > reached) {
            let (weights, params) = (cost.weights, cost.params);
            return wrong(
                "describe",
                format!(
                    "{weights} weights and {params} params, expected at most the {reached} that it reaches"
                ),
            );
        }
        if !(least..=most).contains(&cost.weights) {
            let weights = cost.weights;
            return wrong(
                "extremes",
                format!("{weights} weights, expected {least} to {most} as of the extremes"),
            );
        }
    }
    Ok(format!("of the extremes and {} random architectures", pool.len()))
}

/// The same graph again, of another component, in another order, and from several threads.
fn pure(space: &Space, again: &Space, pool: &[Architecture]) -> Result<String, Ended> {
    let fingerprints = |space: &Space, reverse: bool| -> Result<Vec<_>> {
        let one = |architecture: &Architecture| {
            Ok(space.describe(&Selection::of(architecture))?.graph.fingerprint())
        };
        if reverse {
            let mut found: Vec<_> = pool.iter().rev().map(one).collect::<Result<_>>()?;
            found.reverse();
            return Ok(found);
        }
        pool.iter().map(one).collect()
    };
    let expected = fingerprints(space, false)?;
    let threads = std::thread::scope(|scope| {
        let threads = [0, 1].map(|_| scope.spawn(|| fingerprints(space, true)));
        threads
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Failure::new("a thread of the check failed"))))
    });
    let threads = threads.into_iter().map(|found| ("from two threads", found));
    for (how, found) in std::iter::once(("again", fingerprints(again, true))).chain(threads) {
        let found = found?;
        if let Some(index) = (0..pool.len()).find(|&index| found[index] != expected[index]) {
            let text = format!(
                "the architecture {:?}, described {how}, has another graph, expected the same: `describe` depends on \
                 nothing but settings, task and selection",
                pool[index]
            );
            return Err(space.identity().failure("describe", &text).into());
        }
    }
    Ok(format!("{} architectures, in another order, and from two threads", pool.len()))
}

/// Several options of each choice at once: a graph or an error, as the space can.
fn mixtures(space: &Space) -> Result<String, Ended> {
    let pick = |options: &Vec<u32>, weighted: bool| {
        let weights = options.iter().map(|option| (0.5 / (1.0 + f64::from(*option))).to_bits()).collect();
        let weighting = if weighted { Weighting::Fixed(weights) } else { Weighting::Plain };
        Picked { options: options.clone(), weighting }
    };
    let mut described = 0;
    for weighted in [false, true] {
        let selection =
            Selection(space.all_options().iter().map(|options| pick(options, weighted)).collect());
        match space.subnet(&selection) {
            Err(failure) if is_panic(&failure) => {
                return Err(failure.context("with all options of each choice at once").into());
            }
            Err(_) => {}
            Ok(_) => described += 1,
        }
    }
    Ok(if described == 2 { "all options at once, plain and weighted" } else { "refused without a panic" }
        .to_owned())
}

fn canonical(space: &Space, pool: &[Architecture]) -> Result<String, Ended> {
    let mut different = 0;
    for architecture in pool {
        let once = space.canonical(architecture)?;
        let wrong = |text: String| {
            let text = format!("{text}, of the architecture {architecture:?}");
            Err(Ended::Failed(space.identity().failure("canonical", &text)))
        };
        if !space.valid(&once)? {
            return wrong(format!("{once:?} came back, expected a valid architecture"));
        }
        let twice = space.canonical(&once)?;
        if twice != once {
            return wrong(format!(
                "of {once:?} it gave {twice:?}, expected the same again: it is to be idempotent"
            ));
        }
        space.subnet(&Selection::of(&once))?;
        different += usize::from(once != *architecture);
    }
    Ok(format!("idempotent; {different} of {} are others' twins", pool.len()))
}

fn text(space: &Space, pool: &[Architecture]) -> Result<String, Ended> {
    for architecture in pool {
        let text = space.to_text(architecture)?;
        let back = space.parse(&text)?;
        if back != *architecture {
            let text =
                format!("`{text}`, the text of {architecture:?}, was read as {back:?}, expected the same");
            return Err(space.identity().failure("from_text", &text).into());
        }
    }
    let long = "|".repeat(10_000);
    for text in TEXTS.iter().copied().chain([long.as_str()]) {
        match space.parse(text) {
            Err(failure) if is_panic(&failure) => {
                return Err(failure.context(&format!("reading the text {}", drive::shown(&text))).into());
            }
            _ => {}
        }
    }
    Ok(format!("{} read back, {} odd ones without a panic", pool.len(), TEXTS.len() + 1))
}

/// Libtorch runs them: outputs of the shapes that the graphs say, finite, with finite gradients.
fn values(space: &Space, pool: &[Architecture]) -> Result<String, Ended> {
    nshot_torch::initialise(1)?;
    let mut store = ParameterStore::new(space.parameters(), Device::parse("cpu")?, Precision::Float32)?;
    store.initialise(0)?;
    let [c, h, w] = space.task().input_shape.map(|size| size as usize);
    let mut stream = ground::random(2);
    let pixels: Vec<f32> = (0..IMAGES * c * h * w).map(|_| stream.f64() as f32 * 2.0 - 1.0).collect();
    let batch = HostBatch::new(&pixels, &[0; IMAGES], [IMAGES, c, h, w], false, store.device())?;
    let (image, labels) = batch.upload(store.device(), store.precision())?;
    let progress = nshot_torch::scalar(0.5, store.device(), store.precision())?;
    let inputs = [("image", &image), ("progress", &progress)];
    let training = Pass { training: true, ..Pass::evaluation() };
    for (index, architecture) in pool.iter().enumerate() {
        let subnet = space.subnet(&Selection::of(architecture))?;
        let wrong = |text: String| {
            let text = format!("{text}, of the architecture {architecture:?}");
            Ended::Failed(space.identity().failure("describe", &text))
        };
        let plans = [(subnet.evaluation(), Pass::evaluation()), (subnet.training(), training)];
        for (plan, pass) in plans {
            let outputs = nshot_torch::forward(&subnet.graph, plan, &store, &inputs, pass)
                .map_err(|error| wrong(error.to_string()))?;
            for (name, output) in &outputs {
                let declared = subnet.graph.outputs().iter().find(|(known, _)| known == name);
                let declared = declared.map(|(_, value)| subnet.graph.node(*value).shape.clone());
                let shape = declared.unwrap_or_default();
                let fits = |(found, expected): (&i64, &i64)| {
                    if *expected < 0 { *found == -expected * IMAGES as i64 } else { found == expected }
                };
                let size = output.size();
                if size.len() != shape.len() || !size.iter().zip(&shape).all(fits) {
                    let expected = nshot_graph::ShowShape(&shape);
                    return Err(wrong(format!(
                        "libtorch gives the output `{name}` the shape {size:?} for {IMAGES} images, expected {expected}"
                    )));
                }
                if nshot_torch::read_values(output)?.iter().any(|value| !value.is_finite()) {
                    return Err(wrong(format!("the output `{name}` is not finite")));
                }
            }
            // Gradients of the extremes and a few more.
            if pass.training && index < 6 {
                let recorded = nshot_torch::record(&subnet.graph, plan, &store, &inputs, pass)
                    .map_err(|error| wrong(error.to_string()))?;
                let logits = recorded.outputs().iter().find(|(name, _)| name == "logits");
                let Some((_, logits)) = logits else { continue };
                let loss = nshot_torch::cross_entropy(logits, &labels, 0.0)?;
                recorded.backward(&loss).map_err(|error| wrong(error.to_string()))?;
                let norm = Gradients::collect(&store, &subnet.reached)?.norm()?;
                let norm = nshot_torch::read_scalars(&[norm])?[0];
                store.clear_gradients()?;
                if !norm.is_finite() {
                    return Err(wrong(format!(
                        "the norm of the gradients is {norm}, expected a finite number"
                    )));
                }
            }
        }
    }
    Ok(format!("of {} architectures in libtorch, finite, of the shapes described", pool.len()))
}
