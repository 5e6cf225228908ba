//! The results of a frame, to and from the bytes of a message.

use embedded_io::Write;
use eyespot_core::{Detection, FrameInfo, Keypoint, Losses, Mask, MaskRect, PredictionsMut, PredictionsRef};

use crate::encoder::FrameWriter;
use crate::hello::take;
use crate::mask::{self, Runs};
use crate::schema::{DetectionHead, Kind, MaskHead, ResultsHead};

pub(crate) fn encode<W: Write>(
    frame: &mut FrameWriter<'_, W>,
    info: &FrameInfo,
    predictions: PredictionsRef<'_>,
) {
    frame.value(&Kind::Results);
    frame.value(&ResultsHead::new(info, predictions.losses()));
    frame.value(&(predictions.len() as u32));
    for detection in predictions.detections() {
        let mask = predictions.mask(detection);
        let (head, len) = mask.as_ref().map_or((MaskHead::None, 0), mask::head);
        frame.value(&DetectionHead::new(detection, head));
        if let Some(mask) = &mask {
            frame.value(&len);
            if let MaskHead::Runs(_) = head {
                Runs::new(mask).for_each(|run| frame.value(&run));
            } else {
                frame.bytes(mask.bits());
            }
        }
        let keypoints = predictions.keypoints_of(detection);
        frame.value(&(keypoints.len() as u32));
        for Keypoint { x, y, score } in keypoints {
            frame.value(&[*x, *y, *score]);
        }
    }
}

/// The results of a frame as they came, checked to the last byte but not yet unpacked.
#[derive(Debug)]
pub struct Results<'d> {
    head: ResultsHead,
    len: u32,
    detections: &'d [u8],
    needs: Needs,
    scratch: &'d mut [u8],
}

/// What storage must hold to take everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Needs {
    mask_bytes: usize,
    largest_mask: usize,
    keypoints: usize,
}

impl<'d> Results<'d> {
    /// Reads what follows the kind; `None` unless it is well formed to its last byte.
    pub(crate) fn decode(mut bytes: &'d [u8], scratch: &'d mut [u8]) -> Option<Self> {
        let head: ResultsHead = take(&mut bytes)?;
        let len: u32 = take(&mut bytes)?;
        let detections = bytes;
        let mut needs = Needs::default();
        for _ in 0..len {
            let object = Object::take(&mut bytes)?;
            let mask_bytes = object.mask.bytes();
            needs.mask_bytes = needs.mask_bytes.saturating_add(mask_bytes);
            needs.largest_mask = needs.largest_mask.max(mask_bytes);
            needs.keypoints = needs.keypoints.saturating_add(object.keypoints.len());
        }
        bytes.is_empty().then_some(Self { head, len, detections, needs, scratch })
    }

    /// Number, time, source and size of the frame.
    #[must_use]
    pub const fn info(&self) -> FrameInfo {
        self.head.info()
    }

    /// What was lost before it was sent.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.head.losses()
    }

    /// Number of detections.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Is there no detection?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of a mask arena that takes all masks.
    #[must_use]
    pub const fn mask_bytes(&self) -> usize {
        self.needs.mask_bytes
    }

    /// Number of keypoints of all detections.
    #[must_use]
    pub const fn keypoints(&self) -> usize {
        self.needs.keypoints
    }

    /// Unpacks into storage, which is cleared first. What does not fit is counted in its losses, beside what the
    /// sender had lost. A mask that came as runs also needs room for its bits in the decoder's buffer behind the
    /// frame.
    pub fn unpack(&mut self, out: PredictionsMut<'_>) {
        unpack(&self.head, self.len, self.detections, self.scratch, out);
    }

    /// Unpacks into storage of just the needed size. Masks beyond 64 MiB in all are counted as lost.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn to_buf(&self) -> eyespot_core::PredictionsBuf {
        use eyespot_core::PredictionsStorage as _;
        // A few bytes of runs can stand for half a gigabyte of bits.
        const MOST: usize = 64 << 20;
        let mut storage = eyespot_core::PredictionsBuf::new(
            self.len(),
            self.needs.mask_bytes.min(MOST),
            self.needs.keypoints,
        );
        let mut scratch = std::vec![0; self.needs.largest_mask.min(MOST)];
        unpack(&self.head, self.len, self.detections, &mut scratch, storage.view_mut());
        storage
    }
}

