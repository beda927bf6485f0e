//! Components that are called step by step: the same under one seed, restored as they were saved, of bounded memory.

use std::fmt::Debug;

use super::report::{Checks, Ended};
use crate::boundary::{Scalar, take_scalars};
use crate::component::Identity;
use crate::failure::{Failure, Result};
use crate::memory;

/// Steps of most checks.
const STEPS: u64 = 1000;
/// The step after which a state is saved: in the middle of most blocks.
const SAVED: u64 = 503;
/// Calls whose memory is watched, and those before them.
const CALLS: u64 = 10_000;
const WARM_UP: u64 = 2_000;
/// What each half of those calls may add, in bytes: less than 210 bytes a call.
const GROWTH: u64 = 1 << 20;
/// Longer values are cut in messages, in characters.
const SHOWN: usize = 160;

/// A component in a run, called as a run calls it.
pub(super) trait Drive: Sized {
    /// What a step gives.
    type Seen: PartialEq + Debug;
    /// The method that gives it.
    const METHOD: &'static str;
    /// What a step gave, in a message.
    fn show(seen: &Self::Seen) -> String {
        shown(seen)
    }
    /// Who it is.
    fn identity(&self) -> &Identity;
    /// A step; none if there is nothing left to do.
    fn step(&mut self, step: u64) -> Result<Option<Self::Seen>>;
    /// The component's state.
    fn save(&self) -> Result<Vec<u8>>;
    /// Restores the component's state, and takes what the host keeps from the one that was saved.
    fn restore(&mut self, state: &[u8], from: &Self) -> Result<()>;
}

/// The checks of all such components. `make` starts one in a run of so many steps.
pub(super) fn check<D: Drive>(checks: &mut Checks, make: impl Fn(u64) -> Result<D, Ended>) {
    checks.run(D::METHOD, || extremes(&make));
    checks.run("one seed, one result", || {
        let (mut one, mut other) = (make(STEPS)?, make(STEPS)?);
        let steps = compare(&mut one, &mut other, 0, "two components of the same settings and seed differ")?;
        Ok(format!("{steps} steps, twice"))
    });
    checks.run("saved and restored", || {
        let (mut whole, mut first) = (make(STEPS)?, make(STEPS)?);
        for step in 0..SAVED {
            seen(&mut whole, step)?;
            seen(&mut first, step)?;
        }
        let state = first.save()?;
        let mut second = make(STEPS)?;
        second.restore(&state, &first)?;
        let text =
            format!("after `save` at step {SAVED}, `start` and `load`, it does not go on as it would have");
        compare(&mut whole, &mut second, SAVED, &text)?;
        Ok(format!("after {SAVED} of {STEPS} steps, {} bytes", state.len()))
    });
    checks.run("memory", || {
        let mut driven = make(WARM_UP + CALLS)?;
        watch(D::METHOD, |call| seen(&mut driven, call).map(drop)).map_err(|text| named(&driven, &text))?
    });
}

/// The first and last step of runs of one step and of many.
fn extremes<D: Drive>(make: &impl Fn(u64) -> Result<D, Ended>) -> Result<String, Ended> {
    let mut asked = 0;
    for total in [1, 2, STEPS] {
        let mut driven = make(total)?;
        for step in 0..total {
            if seen(&mut driven, step)?.0.is_none() {
                break;
            }
            asked += 1;
        }
        driven.save()?;
    }
    Ok(format!("{asked} calls, in runs of 1 to {STEPS} steps"))
}

/// Both take the same steps to the end; returns how many there were.
fn compare<D: Drive>(expected: &mut D, found: &mut D, from: u64, what: &str) -> Result<u64, Ended> {
    for step in from..STEPS {
        let (wanted, got) = (seen(expected, step)?, seen(found, step)?);
        if wanted != got {
            let show = |seen: &Option<D::Seen>| seen.as_ref().map_or_else(|| "nothing".to_owned(), D::show);
            let text = if wanted.0 == got.0 {
                format!("the figures {}, expected {}", shown(&got.1), shown(&wanted.1))
            } else {
                format!("{}, expected {}", show(&got.0), show(&wanted.0))
            };
            return Err(named(found, &format!("{what}: step {step} gave {text}")).into());
        }
        if wanted.0.is_none() {
            return Ok(step - from);
        }
    }
    Ok(STEPS - from)
}

/// A step, with the figures that the component recorded in it.
fn seen<D: Drive>(driven: &mut D, step: u64) -> Result<(Option<D::Seen>, Vec<Scalar>)> {
    let seen = driven.step(step)?;
    Ok((seen, take_scalars()))
}

fn named<D: Drive>(driven: &D, text: &str) -> Failure {
    driven.identity().failure(D::METHOD, text)
}

/// A value in a message.
pub(super) fn shown(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let mut start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

/// Watches the memory over many calls: it must not grow in both halves of them. The outer error is that it grows, the
/// inner one that of a call, or that the system does not say.
pub(super) fn watch(
    method: &str,
    mut call: impl FnMut(u64) -> Result<()>,
) -> Result<Result<String, Ended>, String> {
    let mut sizes = Vec::new();
    for index in 0..=WARM_UP + CALLS {
        if index >= WARM_UP && (index - WARM_UP).is_multiple_of(CALLS / 2) {
            sizes.push(memory::resident().unwrap_or(0));
        }
        if index < WARM_UP + CALLS
            && let Err(failure) = call(index)
        {
            return Ok(Err(failure.into()));
        }
    }
    let [start, middle, end] = sizes[..] else { return Ok(Ok(String::new())) };
    if start == 0 {
        let failure = Failure::new("the system does not say how much memory the process has");
        return Ok(Err(Ended::NotRun(failure)));
    }
    if middle > start + GROWTH && end > middle + GROWTH {
        let each = (end - start) / CALLS;
        return Err(format!(
            "the memory grew by {} KiB over {CALLS} calls of `{method}`, {each} bytes a call, expected no growth after \
             the first {WARM_UP}",
            (end - start) >> 10
        ));
    }
    Ok(Ok(format!("no growth over {CALLS} calls")))
}
