//! What the container side must know of H.264 (ITU-T H.264): NAL units and the sequence parameter set.

/// NAL unit types (table 7-1).
pub(crate) const NAL_IDR: u8 = 5;
pub(crate) const NAL_SPS: u8 = 7;
pub(crate) const NAL_PPS: u8 = 8;

/// The NAL units of an MP4 sample: each with its length in `length_size` bytes before it. `None` for one that does
/// not fit; nothing follows it.
pub(crate) fn nal_units(sample: &[u8], length_size: u8) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = Some(sample);
    std::iter::from_fn(move || {
        let bytes = rest.take().filter(|bytes| !bytes.is_empty())?;
        let split = bytes.split_at_checked(usize::from(length_size)).and_then(|(prefix, after)| {
            let len = prefix.iter().fold(0_usize, |len, &byte| len << 8 | usize::from(byte));
            after.split_at_checked(len)
        });
        let Some((unit, after)) = split else { return Some(None) };
        rest = Some(after);
        Some(Some(unit))
    })
}

/// What a sample is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleKind {
    /// Other frames may be predicted from it.
    pub(crate) reference: bool,
    /// Decoding can start here.
    pub(crate) idr: bool,
}

/// Turns a sample into a byte stream with start codes (annex B), appended to `out`. `None` where its lengths make
/// no sense or it holds no picture.
pub(crate) fn to_byte_stream(sample: &[u8], length_size: u8, out: &mut Vec<u8>) -> Option<SampleKind> {
    let mut kind = SampleKind { reference: false, idr: false };
    let mut pictures = 0;
    for unit in nal_units(sample, length_size) {
        let unit = unit?;
        let Some(&header) = unit.first() else { continue };
        let nal_type = header & 0x1f;
        if (1..=NAL_IDR).contains(&nal_type) {
            pictures += 1;
            kind.reference |= header & 0x60 != 0;
            kind.idr |= nal_type == NAL_IDR;
        }
        push_unit(unit, out);
    }
    (pictures > 0).then_some(kind)
}

/// Appends a NAL unit behind a start code.
pub(crate) fn push_unit(unit: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 1]);
    out.extend_from_slice(unit);
}

/// A sequence parameter set, as far as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sps {
    pub(crate) chroma_format: u32,
    pub(crate) bit_depth: u32,
    pub(crate) progressive: bool,
    /// Size in pixels after cropping.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) full_range: Option<bool>,
    /// Matrix coefficients; `None` where it doesn't say.
    pub(crate) matrix: Option<u8>,
}

impl Sps {
    /// Reads a sequence parameter set NAL unit, its header byte included (7.3.2.1.1 and E.1.1).
    pub(crate) fn parse(unit: &[u8]) -> Option<Self> {
        let bytes = without_emulation(unit);
        let mut bits = Bits { bytes: bytes.get(1..)?, at: 0 };
        let profile = bits.take(8)?;
        bits.take(16)?;
        bits.ue()?;
        let (mut chroma_format, mut bit_depth) = (1, 8);
        if matches!(profile, 44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244) {
            chroma_format = bits.ue()?;
            if chroma_format == 3 {
                bits.take(1)?;
            }
            bit_depth = (bits.ue()?.max(bits.ue()?)).checked_add(8)?;
            bits.take(1)?;
            if bits.flag()? {
                for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                    if bits.flag()? {
                        bits.skip_scaling_list(if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        bits.ue()?;
        match bits.ue()? {
            0 => {
                bits.ue()?;
            }
            1 => {
                bits.take(1)?;
                bits.ue()?;
                bits.ue()?;
                for _ in 0..bits.ue()?.min(255) {
                    bits.ue()?;
                }
            }
            _ => {}
        }
        bits.ue()?;
        bits.take(1)?;
        let width_mbs = bits.ue()?.checked_add(1)?;
        let height_units = bits.ue()?.checked_add(1)?;
        let progressive = bits.flag()?;
        if !progressive {
            bits.take(1)?;
        }
        bits.take(1)?;
        let mut crop = [0; 4];
        if bits.flag()? {
            for side in &mut crop {
                *side = bits.ue()?;
            }
        }
        let fields = if progressive { 1 } else { 2 };
        let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
        let unit_y = fields * if chroma_format == 1 { 2 } else { 1 };
        let size = |units: u32, scale: u32, crop_a: u32, crop_b: u32, crop_unit: u32| {
            let cropped = crop_a.checked_add(crop_b)?.checked_mul(crop_unit)?;
            units.checked_mul(scale)?.checked_sub(cropped).filter(|&size| size > 0)
        };
        let width = size(width_mbs, 16, crop[0], crop[1], unit_x)?;
        let height = size(height_units, 16 * fields, crop[2], crop[3], unit_y)?;
        let (full_range, matrix) = bits.vui_colour().unwrap_or((None, None));
        Some(Self { chroma_format, bit_depth, progressive, width, height, full_range, matrix })
    }

    /// What of it the decoder can't do, in words.
    pub(crate) fn unsupported(&self) -> Option<String> {
        match (self.chroma_format, self.bit_depth) {
            (1, 8) if self.progressive => None,
            (1, 8) => Some("interlaced H.264".into()),
            (1, depth) => Some(format!("H.264 of {depth} bits")),
            (0, _) => Some("monochrome H.264".into()),
            (2, _) => Some("H.264 4:2:2".into()),
            _ => Some("H.264 4:4:4".into()),
        }
    }
}

/// Removes the bytes that keep start codes out of a NAL unit (7.4.1).
fn without_emulation(unit: &[u8]) -> Vec<u8> {
    let mut cleaned = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        cleaned.push(byte);
    }
    cleaned
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits, at most 32.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|bit| bit == 1)
    }

    /// An unsigned Exp-Golomb code (9.1).
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros > 31 {
            return None;
        }
        Some((1_u32 << zeros) - 1 + self.take(zeros)?)
    }

