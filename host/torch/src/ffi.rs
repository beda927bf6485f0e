//! The C++ shim behind safe functions: pointers and error texts end here.
#![allow(unsafe_code)]

pub(crate) mod fused;

use std::ffi::{CStr, CString, c_char, c_void};

use tch::Tensor;
use tch::kind::Element;
use torch_sys::C_tensor;

/// The value of one argument of an operator.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// An optional argument left out.
    None,
    /// One tensor.
    Tensor(&'a Tensor),
    /// A list of tensors.
    Tensors(&'a [&'a Tensor]),
    /// Also where a float or a list of ints of known length is wanted.
    Int(i64),
    /// A float.
    Float(f64),
    /// A bool.
    Bool(bool),
    /// A list of ints.
    Ints(&'a [i64]),
    /// A list of floats.
    Floats(&'a [f64]),
    /// A list of bools.
    Bools(&'a [bool]),
    /// A text.
    Text(&'a str),
}

/// `nshot_argument` of the shim.
#[repr(C)]
struct RawArgument {
    name: *const c_char,
    kind: i32,
    integer: i64,
    real: f64,
    data: *const c_void,
    length: usize,
}

unsafe extern "C" {
    fn nshot_free(memory: *mut c_void);
    fn nshot_call(
        name: *const c_char,
        pure: i32,
        arguments: *const RawArgument,
        count: usize,
        outputs: *mut *mut *mut C_tensor,
        output_count: *mut usize,
    ) -> *mut c_char;
    fn nshot_clear_gradients(tensors: *const *const C_tensor, count: usize) -> *mut c_char;
    fn nshot_configure(threads: i32, cuda: i32) -> *mut c_char;
    fn nshot_load_cuda();
    fn nshot_save_script(
        path: *const c_char,
        source: *const c_char,
        names: *const *const c_char,
        tensors: *const *const C_tensor,
        buffers: *const i32,
        count: usize,
    ) -> *mut c_char;
    fn nshot_version() -> *const c_char;
    fn nshot_cpu_capability() -> *mut c_char;
    fn nshot_threads() -> i32;
}

/// A tensor of these values, made by the calling thread alone. libtorch's way fills it in parallel first, and where another
/// thread than the trainer's does that, it makes a second pool of threads, which takes the cores from the first.
pub(crate) fn tensor_of<T: Element>(values: &[T]) -> tch::Result<Tensor> {
    let tensor = Tensor::f_empty([values.len() as i64], (T::KIND, tch::Device::Cpu))?;
    // SAFETY: the tensor is new, has one dimension without gaps, and as many elements of this type as `values`.
    unsafe {
        std::ptr::copy_nonoverlapping(values.as_ptr(), tensor.data_ptr().cast::<T>(), values.len());
    }
    Ok(tensor)
}

/// Turns a returned text into an error and frees it.
fn check(text: *mut c_char) -> Result<(), String> {
    match take_text(text) {
        None => Ok(()),
        Some(message) => Err(message),
    }
}

fn take_text(text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the shim returns null or a NUL-terminated text that is ours to free.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        nshot_free(text.cast());
        Some(copy)
    }
}

/// Calls the operator `name`, with tensors by place and the other arguments by name. With `pure`, operators
/// that write into an argument are refused. Returns all tensors that it returns, lists flattened.
pub(crate) fn call(
    name: &str,
    pure: bool,
    by_place: &[Argument<'_>],
    by_name: &[(&str, Argument<'_>)],
) -> Result<Vec<Tensor>, String> {
    let operator = CString::new(name).map_err(|_| "its name holds a NUL character".to_owned())?;
    let names = by_name
        .iter()
        .map(|(name, _)| {
            CString::new(*name).map_err(|_| "an argument's name holds a NUL character".to_owned())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let all = || by_place.iter().chain(by_name.iter().map(|(_, argument)| argument));
    // Lists of pointers; these vectors live until the call is over.
    let lists: Vec<Vec<*const C_tensor>> = all()
        .map(|argument| match argument {
            Argument::Tensors(list) => list.iter().map(|tensor| tensor.as_ptr()).collect(),
            _ => Vec::new(),
        })
        .collect();
    let raw: Vec<RawArgument> = all()
        .zip(&lists)
        .enumerate()
        .map(|(i, (argument, list))| {
            let name = i.checked_sub(by_place.len()).map_or(std::ptr::null(), |i| names[i].as_ptr());
            raw(name, argument, list)
        })
        .collect();

    let mut outputs: *mut *mut C_tensor = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: all pointers in `raw` point into `names`, `lists` and the borrowed arguments, which outlive the
    // call; tch's tensors are non-null `at::Tensor*`; `RawArgument` has the layout of `nshot_argument`.
    check(unsafe {
        nshot_call(
            operator.as_ptr(),
            i32::from(pure),
            raw.as_ptr(),
            raw.len(),
            &raw mut outputs,
            &raw mut count,
        )
    })?;
    if outputs.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the shim returns `count` tensors that are ours, in an array that is ours to free.
    unsafe {
        let tensors =
            std::slice::from_raw_parts(outputs, count).iter().map(|&t| Tensor::from_ptr(t)).collect();
        nshot_free(outputs.cast());
        Ok(tensors)
    }
}

fn raw(name: *const c_char, argument: &Argument<'_>, list: &[*const C_tensor]) -> RawArgument {
    let mut raw = RawArgument { name, kind: 0, integer: 0, real: 0.0, data: std::ptr::null(), length: 0 };
    (raw.data, raw.length) = match *argument {
        Argument::Tensor(tensor) => (tensor.as_ptr().cast(), 1),
        Argument::Tensors(_) => (list.as_ptr().cast(), list.len()),
        Argument::Ints(values) => (values.as_ptr().cast(), values.len()),
        Argument::Floats(values) => (values.as_ptr().cast(), values.len()),
        Argument::Bools(values) => (values.as_ptr().cast(), values.len()),
        Argument::Text(text) => (text.as_ptr().cast(), text.len()),
        Argument::None | Argument::Int(_) | Argument::Float(_) | Argument::Bool(_) => (std::ptr::null(), 0),
    };
    raw.kind = match *argument {
        Argument::None => 0,
        Argument::Tensor(_) => 1,
        Argument::Tensors(_) => 2,
        Argument::Int(_) => 3,
        Argument::Float(_) => 4,
        Argument::Bool(_) => 5,
        Argument::Ints(_) => 6,
        Argument::Floats(_) => 7,
        Argument::Bools(_) => 8,
        Argument::Text(_) => 9,
    };
    match *argument {
        Argument::Int(value) => raw.integer = value,
        Argument::Bool(value) => raw.integer = i64::from(value),
        Argument::Float(value) => raw.real = value,
        _ => {}
    }
    raw
}

/// Takes the tensors' gradients away.
pub(crate) fn clear_gradients(tensors: &[&Tensor]) -> Result<(), String> {
    let pointers: Vec<_> = tensors.iter().map(|tensor| tensor.as_ptr()).collect();
    // SAFETY: non-null `at::Tensor*` that outlive the call.
    check(unsafe { nshot_clear_gradients(pointers.as_ptr(), pointers.len()) })
}

/// Settings of the process: threads, no dynamic teams, memory kept, deterministic kernels on CUDA.
pub(crate) fn configure(threads: i32, cuda: bool) -> Result<(), String> {
    // SAFETY: plain values.
    check(unsafe { nshot_configure(threads, i32::from(cuda)) })
}

/// Loads libtorch's CUDA library if it lies beside the others.
pub(crate) fn load_cuda() {
    // SAFETY: no arguments; loading runs the library's initialisers, as linking would.
    unsafe { nshot_load_cuda() }
}

/// Version of the libtorch that this was compiled against.
pub(crate) fn version() -> String {
    // SAFETY: a static NUL-terminated text.
    unsafe { CStr::from_ptr(nshot_version()).to_string_lossy().into_owned() }
}

/// The instruction set that ATen's CPU kernels use.
pub(crate) fn cpu_capability() -> String {
    // SAFETY: returns null or a text that is ours.
    take_text(unsafe { nshot_cpu_capability() }).unwrap_or_else(|| "unknown".to_owned())
}

/// Threads that operations on the CPU use.
pub(crate) fn threads() -> usize {
    // SAFETY: no arguments.
    usize::try_from(unsafe { nshot_threads() }).unwrap_or(0)
}

/// Saves a TorchScript module with the given source of its methods; each attribute is a name, its tensor, and whether it
/// is a buffer.
pub(crate) fn save_script(
    path: &str,
    source: &str,
    attributes: &[(&str, &Tensor, bool)],
) -> Result<(), String> {
    let text = |text: &str| CString::new(text).map_err(|_| format!("`{text}` holds a NUL"));
    let (path, source) = (text(path)?, text(source)?);
    let names = attributes.iter().map(|(name, ..)| text(name)).collect::<Result<Vec<_>, _>>()?;
    let pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let tensors: Vec<*const C_tensor> = attributes.iter().map(|(_, tensor, _)| tensor.as_ptr()).collect();
    let buffers: Vec<i32> = attributes.iter().map(|(.., buffer)| i32::from(*buffer)).collect();
    // SAFETY: all pointers are to NUL-terminated texts and live tensors, `count` of each, and outlive the call.
    check(unsafe {
        nshot_save_script(
            path.as_ptr(),
            source.as_ptr(),
            pointers.as_ptr(),
            tensors.as_ptr(),
            buffers.as_ptr(),
            attributes.len(),
        )
    })
}
