//! What the file says of itself without being run: a framed JSON record in the section [`SECTION`].
//!
//! The frame is [`MAGIC`], the record's length (4 bytes, little endian), the record.

/// Name of the section.
pub const SECTION: &str = ".nshot";
/// First bytes of the section.
pub const MAGIC: [u8; 8] = *b"NSHOT\0\x01\n";
/// Bytes before the record.
pub const HEADER: usize = MAGIC.len() + 4;

/// A piece of a record that is made at compile time.
#[derive(Debug, Clone, Copy)]
pub enum Piece {
    /// Taken as it is: JSON syntax.
    Json(&'static str),
    /// The inside of a JSON string: taken with quotes, backslashes and control characters escaped.
    Text(&'static str),
}

/// Length in bytes of the framed record of these pieces.
pub const fn framed_len(pieces: &[Piece]) -> usize {
    write(pieces, [0; 0])
}

/// The framed record of these pieces; `N` is their [`framed_len`].
pub const fn frame<const N: usize>(pieces: &[Piece]) -> [u8; N] {
    let mut bytes = [0; N];
    fill(pieces, &mut bytes);
    bytes
}

const fn write(pieces: &[Piece], mut nothing: [u8; 0]) -> usize {
    fill(pieces, &mut nothing)
}

/// Writes as much as there is room for; returns the length of the whole.
const fn fill(pieces: &[Piece], bytes: &mut [u8]) -> usize {
    let mut at = HEADER;
    let mut index = 0;
    while index < pieces.len() {
        let (text, escaped) = match pieces[index] {
            Piece::Json(text) => (text.as_bytes(), false),
            Piece::Text(text) => (text.as_bytes(), true),
        };
        let mut from = 0;
        while from < text.len() {
            let byte = text[from];
            if escaped && byte < 0x20 {
                at = put(bytes, at, b' ');
            } else {
                if escaped && (byte == b'"' || byte == b'\\') {
                    at = put(bytes, at, b'\\');
                }
                at = put(bytes, at, byte);
            }
            from += 1;
        }
        index += 1;
    }
    let length = ((at - HEADER) as u32).to_le_bytes();
    let mut from = 0;
    while from < HEADER {
        put(bytes, from, if from < MAGIC.len() { MAGIC[from] } else { length[from - MAGIC.len()] });
        from += 1;
    }
    at
}

const fn put(bytes: &mut [u8], at: usize, byte: u8) -> usize {
    if at < bytes.len() {
        bytes[at] = byte;
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_and_escaped() {
        const PIECES: &[Piece] = &[Piece::Json("{\"a\":\""), Piece::Text("x\"\\\n"), Piece::Json("\"}")];
        const FRAMED: [u8; framed_len(PIECES)] = frame(PIECES);
        assert_eq!(FRAMED[..8], MAGIC);
        assert_eq!(u32::from_le_bytes([FRAMED[8], FRAMED[9], FRAMED[10], FRAMED[11]]), 14);
        assert_eq!(&FRAMED[HEADER..], br#"{"a":"x\"\\ "}"#);
    }
}