fn unpack(head: &ResultsHead, len: u32, mut bytes: &[u8], scratch: &mut [u8], mut out: PredictionsMut<'_>) {
    out.clear();
    out.count_losses(head.losses());
    for _ in 0..len {
        // Checked when the message was decoded.
        let Some(object) = Object::take(&mut bytes) else { return };
        let Some(index) = out.push(object.detection) else { continue };
        match object.mask {
            MaskData::None => {}
            MaskData::Bits(rect, bits) => {
                out.set_mask(index, rect, bits);
            }
            MaskData::Runs(rect, runs) => match scratch.get_mut(..Mask::bytes(rect.width, rect.height)) {
                Some(bits) => {
                    mask::fill(bits, rect.width, runs);
                    out.set_mask(index, rect, bits);
                }
                None => out.count_losses(Losses { masks: 1, ..Losses::default() }),
            },
        }
        out.set_keypoints_from(index, object.keypoints);
    }
}

struct Object<'d, K> {
    detection: Detection,
    mask: MaskData<'d>,
    keypoints: K,
}

enum MaskData<'d> {
    None,
    Bits(MaskRect, &'d [u8]),
    Runs(MaskRect, RunBytes<'d>),
}

impl MaskData<'_> {
    const fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Bits(rect, _) | Self::Runs(rect, _) => Mask::bytes(rect.width, rect.height),
        }
    }
}

/// Runs in a message, checked: they end where the mask ends.
#[derive(Clone, Copy)]
struct RunBytes<'d> {
    len: u32,
    bytes: &'d [u8],
}

impl Iterator for RunBytes<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.len = self.len.checked_sub(1)?;
        take(&mut self.bytes)
    }
}

impl<'d> Object<'d, ()> {
    /// Reads a detection with its mask and keypoints.
    fn take(bytes: &mut &'d [u8]) -> Option<Object<'d, impl ExactSizeIterator<Item = Keypoint> + use<'d>>> {
        let head: DetectionHead = take(bytes)?;
        let detection = head.detection();
        let mask = match head.mask {
            MaskHead::None => MaskData::None,
            MaskHead::Bits(rect) => {
                let rect = not_empty(rect.into())?;
                let bits: &[u8] = take(bytes)?;
                if bits.len() != Mask::bytes(rect.width, rect.height) {
                    return None;
                }
                MaskData::Bits(rect, bits)
            }
            MaskHead::Runs(rect) => {
                let rect = not_empty(rect.into())?;
                let len: u32 = take(bytes)?;
                let runs = RunBytes { len, bytes };
                let mut pixels = u32::from(rect.width) * u32::from(rect.height);
                for _ in 0..len {
                    pixels = pixels.checked_sub(take(bytes)?)?;
                }
                if pixels != 0 {
                    return None;
                }
                MaskData::Runs(rect, runs)
            }
        };
        let len: u32 = take(bytes)?;
        let (keypoints, rest) = bytes.split_at_checked((len as usize).checked_mul(12)?)?;
        *bytes = rest;
        let keypoints = keypoints.as_chunks::<4>().0.as_chunks::<3>().0.iter().map(|&[x, y, score]| {
            Keypoint { x: f32::from_le_bytes(x), y: f32::from_le_bytes(y), score: f32::from_le_bytes(score) }
        });
        Some(Object { detection, mask, keypoints })
    }
}

fn not_empty(rect: MaskRect) -> Option<MaskRect> {
    (rect.width > 0 && rect.height > 0).then_some(rect)
}
