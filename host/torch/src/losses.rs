//! Losses of a path, and the tally that ranks a subnet.

use tch::{Kind, Reduction, Tensor};

use crate::{Device, Result, TorchError, read_scalars};

/// Mean cross-entropy of logits `[N, K]` against labels `[N]` (int64), with label smoothing in `[0, 1]`.
///
/// # Errors
/// Shapes that do not fit.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor> {
    if !(0.0..=1.0).contains(&smoothing) {
        return Err(TorchError::invalid(format!("label smoothing is {smoothing}, expected 0 to 1")));
    }
    // -100: libtorch's mark for labels to leave out.
    Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, -100, smoothing)?)
}

/// Soft-target distillation (Hinton et al. 2015): `T² · KL(softmax(teacher/T) ‖ softmax(student/T))`, the mean
/// over the batch, for logits `[N, K]`. No gradient reaches the teacher.
///
/// # Errors
/// Unequal shapes, or a temperature that is not positive.
pub fn distillation(student: &Tensor, teacher: &Tensor, temperature: f64) -> Result<Tensor> {
    if !(temperature > 0.0 && temperature.is_finite()) {
        return Err(TorchError::invalid(format!("temperature is {temperature}, expected a positive number")));
    }
    same_shape(student, teacher)?;
    let log = |logits: &Tensor| logits.f_div_scalar(temperature)?.f_log_softmax(-1, None::<Kind>);
    let (student_log, teacher_log) = (log(student)?, log(&teacher.f_detach()?)?);
    let batch = student.size().first().copied().unwrap_or(1).max(1);
    let sum = student_log.f_kl_div(&teacher_log, Reduction::Sum, true)?;
    Ok(sum.f_mul_scalar(temperature * temperature / batch as f64)?)
}

/// Mean squared difference of two outputs of equal shape. No gradient reaches the target.
///
/// # Errors
/// Unequal shapes.
pub fn mean_squared_error(output: &Tensor, target: &Tensor) -> Result<Tensor> {
    same_shape(output, target)?;
    Ok(output.f_mse_loss(&target.f_detach()?, Reduction::Mean)?)
}

/// `Σ weight · term`, a scalar.
///
/// # Errors
/// No terms.
pub fn weighted_sum(terms: &[(Tensor, f64)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (term, weight) in terms {
        // A factor of one changes no bit; leaving it out saves two kernels.
        #[allow(clippy::float_cmp)]
        let scaled = if *weight == 1.0 { term.shallow_clone() } else { term.f_mul_scalar(*weight)? };
        sum = Some(match sum {
            None => scaled,
            Some(sum) => sum.f_add(&scaled)?,
        });
    }
    sum.ok_or_else(|| TorchError::invalid("a path has no loss"))
}

fn same_shape(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.size() == b.size() {
        return Ok(());
    }
    Err(TorchError::invalid(format!(
        "a loss compares outputs of equal shape, found {:?} and {:?}",
        a.size(),
        b.size()
    )))
}

/// Correct answers and summed negative log-likelihood over batches, kept on the device until read.
#[derive(Debug)]
pub struct Tally {
    correct: Tensor,
    likelihood: Tensor,
    images: u64,
}

/// What a [`Tally`] holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Images whose largest logit is their label's.
    pub correct: u64,
    /// Sum of the negative log-likelihoods, in nats.
    pub nll: f64,
    /// Images counted.
    pub images: u64,
}

impl Tally {
    /// Nothing counted.
    pub fn new(device: Device) -> Result<Tally> {
        Ok(Tally {
            correct: Tensor::f_zeros([], (Kind::Int64, device.tch()))?,
            likelihood: Tensor::f_zeros([], (Kind::Double, device.tch()))?,
            images: 0,
        })
    }

    /// Counts a batch: logits `[N, K]`, labels `[N]`.
    pub fn add(&mut self, logits: &Tensor, labels: &Tensor) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let hits = logits.f_argmax(-1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Int64)?;
        let nll = logits.f_to_kind(Kind::Double)?.f_cross_entropy_loss::<Tensor>(
            labels,
            None,
            Reduction::Sum,
            -100,
            0.0,
        )?;
        let _ = self.correct.f_add_(&hits)?;
        let _ = self.likelihood.f_add_(&nll)?;
        self.images += labels.numel() as u64;
        Ok(())
    }

    /// Reads the numbers; waits for the device.
    pub fn read(&self) -> Result<Score> {
        // Counts of images are whole in float64 as well.
        let numbers = read_scalars(&[self.correct.shallow_clone(), self.likelihood.shallow_clone()])?;
        Ok(Score { correct: numbers[0] as u64, nll: numbers[1], images: self.images })
    }
}
