//! Limits against a run of ten choices.

use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use nshot_abi::host::{self, Run_TO};
use nshot_abi::value::{AbiError, code};
use nshot_abi::{AbiResult, Value};

use super::*;
use crate::settings::parse;

/// Ten choices between 0 and 1; `macs` is the number of ones, `latency` 100 times that.
struct Bits;

fn no<T>() -> AbiResult<T> {
    RResult::RErr(AbiError::new(code::FAILED, "not asked for"))
}

impl host::Run for Bits {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }
    fn input_shape(&self) -> AbiResult<RVec<u64>> {
        no()
    }
    fn classes(&self) -> AbiResult<u64> {
        no()
    }
    fn choice_count(&self) -> u32 {
        10
    }
    fn choice_name(&self, _: u32) -> AbiResult<RString> {
        no()
    }
    fn choice_options(&self, _: u32) -> AbiResult<RVec<RString>> {
        no()
    }
    fn allowed(&self, _: u32) -> AbiResult<RVec<u32>> {
        RResult::ROk(vec![0, 1].into())
    }
    fn valid(&self, _: RSlice<'_, u32>) -> AbiResult<bool> {
        RResult::ROk(true)
    }
    fn extreme(&self, _: RStr<'_>, _: bool) -> AbiResult<RVec<u32>> {
        no()
    }
    fn measures(&self) -> AbiResult<RVec<RString>> {
        RResult::ROk(["macs", "latency"].map(RString::from).to_vec().into())
    }
    fn complexity(&self, architecture: RSlice<'_, u32>, measure: RStr<'_>) -> AbiResult<f64> {
        let ones = architecture.iter().sum::<u32>();
        RResult::ROk(f64::from(if measure.as_str() == "macs" { ones } else { 100 * ones }))
    }
    fn to_text(&self, _: RSlice<'_, u32>) -> AbiResult<RString> {
        no()
    }
    fn stage(&self) -> RString {
        RString::new()
    }
    fn total_steps(&self) -> u64 {
        1
    }
    fn steps_per_epoch(&self) -> u64 {
        1
    }
    fn split_choices(&self) -> AbiResult<RVec<u32>> {
        no()
    }
    fn separated_choices(&self) -> AbiResult<RVec<u32>> {
        no()
    }
    fn random_key(&self) -> u64 {
        7
    }
}

fn limits(json: &str) -> Limits {
    parse(json).unwrap()
}

#[test]
fn settings_are_read_and_written() {
    let both = limits(r#"{"macs": 330e6, "latency": [1, 2.5]}"#);
    assert_eq!(serde_json::to_string(&both).unwrap(), r#"{"latency":[1.0,2.5],"macs":330000000.0}"#);
    assert!(limits("{}").is_empty() && !both.is_empty());
}

#[test]
fn wrong_settings_are_named() {
    let error = |json| parse::<Limits>(json).unwrap_err().text().to_owned();
    for shape in [r#"{"macs": "few"}"#, r#"{"macs": [1]}"#, r#"{"macs": [1, 2, 3]}"#, r#"{"macs": null}"#] {
        assert!(error(shape).contains("expected the greatest value, as in `330e6`"), "{}", error(shape));
    }
    let order = error(r#"{"macs": [330, 300]}"#);
    assert!(order.contains("the limit of `macs` is [330, 300], expected numbers of at least 0"), "{order}");
    assert!(error(r#"{"macs": -1}"#).contains("is -1, expected"));
}

#[test]
fn an_unknown_measure_is_refused_with_the_known_ones() {
    let run = Run(Run_TO::from_ptr(&Bits, TD_Opaque));
    let error = limits(r#"{"energy": 5}"#).check(&run).unwrap_err();
    assert_eq!(error.text(), "`limits` has the unknown measure `energy`; this run has `macs`, `latency`");
    assert!(limits(r#"{"latency": 500}"#).check(&run).is_ok());
}

#[test]
fn limits_that_can_hardly_be_met_are_refused() {
    let run = Run(Run_TO::from_ptr(&Bits, TD_Opaque));
    // One in 1024 has no one, 11 in 1024 have at most one.
    let error = limits(r#"{"macs": 0}"#).check(&run).unwrap_err();
    assert_eq!(
        error.text(),
        "1 of 1000 architectures drawn uniformly meet the limits, expected at least 5: `macs` is limited to 0 and \
         was found from 0 to 9; widen `limits`"
    );
    assert!(limits(r#"{"macs": 1}"#).check(&run).is_ok());
    assert!(limits(r#"{"macs": 6, "latency": [600, 600]}"#).check(&run).is_ok());
    assert!(limits(r#"{"macs": 5, "latency": [600, 600]}"#).check(&run).is_err());
}

#[test]
fn draws_are_uniform_within_the_limits_and_unchanged_without() {
    let run = Run(Run_TO::from_ptr(&Bits, TD_Opaque));
    let free = Limits::default();
    for position in 0..50 {
        let (mut one, mut other) = (run.random(position), run.random(position));
        assert_eq!(free.uniform(&run, &mut one).unwrap(), run.uniform(&mut other).unwrap());
        assert_eq!(one.below(1 << 60), other.below(1 << 60));
    }
    let (single, mut random) = (limits(r#"{"macs": [1, 1]}"#), run.random(1));
    let mut counts = [0_u32; 10];
    for _ in 0..2000 {
        let drawn = single.uniform(&run, &mut random).unwrap();
        assert!(single.meets(&run, &drawn).unwrap() && drawn.iter().sum::<u32>() == 1);
        counts[drawn.iter().position(|&bit| bit == 1).unwrap()] += 1;
    }
    // Five standard deviations of a binomial with n = 2000, p = 0.1.
    assert!(counts.iter().all(|&n| n.abs_diff(200) < 67), "{counts:?}");
}
