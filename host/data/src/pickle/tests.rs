//! Pickles written by Python, hostile ones, and damaged ones.

use super::*;
use crate::random::Stream;

/// Written by Python 3.11 with numpy 2.4, `pickle.dumps(value, protocol)` for each protocol: `batch` is
/// `{'data': numpy.arange(12, dtype='u1').reshape(2, 6), 'labels': [1, 120, -3, 70000, 2**40]}`.
const BATCH: [&[u8]; 6] = [
    include_bytes!("fixtures/batch-0.pkl"),
    include_bytes!("fixtures/batch-1.pkl"),
    include_bytes!("fixtures/batch-2.pkl"),
    include_bytes!("fixtures/batch-3.pkl"),
    include_bytes!("fixtures/batch-4.pkl"),
    include_bytes!("fixtures/batch-5.pkl"),
];
/// A list of every plain kind, see [`plain_values`].
const PLAIN: [&[u8]; 6] = [
    include_bytes!("fixtures/plain-0.pkl"),
    include_bytes!("fixtures/plain-1.pkl"),
    include_bytes!("fixtures/plain-2.pkl"),
    include_bytes!("fixtures/plain-3.pkl"),
    include_bytes!("fixtures/plain-4.pkl"),
    include_bytes!("fixtures/plain-5.pkl"),
];
/// `numpy.asfortranarray(numpy.arange(6, dtype='>i2').reshape(2, 3))`, protocols 2 and 5.
const COLUMNS: [&[u8]; 2] =
    [include_bytes!("fixtures/columns-2.pkl"), include_bytes!("fixtures/columns-5.pkl")];

fn written() -> impl Iterator<Item = &'static [u8]> {
    BATCH.into_iter().chain(PLAIN).chain(COLUMNS)
}

fn plain_values() -> Vec<Value> {
    let text = Value::Str("a\n\u{e4}\u{20ac}\u{1f600}\\".to_owned());
    let ints = |numbers: &[i64]| numbers.iter().copied().map(Value::Int).collect::<Vec<_>>();
    let mut values = vec![Value::None, Value::Bool(true), Value::Bool(false)];
    values.extend(ints(&[1, -1, 255, 256, -129, 1 << 31, i64::MIN]));
    values.extend([Value::Float(2.5), text.clone(), Value::Bytes(vec![0, 255])]);
    values.extend((0..5).map(|count| Value::Tuple(ints(&[1, 2, 3, 4][..count]))));
    let pair = (Value::Str("k".to_owned()), Value::List(ints(&[1])));
    values.extend([Value::Dict(Vec::new()), Value::Dict(vec![pair])]);
    values.extend([Value::List(vec![Value::List(Vec::new())]), text]);
    values
}

