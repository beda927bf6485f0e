//! Wraps an author's component for the boundary: a panic becomes an error that says where.
//!
//! A panic that left one of these methods would end the process, so every call, constructors and `drop`
//! included, is caught here.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use nshot_abi::abi_stable::std_types::{RResult, RSlice, RStr, RString, RVec};
use nshot_abi::component as abi;
use nshot_abi::host as h;
use nshot_abi::value::{AbiError, code};
use nshot_abi::{AbiResult, Attribute};

use crate::declare::Declare;
use crate::error::Result;
use crate::graph::Graph;
use crate::groups::{Paths, StateGroups};
use crate::optimizer::{Optimizer, Update};
use crate::run::Run;
use crate::sampler::{Outcomes, Plan, SampleContext, Sampler, Step};
use crate::scheduler::{LrScheduler, Progress, Subnet};
use crate::searcher::{Ask, Scored, Searcher};
use crate::space::SearchSpace;

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a method of the author's. A plugin has its own copy of the standard library, so the hook is its own too; panics
/// outside of such calls go to the hook that was there before.
pub(crate) fn guard<T>(call: impl FnOnce() -> Result<T>) -> AbiResult<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outside = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                return outside(info);
            }
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "a value that is not text".to_owned());
            let place =
                info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
            PANIC.set(Some(format!("panicked{place}: {text}")));
        }));
    });
    let before = GUARDED.replace(true);
    let ended = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(before);
    match ended {
        Ok(Ok(value)) => RResult::ROk(value),
        Ok(Err(error)) => RResult::RErr(error.0),
        Err(payload) => {
            // The payload's own drop may panic as well.
            std::mem::forget(payload);
            let text = PANIC.take().unwrap_or_else(|| "panicked".to_owned());
            RResult::RErr(AbiError::new(code::PANIC, text))
        }
    }
}

/// An author's component at the boundary.
pub(crate) struct Adapter<T>(ManuallyDrop<T>);

impl<T> Adapter<T> {
    pub(crate) fn new(component: T) -> Self {
        Self(ManuallyDrop::new(component))
    }
}

impl<T> Drop for Adapter<T> {
    fn drop(&mut self) {
        let component = &mut self.0;
        let dropped = guard(|| {
            // SAFETY: dropped once, here, and not used after.
            #[allow(unsafe_code)]
            unsafe {
                ManuallyDrop::drop(component);
            }
            Ok(())
        });
        if let RResult::RErr(error) = dropped {
            crate::log::warn(&format!("a component's `drop` {}", error.text));
        }
    }
}

/// The methods that every kind but the space has.
macro_rules! state_methods {
    () => {
        fn start(&mut self, run: h::RunRef<'_>) -> AbiResult<()> {
            guard(|| self.0.start(&Run(run)))
        }

        fn save(&self) -> AbiResult<RVec<u8>> {
            guard(|| self.0.save().map(Into::into))
        }

        fn load(&mut self, state: RSlice<'_, u8>) -> AbiResult<()> {
            guard(|| self.0.load(state.as_slice()))
        }
    };
}

impl<T: SearchSpace> abi::SearchSpace for Adapter<T> {
    fn declare(&self, to: h::DeclareMut<'_>) -> AbiResult<()> {
        guard(|| {
            let mut to = Declare(to);
            for choice in self.0.choices() {
                to.choice(&choice)?;
            }
            self.0.declare(&mut to)
        })
    }

    fn describe(&self, graph: h::GraphMut<'_>) -> AbiResult<()> {
        guard(|| self.0.describe(&mut Graph(graph)))
    }

    fn extreme(&self, measure: RStr<'_>, largest: bool) -> AbiResult<RVec<u32>> {
        guard(|| {
            let measure = measure.as_str();
            let both = if measure == "weights" { self.0.extremes() } else { self.0.extremes_by(measure) };
            Ok(if largest { both.1.into() } else { both.0.into() })
        })
    }

    fn valid(&self, architecture: RSlice<'_, u32>) -> AbiResult<bool> {
        guard(|| Ok(self.0.valid(architecture.as_slice())))
    }

    fn canonical(&self, architecture: RSlice<'_, u32>) -> AbiResult<RVec<u32>> {
        guard(|| self.0.canonical(architecture.as_slice()).map(Into::into))
    }

    fn to_text(&self, architecture: RSlice<'_, u32>) -> AbiResult<RString> {
        guard(|| self.0.to_text(architecture.as_slice()).map(Into::into))
    }

    fn from_text(&self, text: RStr<'_>) -> AbiResult<RVec<u32>> {
        guard(|| self.0.from_text(text.as_str()).map(Into::into))
    }
}

impl<T: Sampler> abi::Sampler for Adapter<T> {
    state_methods!();

    fn declare(&mut self, run: h::RunRef<'_>, to: h::DeclareMut<'_>) -> AbiResult<()> {
        guard(|| self.0.declare(&Run(run), &mut Declare(to)))
    }

    fn plan(&mut self, run: h::RunRef<'_>, plan: h::PlanMut<'_>) -> AbiResult<()> {
        guard(|| self.0.plan(&Run(run), &mut Plan(plan)))
    }

    fn sample(&mut self, at: h::SampleRef<'_>, step: h::StepMut<'_>) -> AbiResult<()> {
        guard(|| self.0.sample(&SampleContext(at), &mut Step(step)))
    }

    fn wants(&self) -> AbiResult<RVec<Attribute>> {
        guard(|| Ok(self.0.wants().attributes().0.into()))
    }

    fn observe(&mut self, outcomes: h::OutcomesRef<'_>) -> AbiResult<()> {
        guard(|| self.0.observe(&Outcomes(outcomes)))
    }
}

impl<T: LrScheduler> abi::LrScheduler for Adapter<T> {
    state_methods!();

    fn factor(&mut self, at: h::ProgressRef<'_>, subnet: h::SubnetRef<'_>) -> AbiResult<f64> {
        guard(|| self.0.factor(&Progress(at), &Subnet(subnet)))
    }
}

impl<T: Optimizer> abi::Optimizer for Adapter<T> {
    state_methods!();

    fn properties(&self) -> AbiResult<RVec<Attribute>> {
        let facts = crate::attributes! { gradient_scale_invariant: T::GRADIENT_SCALE_INVARIANT };
        RResult::ROk(facts.0.into())
    }

    fn step(&mut self, update: h::UpdateMut<'_>) -> AbiResult<()> {
        guard(|| self.0.step(&mut Update(update)))
    }
}

impl<T: StateGroups> abi::StateGroups for Adapter<T> {
    state_methods!();

    fn separate_by(&mut self, run: h::RunRef<'_>) -> AbiResult<RVec<u32>> {
        guard(|| self.0.separate_by(&Run(run)).map(Into::into))
    }

    fn group(&mut self, paths: h::PathsRef<'_>) -> AbiResult<u64> {
        guard(|| self.0.group(&Paths(paths)))
    }
}

impl<T: Searcher> abi::Searcher for Adapter<T> {
    state_methods!();

    fn ask(&mut self, ask: h::AskMut<'_>) -> AbiResult<()> {
        guard(|| self.0.ask(&mut Ask(ask)))
    }

    fn tell(&mut self, scored: h::ScoredRef<'_>) -> AbiResult<()> {
        guard(|| self.0.tell(&Scored(scored)))
    }
}
