//! Reading of those `[data]` keys that take values of two types. Written by hand so that a wrong value
//! gets a message that says what was expected, which serde's untagged enums do not give.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::config::Portion;

/// Reads a count of images or the path of an index file.
pub(crate) fn deserialize_portion<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Portion>, D::Error> {
    deserializer.deserialize_any(PortionVisitor).map(Some)
}

struct PortionVisitor;

impl Visitor<'_> for PortionVisitor {
    type Value = Portion;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a number of images or the path of an index file")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Portion, E> {
        count(value).map(Portion::Count)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Portion, E> {
        Ok(Portion::Count(value as usize))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Portion, E> {
        Ok(Portion::File(value.into()))
    }
}

/// Reads one side or a pair of height and width.
pub(crate) fn deserialize_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[usize; 2]>, D::Error> {
    deserializer.deserialize_any(SizeVisitor).map(Some)
}

struct SizeVisitor;

impl<'de> Visitor<'de> for SizeVisitor {
    type Value = [usize; 2];

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("one side or [height, width] in pixels")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        count(value).map(|side| [side; 2])
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok([value as usize; 2])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut size = [0; 2];
        for (index, side) in size.iter_mut().enumerate() {
            *side = values.next_element()?.ok_or_else(|| A::Error::invalid_length(index, &self))?;
        }
        match values.next_element::<usize>()? {
            None => Ok(size),
            Some(_) => Err(A::Error::invalid_length(3, &self)),
        }
    }
}

fn count<E: Error>(value: i64) -> Result<usize, E> {
    usize::try_from(value).map_err(|_| E::custom(format!("found {value}, expected 0 or more")))
}