fn refused(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn arrays_give_their_numbers() {
    let numbers = |dtype: Dtype, data: &[u8]| {
        Array { dtype, shape: vec![data.len() / dtype.size()], data: data.to_vec() }.numbers()
    };
    assert_eq!(numbers(Dtype::Float(8), &(-0.5f64).to_le_bytes()), Some(vec![-0.5]));
    assert_eq!(numbers(Dtype::Float(4), &93.25f32.to_le_bytes()), Some(vec![93.25]));
    assert_eq!(numbers(Dtype::Int(2), &[0xfe, 0xff, 1, 0]), Some(vec![-2.0, 1.0]));
    assert_eq!(numbers(Dtype::Uint(1), &[255, 3]), Some(vec![255.0, 3.0]));
    assert_eq!(numbers(Dtype::Float(2), &[0, 0]), None);
    let array = read(BATCH[4]).unwrap().get("data").cloned().unwrap();
    assert_eq!(array.numbers(), None, "it has two dimensions");
}

#[test]
fn every_protocol_of_python_is_read() {
    for (protocol, bytes) in BATCH.into_iter().enumerate() {
        let value = read(bytes).unwrap_or_else(|error| panic!("protocol {protocol}: {error}"));
        let data = Array { dtype: Dtype::Uint(1), shape: vec![2, 6], data: (0..12).collect() };
        assert_eq!(value.get("data"), Some(&Value::Array(data)), "protocol {protocol}");
        let labels = [1, 120, -3, 70_000, 1 << 40].map(Value::Int);
        assert_eq!(value.get("labels").unwrap().items(), Some(&labels[..]), "protocol {protocol}");
        assert_eq!(value.get("other"), None);
    }
    for (protocol, bytes) in PLAIN.into_iter().enumerate() {
        assert_eq!(read(bytes).unwrap(), Value::List(plain_values()), "protocol {protocol}");
    }
}

#[test]
fn arrays_by_columns_and_big_endian_come_by_rows_and_little_endian() {
    for bytes in COLUMNS {
        let Value::Array(array) = read(bytes).unwrap() else { panic!("expected an array") };
        assert_eq!((array.dtype, &array.shape[..]), (Dtype::Int(2), &[2, 3][..]));
        assert_eq!(array.data, [0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
    }
}

/// As Python 2 wrote the published batches: keys and numbers as texts of bytes.
#[test]
fn texts_of_python_2_are_bytes_and_found_as_keys() {
    let bytes = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x07K\x08eU\x04dataq\x04\
        cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87R\
        (K\x01K\x01K\x02\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff\
        J\xff\xff\xff\xffK\x00tb\x89U\x02\x05\x06tbu.";
    let value = read(bytes).unwrap();
    assert_eq!(value.get("labels").unwrap().items().unwrap(), [Value::Int(7), Value::Int(8)]);
    let Some(Value::Array(array)) = value.get("data") else { panic!("expected an array") };
    assert_eq!((&array.shape[..], &array.data[..]), (&[1, 2][..], &[5, 6][..]));
    assert_eq!(read(b"S'a\\x41\\'\\n'\np0\n.").unwrap(), Value::Bytes(b"aA'\n".to_vec()));
    assert_eq!(value.get("labels").map(Value::kind), Some("a list"));
    assert_eq!(read(b"(lp0\nF1.5\naI01\na.").unwrap().items().unwrap()[1].number(), Some(1.0));
}

#[test]
fn every_other_name_is_refused_by_name() {
    for (bytes, name) in [
        (&b"cos\nsystem\n(S'true'\ntR."[..], "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "builtins.eval"),
        (b"c__builtin__\nbytearray\n)R.", "__builtin__.bytearray"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cnumpy.core.multiarray\nscalar\n.", "numpy.core.multiarray.scalar"),
        (b"c_codecs\ndecode\n.", "_codecs.decode"),
        (b"cnumpy\nndarray\n)\x81.", "an object of a class"),
        (b"(cnumpy\nndarray\no.", "an object of a class"),
        (b"\x82\x01.", "a registered extension"),
        (b"Pname\n.", "a persistent object"),
        (b"NQ.", "a persistent object"),
        (b"\x8f.", "a set"),
        (b"\x97.", "a buffer outside of it"),
    ] {
        let message = refused(bytes);
        let expected =
            format!("refused: the pickle names `{name}`; only plain arrays, lists and dicts are read");
        assert!(message.contains(&expected), "{message}");
    }
    let bell = refused(b"cos\x07\nsystem\x1b[2J\n.");
    assert!(!bell.contains(['\x07', '\x1b']), "{bell:?}");
}

#[test]
fn arrays_of_other_things_and_sizes_are_refused() {
    let array = |dtype: &str, sides: &str, data: &str| {
        let text = format!(
            "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n({sides}tcnumpy\ndtype\n\
             (S'{dtype}'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'{data}'\ntb."
        );
        read(text.as_bytes()).map_err(|error| error.to_string())
    };
    assert!(array("u1", "I2\n", "ab").is_ok());
    for (dtype, sides, data, problem) in [
        ("O8", "I1\n", "abcdefgh", "refused: an array of `O8`"),
        ("V8", "I1\n", "abcdefgh", "refused: an array of `V8`"),
        ("u1", "I3\n", "ab", "an array of [3] Uint(1) with 2 bytes"),
        ("u1", "I-2\n", "ab", "no size"),
        ("u8", "I9223372036854775807\nI9223372036854775807\n", "", "with 0 bytes"),
    ] {
        let message = array(dtype, sides, data).unwrap_err();
        assert!(message.contains(problem), "{message}");
    }
    assert!(array("u1", &"I1\n".repeat(65), "a").unwrap_err().contains("65 sides"));
    assert!(
        refused(b"cnumpy.core.multiarray\n_reconstruct\n)R.").contains("`_reconstruct` is called with other")
    );
    assert!(refused(b"cnumpy\nndarray\n.").contains("a name of numpy as a value"));
    assert!(refused(b"]I1\nb.").contains("arguments that are no tuple"));
}

#[test]
fn growth_and_depth_are_limited() {
    // Each list holds the one before ten times.
    let mut bomb = b"\x80\x02]q\x00".to_vec();
    for level in 0..30_u8 {
        bomb.extend([b']', b'q', level + 1, b'(']);
        for _ in 0..10 {
            bomb.extend([b'h', level]);
        }
        bomb.push(b'e');
    }
    bomb.push(b'.');
    assert!(refused(&bomb).contains("over 8388608 values"));

    let mut repeated = b"\x80\x02](X\xe8\x03\x00\x00".to_vec();
    repeated.extend([b'x'; 1000]);
    repeated.extend(b"q\x01");
    repeated.extend(b"h\x01".repeat(10_000));
    repeated.extend(b"e.");
    assert!(refused(&repeated).contains("over 16 times as large"));

    let encoded = [&b"c_codecs\nencode\nq\x00X\x08\x00\x00\x00abcdefghX\x06\x00\x00\x00latin1\x86q\x01R"[..]];
    let again = [&encoded.concat()[..], &b"0h\x00h\x01R".repeat(100)[..], b"."].concat();
    assert!(refused(&again).contains("again and again"));

    assert!(refused(&[&b"]".repeat(100)[..], &b"a".repeat(99), b"."].concat()).contains("more than 64 deep"));
    assert!(refused(b"]q\x00h\x00a.").contains("more than 64 deep"));
    assert!(refused(b"X\xff\xff\xff\xff.").contains("4294967295 were expected"));
    assert!(refused(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.").contains("18446744073709551615"));
    assert!(refused(&vec![b'N'; (1 << 23) + 2]).contains("more than 8388608 values"));
}

#[test]
fn damage_is_told_with_its_place() {
    for (bytes, problem) in [
        (&b""[..], "it ends after 0 bytes, where 1 were expected (at byte 0)"),
        (b"\x80\x06N.", "its protocol is 6, expected 0 to 5 (at byte 2)"),
        (b".", "a value is missing (at byte 1)"),
        (b"(.", "a value is missing"),
        (b"t.", "a mark is missing"),
        (b"N0.", "a value is missing"),
        (b"h\x05.", "value 5 is used before it is kept"),
        (b"NNa.", "items are added to what is no list"),
        (b"NNNs.", "entries are added to what is no dictionary"),
        (b"(Nd.", "a dictionary's key without its value"),
        (b"NN.x", "1 bytes follow its end"),
        (b"I1x\n.", "`1x` is no integer"),
        (b"Fa\n.", "`a` is no number"),
        (b"\xff.", "0xff is no opcode"),
        (b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", "an integer beyond 64 bits"),
        (b"\x8c\x01\xff.", "a text that is not UTF-8"),
        (b"V\\u12\n.", "a faulty escape"),
        (b"S'a\n.", "a text without its quotes"),
        (b"\x95\x09\x00\x00\x00\x00\x00\x00\x00N.", "a frame of 9 bytes, where 2 are left"),
    ] {
        let message = refused(bytes);
        assert!(message.contains(problem), "{message}");
    }
}

#[test]
fn a_pickle_cut_anywhere_is_refused() {
    for bytes in written() {
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} of {}", bytes.len());
        }
    }
}

/// Nothing panics or hangs; what still reads is worth comparing with nothing.
#[test]
fn random_damage_never_panics() {
    let mut stream = Stream::new(1, "damage", (0, 0));
    let mut refusals = 0;
    for bytes in written() {
        for _ in 0..3000 {
            let mut damaged = bytes.to_vec();
            for _ in 0..=stream.below(4) {
                let at = stream.below(damaged.len() as u64) as usize;
                damaged[at] = stream.bits() as u8;
            }
            refusals += u32::from(read(&damaged).is_err());
        }
    }
    for _ in 0..20_000 {
        let noise: Vec<u8> = (0..stream.below(40)).map(|_| stream.bits() as u8).collect();
        refusals += u32::from(read(&noise).is_err());
    }
    assert!(refusals > 30_000, "{refusals}");
}
