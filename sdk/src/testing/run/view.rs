//! The run as a component sees it.

use nshot_abi::AbiResult;
use nshot_abi::Value;
use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use nshot_abi::host::{self, Run_TO};

use super::TestRun;
use crate::adapter::guard;
use crate::testing::ground::{at, check};
use crate::testing::path::Path;

impl TestRun {
    /// The run, for one call.
    pub(crate) fn view(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self, TD_Opaque)
    }
}

impl host::Run for TestRun {
    fn attribute(&self, name: RStr<'_>) -> ROption<Value> {
        TestRun::attribute(self, name.as_str()).into()
    }

    fn input_shape(&self) -> AbiResult<RVec<u64>> {
        AbiResult::ROk(self.task().input_shape.to_vec().into())
    }

    fn classes(&self) -> AbiResult<u64> {
        AbiResult::ROk(self.task().classes)
    }

    fn choice_count(&self) -> u32 {
        self.ground.choices().len() as u32
    }

    fn choice_name(&self, choice: u32) -> AbiResult<RString> {
        guard(|| at(self.ground.choices(), choice).map(|choice| choice.name.as_str().into()))
    }

    fn choice_options(&self, choice: u32) -> AbiResult<RVec<RString>> {
        guard(|| {
            let choice = at(self.ground.choices(), choice)?;
            Ok(choice.options.iter().map(|option| option.as_str().into()).collect())
        })
    }

    fn allowed(&self, choice: u32) -> AbiResult<RVec<u32>> {
        guard(|| {
            at(self.ground.choices(), choice)?;
            Ok(self.allowed[choice as usize].clone().into())
        })
    }

    fn valid(&self, architecture: RSlice<'_, u32>) -> AbiResult<bool> {
        guard(|| {
            let architecture = architecture.as_slice();
            if check(self.ground.choices(), architecture).is_err() {
                return Ok(false);
            }
            let mut each = architecture.iter().zip(&self.allowed);
            Ok(each.all(|(option, allowed)| allowed.contains(option)) && self.in_space(architecture)?)
        })
    }

    fn extreme(&self, measure: RStr<'_>, largest: bool) -> AbiResult<RVec<u32>> {
        guard(|| TestRun::extreme(self, measure.as_str(), largest).map(Into::into))
    }

    fn measures(&self) -> AbiResult<RVec<RString>> {
        AbiResult::ROk(TestRun::measures(self).into_iter().map(RString::from).collect())
    }

    fn complexity(&self, architecture: RSlice<'_, u32>, measure: RStr<'_>) -> AbiResult<f64> {
        guard(|| {
            check(self.ground.choices(), architecture.as_slice())?;
            TestRun::complexity(self, &Path::of(architecture.as_slice()), measure.as_str())
        })
    }

    fn to_text(&self, architecture: RSlice<'_, u32>) -> AbiResult<RString> {
        guard(|| {
            check(self.ground.choices(), architecture.as_slice())?;
            self.ground.to_text(architecture.as_slice()).map(Into::into)
        })
    }

    fn stage(&self) -> RString {
        self.stage.as_str().into()
    }

    fn total_steps(&self) -> u64 {
        self.total_steps
    }

    fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }

    fn split_choices(&self) -> AbiResult<RVec<u32>> {
        AbiResult::ROk(self.split.clone().into())
    }

    fn separated_choices(&self) -> AbiResult<RVec<u32>> {
        AbiResult::ROk(self.separated.clone().into())
    }

    fn random_key(&self) -> u64 {
        self.seed
    }
}
