//! Named attributes: what a host call takes beyond its fixed arguments.

use nshot_abi::abi_stable::std_types::RSlice;
use nshot_abi::{Attribute, Value as AbiValue};

/// A list of named attributes, as [`attributes!`](crate::attributes) makes it.
#[derive(Debug, Clone, Default)]
pub struct Attributes(pub(crate) Vec<Attribute>);

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one: a `bool`, `i64`, `f64`, `&str`, or a list of these.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl IntoAttribute) -> Self {
        self.0.push(Attribute { name: name.into(), value: value.into_attribute() });
        self
    }
}

/// No attributes, for the boundary.
pub(crate) fn none() -> RSlice<'static, Attribute> {
    RSlice::from_slice(&[])
}

/// Attributes by name.
///
/// ```
/// let attributes = nshot_sdk::attributes! { stride: 2, padding: [1, 1] };
/// ```
#[macro_export]
macro_rules! attributes {
    ($($name:ident : $value:expr),* $(,)?) => {
        $crate::Attributes::new()$(.with(stringify!($name), $value))*
    };
}

/// A type that can be the value of an attribute.
pub trait IntoAttribute {
    /// The value.
    fn into_attribute(self) -> AbiValue;
}

macro_rules! into_attribute {
    ($($from:ty => |$value:ident| $to:expr),* $(,)?) => {
        $(impl IntoAttribute for $from {
            fn into_attribute(self) -> AbiValue {
                let $value = self;
                $to
            }
        })*
    };
}

into_attribute! {
    AbiValue => |v| v,
    bool => |v| AbiValue::Bool(v),
    i32 => |v| AbiValue::Int(v.into()),
    u32 => |v| AbiValue::Int(v.into()),
    i64 => |v| AbiValue::Int(v),
    u64 => |v| AbiValue::Int(v as i64),
    usize => |v| AbiValue::Int(v as i64),
    f64 => |v| AbiValue::Float(v),
    &str => |v| AbiValue::Text(v.into()),
    &String => |v| AbiValue::Text(v.as_str().into()),
    String => |v| AbiValue::Text(v.into()),
    &[i64] => |v| AbiValue::Ints(v.to_vec().into()),
    Vec<i64> => |v| AbiValue::Ints(v.into()),
    &[f64] => |v| AbiValue::Floats(v.to_vec().into()),
    Vec<f64> => |v| AbiValue::Floats(v.into()),
    Vec<u32> => |v| AbiValue::Ints(v.into_iter().map(i64::from).collect()),
    Vec<u64> => |v| AbiValue::Ints(v.into_iter().map(|x| x as i64).collect()),
    Vec<String> => |v| AbiValue::Texts(v.into_iter().map(Into::into).collect()),
}

impl<const N: usize> IntoAttribute for [i32; N] {
    fn into_attribute(self) -> AbiValue {
        AbiValue::Ints(self.into_iter().map(i64::from).collect())
    }
}

impl<const N: usize> IntoAttribute for [i64; N] {
    fn into_attribute(self) -> AbiValue {
        AbiValue::Ints(self.to_vec().into())
    }
}

impl<const N: usize> IntoAttribute for [f64; N] {
    fn into_attribute(self) -> AbiValue {
        AbiValue::Floats(self.to_vec().into())
    }
}

impl<const N: usize> IntoAttribute for [u64; N] {
    fn into_attribute(self) -> AbiValue {
        self.to_vec().into_attribute()
    }
}
