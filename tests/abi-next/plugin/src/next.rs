//! Samplers that each use one addition of ABI 1.1.

use nshot_sdk::prelude::*;

macro_rules! sampler {
    ($name:literal, $sampler:ident, |$at:ident, $step:ident| $sample:expr $(, $more:item)*) => {
        struct $sampler;

        impl Sampler for $sampler {
            type Settings = NoSettings;

            fn new(_: NoSettings) -> Result<Self> {
                Ok(Self)
            }

            fn sample(&mut self, $at: &SampleContext, $step: &mut Step) -> Result<()> {
                $sample
            }

            $($more)*
        }

        nshot_sdk::register!(sampler $name => $sampler);
    };
}

// A getter: the number of epochs, as an architecture.
sampler!("getter", Getter, |at, step| {
    let epochs = at.run().epochs()?;
    step.path(&[epochs as u32])?;
    Ok(())
});

// A method of the component: it is told that the stage has ended.
sampler!(
    "method",
    Method,
    |at, step| {
        step.path(&at.run().smallest("weights")?)?;
        Ok(())
    },
    fn end(&mut self, run: &Run) -> Result<()> {
        nshot_sdk::log::scalar("ended", run.total_steps() as f64)
    }
);

// A builder's attribute.
sampler!("attribute", Attribute, |at, step| {
    let path = step.path(&at.run().smallest("weights")?)?;
    step.loss(path, "cross_entropy", &attributes! { focus: 0.5 })
});

// An operation of the host: probes both architectures, takes the one with the larger loss.
sampler!("operation", Operation, |at, step| {
    let (small, large) = (at.run().smallest("weights")?, at.run().largest("weights")?);
    let smaller = at.probe(&small, "loss")? < at.probe(&large, "loss")?;
    step.path(if smaller { &large } else { &small })?;
    Ok(())
});
