//! The bytes of a pickle, read from front to back, and the texts of protocol 0.

use super::Error;

/// A place in the bytes.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> Error {
        Error { at: self.at, problem: problem.into() }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Error> {
        if count > self.left() as u64 {
            let left = self.left();
            return Err(self.error(format!("it ends after {left} bytes, where {count} were expected")));
        }
        let taken = &self.bytes[self.at..][..count as usize];
        self.at += count as usize;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned little-endian number of `width` bytes, at most 8.
    pub(super) fn number(&mut self, width: u64) -> Result<u64, Error> {
        Ok(self.take(width)?.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// Bytes after their count, itself `width` bytes wide.
    pub(super) fn counted(&mut self, width: u64) -> Result<&'a [u8], Error> {
        let count = self.number(width)?;
        self.take(count)
    }

    /// The bytes up to the line's end, which is passed over.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| self.error("it ends within a line"))?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// A line that reads as a number.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, Error> {
        let line = self.line()?;
        let text = String::from_utf8_lossy(line);
        text.trim().parse().map_err(|_| self.error(format!("`{}` is no number", shown(&text))))
    }
}

/// At most 60 characters of a foreign text, for a message, nothing unprintable among them.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A two's complement number of any width, little endian, where it fits into 64 bits.
pub(super) fn integer(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let mut wide = [fill; 8];
    let (low, high) = bytes.split_at(bytes.len().min(8));
    wide[..low.len()].copy_from_slice(low);
    let value = i64::from_le_bytes(wide);
    (high.iter().all(|&byte| byte == fill) && (value < 0) == negative).then_some(value)
}

/// What a quoted text of protocol 0 (Python 2's `repr`) stands for.
pub(super) fn unquoted(line: &[u8]) -> Option<Vec<u8>> {
    let (&quote, rest) = line.split_first()?;
    let (&last, inner) = rest.split_last()?;
    if last != quote || !matches!(quote, b'\'' | b'"') {
        return None;
    }
    let mut result = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            result.push(byte);
            continue;
        }
        result.push(match bytes.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            &escaped @ (b'\\' | b'\'' | b'"') => escaped,
            _ => return None,
        });
    }
    Some(result)
}

/// What a text of protocol 0 (raw unicode escapes, otherwise Latin-1) stands for.
pub(super) fn unescaped(line: &[u8]) -> Option<String> {
    let mut result = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        if digits == 0 {
            result.push(char::from(byte));
            rest = after;
        } else {
            let code = std::str::from_utf8(after.get(1..=digits)?).ok()?;
            result.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
            rest = &after[digits + 1..];
        }
    }
    Some(result)
}