    /// A signed Exp-Golomb code (9.1.1).
    fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 { code / 2 + 1 } else { -(code / 2) })
    }

    /// A scaling list (7.3.2.1.1.1).
    fn skip_scaling_list(&mut self, size: usize) -> Option<()> {
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..size {
            if next != 0 {
                next = (last + self.se()?).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
        Some(())
    }

    /// Full range and matrix coefficients of the usability information (E.1.1).
    fn vui_colour(&mut self) -> Option<(Option<bool>, Option<u8>)> {
        if !self.flag()? {
            return None;
        }
        if self.flag()? && self.take(8)? == 255 {
            self.take(32)?;
        }
        if self.flag()? {
            self.take(1)?;
        }
        if !self.flag()? {
            return None;
        }
        self.take(3)?;
        let full_range = self.flag()?;
        if !self.flag()? {
            return Some((Some(full_range), None));
        }
        self.take(16)?;
        // 2 means unspecified (table E-5).
        let matrix = u8::try_from(self.take(8)?).ok().filter(|&matrix| matrix != 2);
        Some((Some(full_range), matrix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written by x264: High, 1920x1080 (cropped from 1088), BT.709 in its usability information.
    const HIGH_1080: [u8; 31] = [
        0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0x9a, 0x80, 0x80, 0x80, 0xa0, 0x00,
        0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x07, 0x81, 0xe3, 0x06, 0x32, 0xc0, 0x00, 0x00,
    ];

    #[test]
    fn a_parameter_set_gives_size_and_format() {
        let sps = Sps::parse(&HIGH_1080).unwrap();
        assert_eq!((sps.width, sps.height), (1920, 1080));
        assert_eq!((sps.chroma_format, sps.bit_depth, sps.progressive), (1, 8, true));
        assert_eq!(sps.unsupported(), None);
    }

    #[test]
    fn lengths_become_start_codes() {
        let mut out = Vec::new();
        let sample = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x06];
        let kind = to_byte_stream(&sample, 4, &mut out).unwrap();
        assert_eq!(kind, SampleKind { reference: true, idr: true });
        assert_eq!(out, [0, 0, 0, 1, 0x65, 1, 0, 0, 0, 1, 0x06]);
        assert_eq!(to_byte_stream(&[0, 9, 0x41], 2, &mut out), None);
        assert_eq!(
            to_byte_stream(&[0, 1, 0x01], 2, &mut out),
            Some(SampleKind { reference: false, idr: false })
        );
    }

    proptest! {
        #[test]
        fn no_parameter_set_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Sps::parse(&bytes);
        }
    }
}
