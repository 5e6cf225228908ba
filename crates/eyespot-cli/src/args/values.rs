//! Values of arguments that are more than a number or a word.

use std::str::FromStr;

use eyespot_core::InputSize;
use eyespot_media::Rgb;

/// A size in pixels: one number for a square, or `HEIGHTxWIDTH` in the order of the Prediction API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) InputSize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| match text.trim().parse::<u16>() {
            Ok(side) if side > 0 => Ok(side),
            _ => Err(format!("`{text}` is no size: write 640, or HEIGHTxWIDTH like 480x640")),
        };
        let size = match text.split_once(['x', ',']) {
            Some((height, width)) => InputSize::new(number(width)?, number(height)?),
            None => InputSize::square(number(text)?),
        };
        Ok(Self(size))
    }
}

/// Overlap of windows: `0.25` is a quarter of the window, `64` is pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Overlap {
    Fraction(f32),
    Pixels(u16),
}

impl FromStr for Overlap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no overlap: write a fraction from 0 to below 1, or whole pixels");
        if text.contains('.') {
            let fraction: f32 = text.parse().map_err(|_| wrong())?;
            if (0.0..1.0).contains(&fraction) { Ok(Self::Fraction(fraction)) } else { Err(wrong()) }
        } else {
            text.parse().map(Self::Pixels).map_err(|_| wrong())
        }
    }
}

/// A setting: `conf=0.4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no setting: write NAME=VALUE, like conf=0.4");
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if name.is_empty() { Err(wrong()) } else { Ok(Self { name, value }) }
    }
}

/// A zone or line: `door=320,480;320,0`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) points: Vec<(f32, f32)>,
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no shape: write NAME=x,y;x,y in pixels, like door=320,480;320,0");
        let (name, points) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
        let point = |text: &str| {
            let (x, y) = text.split_once(',')?;
            Some((x.trim().parse().ok()?, y.trim().parse().ok()?))
        };
        let points: Option<Vec<_>> =
            points.split(';').map(str::trim).filter(|text| !text.is_empty()).map(point).collect();
        Ok(Self { name: name.to_owned(), points: points.ok_or_else(wrong)? })
    }
}

/// A colour as on web pages: `ff8000`, with or without `#`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) Rgb);

impl FromStr for Color {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        // `from_str_radix` takes a sign.
        let is_hex = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
        let [_, r, g, b] =
            number.ok_or_else(|| format!("`{text}` is no colour: write RRGGBB, like ff8000"))?.to_be_bytes();
        Ok(Self([r, g, b]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_overlaps_are_read_as_the_prediction_api_writes_them() {
        assert_eq!("640".parse(), Ok(Size(InputSize::square(640))));
        assert_eq!("480x640".parse(), Ok(Size(InputSize::new(640, 480))));
        assert!("0".parse::<Size>().is_err() && "x".parse::<Size>().is_err());
        assert_eq!("0.25".parse(), Ok(Overlap::Fraction(0.25)));
        assert_eq!("64".parse(), Ok(Overlap::Pixels(64)));
        assert!("1.0".parse::<Overlap>().is_err() && "-1".parse::<Overlap>().is_err());
    }

    #[test]
    fn shapes_and_colours_are_read() {
        let door = Shape { name: "door".into(), points: vec![(320.0, 480.0), (320.5, -1.0)] };
        assert_eq!("door=320,480; 320.5,-1;".parse(), Ok(door));
        for wrong in ["door", "=1,2;3,4", "door=1,2;3", "door=a,b"] {
            assert!(wrong.parse::<Shape>().unwrap_err().contains("NAME=x,y"), "{wrong}");
        }
        assert_eq!("#FF8000".parse(), Ok(Color([255, 128, 0])));
        assert!("red".parse::<Color>().is_err() && "+f8000".parse::<Color>().is_err());
    }
}
