//! The few names that a pickled numpy array needs, and what they make.

/// A numpy array of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its sides; empty for a single number.
    pub shape: Vec<usize>,
    /// Its numbers, row by row (the last side varies fastest), each little endian.
    pub data: Vec<u8>,
}

/// The type of an array's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// A byte that is 0 or 1.
    Bool,
    /// A signed integer of so many bytes: 1, 2, 4 or 8.
    Int(usize),
    /// An unsigned integer of so many bytes: 1, 2, 4 or 8.
    Uint(usize),
    /// A float of so many bytes: 2, 4 or 8.
    Float(usize),
}

impl Array {
    /// All numbers, as floats; none for those of half precision.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        let number = |bytes: &[u8]| {
            let mut all = [0; 8];
            all[..bytes.len()].copy_from_slice(bytes);
            let bits = u64::from_le_bytes(all);
            Some(match self.dtype {
                Dtype::Bool | Dtype::Uint(_) => bits as f64,
                Dtype::Int(size) => {
                    let unused = 64 - 8 * size as u32;
                    ((bits << unused) as i64 >> unused) as f64
                }
                Dtype::Float(8) => f64::from_bits(bits),
                Dtype::Float(4) => f64::from(f32::from_bits(bits as u32)),
                Dtype::Float(_) => return None,
            })
        };
        self.data.chunks_exact(self.dtype.size()).map(number).collect()
    }
}

impl Dtype {
    /// The bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Int(size) | Self::Uint(size) | Self::Float(size) => size,
        }
    }

    /// From numpy's short name, for example `u1`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "b1" => Some(Self::Bool),
            "i1" | "i2" | "i4" | "i8" => Some(Self::Int(usize::from(name.as_bytes()[1] - b'0'))),
            "u1" | "u2" | "u4" | "u8" => Some(Self::Uint(usize::from(name.as_bytes()[1] - b'0'))),
            "f2" | "f4" | "f8" => Some(Self::Float(usize::from(name.as_bytes()[1] - b'0'))),
            _ => None,
        }
    }
}

/// A name that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Makes an empty array, filled in afterwards.
    Reconstruct,
    /// The class of arrays, an argument of the former.
    NdArray,
    /// Makes the type of an array's numbers.
    Dtype,
    /// Makes a whole array, in protocol 5.
    FromBuffer,
    /// Makes bytes of Latin-1 text: how Python 3 writes bytes in protocol 2.
    Encode,
}

impl Known {
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Some(Self::Reconstruct),
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Some(Self::FromBuffer),
            ("numpy", "ndarray") => Some(Self::NdArray),
            ("numpy", "dtype") => Some(Self::Dtype),
            ("_codecs", "encode") => Some(Self::Encode),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reconstruct => "_reconstruct",
            Self::NdArray => "ndarray",
            Self::Dtype => "dtype",
            Self::FromBuffer => "_frombuffer",
            Self::Encode => "encode",
        }
    }
}

/// An array in the making: its numbers still as the pickle holds them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) big_endian: bool,
    /// Column by column: the first side varies fastest.
    pub(super) by_columns: bool,
}

impl Stored {
    /// The bytes of an array of `shape`, where they can be counted.
    pub(super) fn bytes(self, shape: &[usize]) -> Option<usize> {
        shape.iter().try_fold(self.dtype.size(), |product, &side| product.checked_mul(side))
    }

    /// The array of `shape` whose numbers are `data`, of [`Stored::bytes`], in this module's order.
    pub(super) fn array(self, shape: Vec<usize>, data: &[u8]) -> Array {
        let size = self.dtype.size();
        let mut data = if self.by_columns { by_rows(data, &shape, size) } else { data.to_vec() };
        if self.big_endian {
            data.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Array { dtype: self.dtype, shape, data }
    }
}

/// Numbers of `size` bytes that lie column by column, put row by row.
fn by_rows(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut strides = vec![size; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut result = Vec::with_capacity(data.len());
    let mut index = vec![0; shape.len()];
    while result.len() < data.len() {
        let from: usize = index.iter().zip(&strides).map(|(index, stride)| index * stride).sum();
        result.extend_from_slice(&data[from..from + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    result
}
