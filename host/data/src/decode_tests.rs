use super::*;
use crate::random::Stream;

/// 48x32, made by Pillow from `(5 x, 7 y, 128)`: baseline and progressive with halved chroma, grey, and
/// CMYK as Adobe's programs write it.
const BASELINE: &[u8] = include_bytes!("fixtures/baseline.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("fixtures/progressive.jpg");
const GREY: &[u8] = include_bytes!("fixtures/grey.jpg");
const CMYK: &[u8] = include_bytes!("fixtures/cmyk.jpg");

fn original() -> Vec<u8> {
    (0..32 * 48).flat_map(|at| [5 * (at % 48) as u8, 7 * (at / 48) as u8, 128]).collect()
}

fn decoded(content: &[u8]) -> Result<(Vec<u8>, [usize; 2]), String> {
    let mut pixels = Vec::new();
    decode(content, &mut pixels).map(|size| (pixels, size))
}

/// A PNG of the given pixels.
pub(crate) fn png_of(pixels: &[u8], size: [u32; 2], color: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let mut content = Vec::new();
    let mut encoder = png::Encoder::new(&mut content, size[1], size[0]);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![1, 2, 3, 250, 251, 252]);
    }
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    content
}

#[test]
fn every_kind_of_jpeg_becomes_rgb() {
    let original = original();
    let luma = |pixel: &[u8; 3]| {
        let [r, g, b] = pixel.map(f64::from);
        [(0.299 * r + 0.587 * g + 0.114 * b).round() as u8; 3]
    };
    let grey: Vec<u8> = original.as_chunks::<3>().0.iter().flat_map(luma).collect();
    for (content, expected) in
        [(BASELINE, &original), (PROGRESSIVE, &original), (GREY, &grey), (CMYK, &original)]
    {
        let (pixels, size) = decoded(content).unwrap();
        assert_eq!(size, [32, 48]);
        let far = pixels.iter().zip(expected).map(|(own, other)| own.abs_diff(*other)).max();
        assert!(far <= Some(9), "{far:?} of {} bytes", content.len());
    }
}

#[test]
fn every_kind_of_png_becomes_rgb() {
    use png::{BitDepth, ColorType};
    for (pixels, color, depth, expected) in [
        (&[1, 2, 3, 4, 5, 6][..], ColorType::Rgb, BitDepth::Eight, [1, 2, 3, 4, 5, 6]),
        (&[1, 2, 3, 9, 4, 5, 6, 0], ColorType::Rgba, BitDepth::Eight, [1, 2, 3, 4, 5, 6]),
        (&[7, 8], ColorType::Grayscale, BitDepth::Eight, [7, 7, 7, 8, 8, 8]),
        (&[7, 255, 8, 0], ColorType::GrayscaleAlpha, BitDepth::Eight, [7, 7, 7, 8, 8, 8]),
        (&[0, 1], ColorType::Indexed, BitDepth::Eight, [1, 2, 3, 250, 251, 252]),
        (&[7, 99, 8, 99], ColorType::Grayscale, BitDepth::Sixteen, [7, 7, 7, 8, 8, 8]),
        (&[0b0100_0000], ColorType::Grayscale, BitDepth::One, [0, 0, 0, 255, 255, 255]),
    ] {
        let (own, size) = decoded(&png_of(pixels, [1, 2], color, depth)).unwrap();
        assert_eq!((&own[..], size), (&expected[..], [1, 2]), "{color:?} {depth:?}");
    }
}

#[test]
fn other_files_and_cut_ones_are_refused() {
    assert_eq!(decoded(b"").unwrap_err(), "it is empty");
    assert!(decoded(b"GIF89a").unwrap_err().contains("neither as a JPEG nor as a PNG"));
    for content in [BASELINE, PROGRESSIVE, GREY, CMYK] {
        for length in 0..content.len() - 1 {
            assert!(decoded(&content[..length]).is_err(), "{length} of {}", content.len());
        }
        assert_eq!(decoded(&content[..content.len() - 2]).unwrap_err(), "it is cut short");
    }
    let png = png_of(&original(), [32, 48], png::ColorType::Rgb, png::BitDepth::Eight);
    assert_eq!(decoded(&png).unwrap(), (original(), [32, 48]));
    // The last chunk, of 12 bytes, only says that it is the last.
    for length in 0..png.len() - 13 {
        assert!(decoded(&png[..length]).is_err(), "{length} of {}", png.len());
    }
}

#[test]
fn sizes_beyond_the_limit_are_refused_before_room_is_made() {
    let mut wide = BASELINE.to_vec();
    let frame = wide.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    wide[frame + 5..frame + 9].copy_from_slice(&[0x7f, 0xff, 0x7f, 0xff]);
    assert!(decoded(&wide).unwrap_err().contains("has 32767x32767 pixels"));
    let mut png = png_of(&[0; 3], [1, 1], png::ColorType::Rgb, png::BitDepth::Eight);
    png[16..24].copy_from_slice(&[0, 0, 0x70, 0, 0, 0, 0x70, 0]);
    assert!(decoded(&png).is_err());
}

/// And what a damaged file decodes to does not depend on the image before it.
#[test]
fn random_damage_never_panics() {
    let mut stream = Stream::new(1, "damage", (0, 0));
    let png = png_of(&original(), [32, 48], png::ColorType::Rgb, png::BitDepth::Eight);
    let mut refusals = 0;
    for content in [BASELINE, PROGRESSIVE, GREY, CMYK, &png] {
        for _ in 0..600 {
            let mut damaged = content.to_vec();
            for _ in 0..=stream.below(4) {
                let at = stream.below(damaged.len() as u64) as usize;
                damaged[at] = stream.bits() as u8;
            }
            let fresh = decoded(&damaged);
            let mut pixels = vec![77; 3 * 48 * 48];
            let again = decode(&damaged, &mut pixels);
            assert_ne!(again.as_ref().err().map(String::as_str), Some("the decoder panicked"));
            match fresh {
                Ok(fresh) => assert!(again.is_ok_and(|size| (pixels, size) == fresh)),
                Err(_) => refusals += 1,
            }
        }
    }
    assert!(refusals > 100, "{refusals}");
}

#[test]
fn only_the_window_is_resized() {
    let original = original();
    let mut target = Vec::new();
    let window = Window { left: 7.0, top: 3.0, width: 16.0, height: 16.0 };
    resize(&mut Resizer::new(), &original, [32, 48], &window, 16, &mut target).unwrap();
    for (at, pixel) in target.as_chunks::<3>().0.iter().enumerate() {
        assert_eq!(*pixel, [5 * (7 + at % 16) as u8, 7 * (3 + at / 16) as u8, 128]);
    }
    // Half the size: each pixel lies between two of the original.
    let window = Window { left: 8.0, top: 0.0, width: 32.0, height: 32.0 };
    resize(&mut Resizer::new(), &original, [32, 48], &window, 16, &mut target).unwrap();
    let middle = target[3 * (8 * 16 + 8)..][..3].to_vec();
    assert!(middle[0].abs_diff(5 * 24 + 2) <= 1 && middle[1].abs_diff(7 * 16 + 3) <= 1, "{middle:?}");
    assert_eq!((target.len(), middle[2]), (3 * 16 * 16, 128));
}
