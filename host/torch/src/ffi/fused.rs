//! The shim's fused passes and what tch lacks of gradients, behind safe functions.

use std::ffi::c_char;
use std::ptr::{null, null_mut};

use tch::Tensor;
use torch_sys::C_tensor;

use super::check;

/// How a sum is rectified; the shim's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rectifier {
    None = 0,
    Relu = 1,
    Relu6 = 2,
}

/// A batch norm of a term.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm<'a> {
    /// Weight and bias `[C]`.
    pub(crate) affine: Option<(&'a Tensor, &'a Tensor)>,
    /// Running mean and variance `[C]`: moved, or normalised with if `given`.
    pub(crate) running: Option<(&'a Tensor, &'a Tensor)>,
    pub(crate) given: bool,
    pub(crate) momentum: f64,
    pub(crate) eps: f64,
}

/// A term `[N, C, H, W]` of a sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term<'a> {
    pub(crate) x: &'a Tensor,
    pub(crate) norm: Option<Norm<'a>>,
}

/// What [`sum_forward`] makes.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) value: Option<Tensor>,
    pub(crate) rectified: Option<Tensor>,
    /// Per term, of a norm by the batch's statistics: mean and inverse deviation `[2, C]`.
    pub(crate) statistics: Vec<Option<Tensor>>,
}

/// Geometry of a convolution or pooling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) stride: [i64; 2],
    pub(crate) padding: [i64; 2],
    /// Of a convolution the dilation, of a pooling the kernel.
    pub(crate) other: [i64; 2],
}

/// `nshot_term` of the shim.
#[repr(C)]
struct RawTerm {
    x: *const C_tensor,
    weight: *const C_tensor,
    bias: *const C_tensor,
    mean: *const C_tensor,
    var: *const C_tensor,
    momentum: f64,
    eps: f64,
    norm: i32,
}

