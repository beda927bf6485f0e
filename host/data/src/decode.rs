//! From the bytes of a JPEG or PNG file to pixels, and from these to a window of them at another size.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::window::Window;

/// Pixels on a side, and in all: what a small hostile file may make of the memory.
const LARGEST_SIDE: usize = 1 << 15;
const MOST_PIXELS: usize = 1 << 26;

/// Decodes `content`, whatever the file is called, to `pixels` (RGB, row by row); gives height and width.
///
/// Grey and CMYK become RGB, an alpha channel is dropped, 16 bits become 8. The orientation that a camera
/// noted is not applied, as usual in training.
///
/// # Errors
/// Why the file does not decode, after which `pixels` holds anything. A JPEG cut short is an error; one
/// with flaws that other decoders pass over too is not.
pub(crate) fn decode(content: &[u8], pixels: &mut Vec<u8>) -> Result<[usize; 2], String> {
    // The decoders are others' code for anyone's bytes: a panic there is one file's fault, not the run's.
    let decoded = catch_unwind(AssertUnwindSafe(|| match content {
        [0xff, 0xd8, ..] => jpeg(content, pixels),
        [0x89, b'P', b'N', b'G', ..] => png(content, pixels),
        [] => Err("it is empty".to_owned()),
        _ => Err("it begins neither as a JPEG nor as a PNG".to_owned()),
    }));
    decoded.unwrap_or_else(|_| Err("the decoder panicked".to_owned()))
}

fn jpeg(content: &[u8], pixels: &mut Vec<u8>) -> Result<[usize; 2], String> {
    if !ends(content) {
        return Err("it is cut short".to_owned());
    }
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(LARGEST_SIDE)
        .set_max_height(LARGEST_SIDE);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(content), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    room(pixels, height, width)?;
    decoder.decode_into(pixels).map_err(|error| error.to_string())?;
    Ok([height, width])
}

/// Whether a JPEG's last scan has an end. Neither marker occurs within a scan's data.
fn ends(content: &[u8]) -> bool {
    let marker = content.windows(2).rfind(|pair| matches!(pair, [0xff, 0xd9 | 0xda]));
    marker == Some(&[0xff, 0xd9])
}

fn png(content: &[u8], pixels: &mut Vec<u8>) -> Result<[usize; 2], String> {
    let limits = png::Limits { bytes: 8 * MOST_PIXELS };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(content), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    room(pixels, height, width)?;
    let mut own = vec![0; reader.output_buffer_size().ok_or("it is too large")?];
    let info = reader.next_frame(&mut own).map_err(|error| error.to_string())?;
    let own = &own[..info.buffer_size()];
    let grey = |(target, grey): (&mut [u8; 3], u8)| *target = [grey; 3];
    let targets = pixels.as_chunks_mut::<3>().0.iter_mut();
    match info.color_type.samples() {
        1 => targets.zip(own.iter().copied()).for_each(grey),
        2 => targets.zip(own.iter().step_by(2).copied()).for_each(grey),
        3 => pixels.copy_from_slice(own),
        _ => targets.zip(own.as_chunks::<4>().0).for_each(|(target, &[r, g, b, _])| *target = [r, g, b]),
    }
    Ok([height, width])
}

/// Makes `pixels` a black image of this size: what a decoder leaves out is then never another image's.
fn room(pixels: &mut Vec<u8>, height: usize, width: usize) -> Result<(), String> {
    let fits = (1..=LARGEST_SIDE).contains(&height) && (1..=LARGEST_SIDE).contains(&width);
    if !fits || height * width > MOST_PIXELS {
        return Err(format!(
            "it has {height}x{width} pixels, expected 1 to {LARGEST_SIDE} a side and at most {MOST_PIXELS}"
        ));
    }
    pixels.clear();
    pixels.resize(3 * height * width, 0);
    Ok(())
}

/// Resizes `window` of `pixels` (RGB, `[height, width]` in `size`) to a square of `side` in `target`.
///
/// A triangle filter over all pixels that fall to one of the result, in 8 bits, as Pillow's bilinear
/// resizing with antialiasing. Only the window is read, with the few pixels beside it that the filter
/// reaches.
pub(crate) fn resize(
    resizer: &mut Resizer,
    pixels: &[u8],
    size: [usize; 2],
    window: &Window,
    side: usize,
    target: &mut Vec<u8>,
) -> Result<(), String> {
    let [height, width] = size.map(|side| side as u32);
    target.resize(3 * side * side, 0);
    let source = ImageRef::new(width, height, pixels, PixelType::U8x3).map_err(|error| error.to_string())?;
    let mut result = Image::from_slice_u8(side as u32, side as u32, target, PixelType::U8x3)
        .map_err(|error| error.to_string())?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(window.left, window.top, window.width, window.height)
        .use_alpha(false);
    resizer.resize(&source, &mut result, &options).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "decode_tests.rs"]
pub(crate) mod tests;