unsafe extern "C" {
    fn nshot_sum_forward(
        terms: *const RawTerm,
        count: usize,
        rectifier: i32,
        want_sum: i32,
        sum: *mut *mut C_tensor,
        rectified: *mut *mut C_tensor,
        statistics: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_gather(
        direct: *const *const C_tensor,
        direct_count: usize,
        masked: *const *const C_tensor,
        masked_count: usize,
        rectified: *const C_tensor,
        rectifier: i32,
        made: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_norm_backward(
        term: *const RawTerm,
        statistics: *const C_tensor,
        gradient: *const C_tensor,
        rectifier: i32,
        destination: *const C_tensor,
        weight: *mut *mut C_tensor,
        bias: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_average_pool(
        given: *const C_tensor,
        back: i32,
        kernel: *const i64,
        stride: *const i64,
        padding: *const i64,
        count_include_pad: i32,
        sizes: *const i64,
        made: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_convolution(
        input: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        stride: *const i64,
        padding: *const i64,
        dilation: *const i64,
        groups: i64,
        made: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_convolution_backward(
        gradient: *const C_tensor,
        input: *const C_tensor,
        weight: *const C_tensor,
        stride: *const i64,
        padding: *const i64,
        dilation: *const i64,
        groups: i64,
        wanted: *const i32,
        made: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_depthwise_weight(
        gradient: *const C_tensor,
        input: *const C_tensor,
        kernel: *const i64,
        stride: *const i64,
        padding: *const i64,
        dilation: *const i64,
        made: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_autograd(
        outputs: *const *const C_tensor,
        gradients: *const *const C_tensor,
        output_count: usize,
        inputs: *const *const C_tensor,
        input_count: usize,
        made: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nshot_accumulate(parameter: *const C_tensor, gradient: *const C_tensor) -> *mut c_char;
}

/// Sums terms of one shape in one pass, and rectifies the sum.
pub(crate) fn sum_forward(terms: &[Term<'_>], rectifier: Rectifier, want_sum: bool) -> Result<Sum, String> {
    let raw: Vec<RawTerm> = terms.iter().map(raw).collect();
    let (mut sum, mut rectified, mut statistics) = (null_mut(), null_mut(), vec![null_mut(); raw.len()]);
    if raw.is_empty() {
        return Err("a sum of no terms".to_owned());
    }
    // SAFETY: all tensors outlive the call; `statistics` has a place for each of the terms.
    check(unsafe {
        nshot_sum_forward(
            raw.as_ptr(),
            raw.len(),
            rectifier as i32,
            i32::from(want_sum),
            &raw mut sum,
            &raw mut rectified,
            statistics.as_mut_ptr(),
        )
    })?;
    Ok(Sum {
        value: taken(sum),
        rectified: taken(rectified),
        statistics: statistics.into_iter().map(taken).collect(),
    })
}

/// The gradient at a sum: of the sum itself, and of its rectified value.
pub(crate) fn gather(
    direct: &[&Tensor],
    masked: &[&Tensor],
    rectified: Option<&Tensor>,
    rectifier: Rectifier,
) -> Result<Tensor, String> {
    if direct.is_empty() && masked.is_empty() || rectified.is_none() && !masked.is_empty() {
        return Err("no gradient to gather".to_owned());
    }
    let (direct, masked) = (pointers(direct), pointers(masked));
    one(|made| {
        // SAFETY: live tensors, as many as the counts say; a mask where there are masked gradients.
        unsafe {
            nshot_gather(
                direct.as_ptr(),
                direct.len(),
                masked.as_ptr(),
                masked.len(),
                pointer(rectified),
                rectifier as i32,
                made,
            )
        }
    })
}

/// Writes the gradient of a norm's input into `destination`, which lies as `[N, H, W, C]` and may be `gradient`; returns
/// those of its weight and bias. With a rectifier, `gradient` is that of the rectified norm.
pub(crate) fn norm_backward(
    term: &Term<'_>,
    statistics: &Tensor,
    gradient: &Tensor,
    rectifier: Rectifier,
    destination: &Tensor,
) -> Result<[Option<Tensor>; 2], String> {
    let (raw, mut weight, mut bias) = (raw(term), null_mut(), null_mut());
    // SAFETY: live tensors; those made are ours.
    check(unsafe {
        nshot_norm_backward(
            &raw const raw,
            statistics.as_ptr(),
            gradient.as_ptr(),
            rectifier as i32,
            destination.as_ptr(),
            &raw mut weight,
            &raw mut bias,
        )
    })?;
    Ok([taken(weight), taken(bias)])
}

/// Average pooling (`window.other` is the kernel) to images of `sizes`; with `back` the gradient of the pooling's input
/// of these sizes.
pub(crate) fn average_pool(
    given: &Tensor,
    back: bool,
    window: Window,
    count_include_pad: bool,
    sizes: [i64; 2],
) -> Result<Tensor, String> {
    one(|made| {
        // SAFETY: a live tensor, and arrays of two numbers.
        unsafe {
            nshot_average_pool(
                given.as_ptr(),
                i32::from(back),
                window.other.as_ptr(),
                window.stride.as_ptr(),
                window.padding.as_ptr(),
                i32::from(count_include_pad),
                sizes.as_ptr(),
                made,
            )
        }
    })
}

/// A convolution of `[N, C, H, W]`.
pub(crate) fn convolution(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    window: Window,
    groups: i64,
) -> Result<Tensor, String> {
    one(|made| {
        // SAFETY: live tensors, and arrays of two numbers.
        unsafe {
            nshot_convolution(
                input.as_ptr(),
                weight.as_ptr(),
                pointer(bias),
                window.stride.as_ptr(),
                window.padding.as_ptr(),
                window.other.as_ptr(),
                groups,
                made,
            )
        }
    })
}

/// Gradients of a convolution's input, weight and bias, as far as `wanted`.
pub(crate) fn convolution_backward(
    gradient: &Tensor,
    input: &Tensor,
    weight: &Tensor,
    window: Window,
    groups: i64,
    wanted: [bool; 3],
) -> Result<[Option<Tensor>; 3], String> {
    let (wanted, mut made) = (wanted.map(i32::from), [null_mut(); 3]);
    // SAFETY: live tensors, arrays of two numbers, three places.
    check(unsafe {
        nshot_convolution_backward(
            gradient.as_ptr(),
            input.as_ptr(),
            weight.as_ptr(),
            window.stride.as_ptr(),
            window.padding.as_ptr(),
            window.other.as_ptr(),
            groups,
            wanted.as_ptr(),
            made.as_mut_ptr(),
        )
    })?;
    Ok(made.map(taken))
}

/// The gradient of the weight `[C, 1, kh, kw]` of a convolution that keeps channels apart.
pub(crate) fn depthwise_weight(
    gradient: &Tensor,
    input: &Tensor,
    kernel: [i64; 2],
    window: Window,
) -> Result<Tensor, String> {
    one(|made| {
        // SAFETY: live tensors, and arrays of two numbers.
        unsafe {
            nshot_depthwise_weight(
                gradient.as_ptr(),
                input.as_ptr(),
                kernel.as_ptr(),
                window.stride.as_ptr(),
                window.padding.as_ptr(),
                window.other.as_ptr(),
                made,
            )
        }
    })
}

/// Gradients of `outputs`, whose own are `gradients`, by `inputs`, as autograd recorded them.
pub(crate) fn autograd(
    outputs: &[&Tensor],
    gradients: &[&Tensor],
    inputs: &[&Tensor],
) -> Result<Vec<Option<Tensor>>, String> {
    if outputs.len() != gradients.len() {
        return Err("each output has one gradient".to_owned());
    }
    let mut made = vec![null_mut(); inputs.len()];
    let (outputs, gradients, inputs) = (pointers(outputs), pointers(gradients), pointers(inputs));
    // SAFETY: live tensors, as many as the counts say; a place for each input.
    check(unsafe {
        nshot_autograd(
            outputs.as_ptr(),
            gradients.as_ptr(),
            outputs.len(),
            inputs.as_ptr(),
            inputs.len(),
            made.as_mut_ptr(),
        )
    })?;
    Ok(made.into_iter().map(taken).collect())
}

/// Adds to a parameter's gradient; the first one becomes it.
pub(crate) fn accumulate(parameter: &Tensor, gradient: &Tensor) -> Result<(), String> {
    // SAFETY: live tensors.
    check(unsafe { nshot_accumulate(parameter.as_ptr(), gradient.as_ptr()) })
}

fn raw(term: &Term<'_>) -> RawTerm {
    let norm = term.norm;
    let affine = norm.and_then(|norm| norm.affine);
    let running = norm.and_then(|norm| norm.running);
    RawTerm {
        x: term.x.as_ptr(),
        weight: pointer(affine.map(|pair| pair.0)),
        bias: pointer(affine.map(|pair| pair.1)),
        mean: pointer(running.map(|pair| pair.0)),
        var: pointer(running.map(|pair| pair.1)),
        momentum: norm.map_or(0.0, |norm| norm.momentum),
        eps: norm.map_or(0.0, |norm| norm.eps),
        norm: norm.map_or(0, |norm| if norm.given { 2 } else { 1 }),
    }
}

fn pointer(tensor: Option<&Tensor>) -> *const C_tensor {
    tensor.map_or(null(), Tensor::as_ptr)
}

fn pointers(tensors: &[&Tensor]) -> Vec<*const C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr()).collect()
}

fn one(call: impl FnOnce(*mut *mut C_tensor) -> *mut c_char) -> Result<Tensor, String> {
    let mut made = null_mut();
    check(call(&raw mut made))?;
    taken(made).ok_or_else(|| "nothing was made".to_owned())
}

/// A tensor that the shim made.
fn taken(tensor: *mut C_tensor) -> Option<Tensor> {
    // SAFETY: the shim gives null or a tensor that is ours.
    (!tensor.is_null()).then(|| unsafe { Tensor::from_ptr(tensor) })
}
