//! Movie fragments (ISO/IEC 14496-12, 8.8): what a recorder writes that may be cut off at any time.

use super::boxes::{Boxes, Fields, child};
use super::demux::Mp4Error;
use super::samples::Sample;

/// Defaults of a track's samples.
#[derive(Debug, Clone, Copy, Default)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// Bit of the sample flags: decoding can't start here.
const NON_SYNC: u32 = 0x1_0000;

/// Collects the samples of one track from its fragments.
#[derive(Debug)]
pub(super) struct Fragments {
    track: u32,
    defaults: Defaults,
    next_dts: i64,
}

impl Fragments {
    /// For a track of a movie box; `None` where the movie has no fragments.
    pub(super) fn new(moov: &[u8], track: u32) -> Option<Self> {
        let mvex = child(moov, b"mvex")?;
        let defaults = Boxes(mvex)
            .filter(|(name, _)| name == b"trex")
            .find_map(|(_, payload)| {
                let mut fields = Fields(payload);
                fields.version_flags()?;
                let id = fields.u32()?;
                fields.u32()?;
                let defaults =
                    Defaults { duration: fields.u32()?, size: fields.u32()?, flags: fields.u32()? };
                (id == track).then_some(defaults)
            })
            .unwrap_or_default();
        Some(Self { track, defaults, next_dts: 0 })
    }

    /// Adds the samples of a `moof` box that starts at `start` in a file of `file_len` bytes.
    pub(super) fn add(
        &mut self,
        moof: &[u8],
        start: u64,
        file_len: u64,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Mp4Error> {
        // Without a base of its own, a track fragment goes on where the one before it ended.
        let mut position = start;
        for (name, traf) in Boxes(moof) {
            if name == *b"traf" {
                self.track_fragment(traf, start, &mut position, file_len, samples)
                    .ok_or(Mp4Error::Broken("movie fragment"))?;
            }
        }
        Ok(())
    }

    fn track_fragment(
        &mut self,
        traf: &[u8],
        start: u64,
        position: &mut u64,
        file_len: u64,
        samples: &mut Vec<Sample>,
    ) -> Option<()> {
        let mut header = Fields(child(traf, b"tfhd")?);
        let (_, flags) = header.version_flags()?;
        let ours = header.u32()? == self.track;
        let mut base = *position;
        if flags & 0x1 != 0 {
            base = header.u64()?;
        } else if flags & 0x2_0000 != 0 {
            base = start;
        }
        if flags & 0x2 != 0 {
            header.u32()?;
        }
        let mut defaults = self.defaults;
        for (bit, field) in
            [(0x8, &mut defaults.duration), (0x10, &mut defaults.size), (0x20, &mut defaults.flags)]
        {
            if flags & bit != 0 {
                *field = header.u32()?;
            }
        }
        if let Some(time) = child(traf, b"tfdt").filter(|_| ours) {
            let mut fields = Fields(time);
            let (version, _) = fields.version_flags()?;
            self.next_dts = i64::try_from(fields.versioned(version)?).ok()?;
        }
        let mut at = base;
        for (name, run) in Boxes(traf) {
            if name == *b"trun" {
                at = self.run(run, base, at, defaults, ours, file_len, samples)?;
            }
        }
        *position = at;
        Some(())
    }

    /// One run of samples; returns where its bytes end.
    #[expect(clippy::too_many_arguments, reason = "the state of one loop, in one place")]
    fn run(
        &mut self,
        run: &[u8],
        base: u64,
        mut at: u64,
        defaults: Defaults,
        ours: bool,
        file_len: u64,
        samples: &mut Vec<Sample>,
    ) -> Option<u64> {
        let mut fields = Fields(run);
        let (_, flags) = fields.version_flags()?;
        let count = fields.u32()?;
        if flags & 0x1 != 0 {
            at = base.checked_add_signed(i64::from(fields.u32()?.cast_signed()))?;
        }
        let first_flags = if flags & 0x4 != 0 { Some(fields.u32()?) } else { None };
        let mut optional =
            |bit: u32, default: u32| if flags & bit != 0 { fields.u32() } else { Some(default) };
        for index in 0..count {
            let duration = optional(0x100, defaults.duration)?;
            let size = optional(0x200, defaults.size)?;
            let default_flags = first_flags.filter(|_| index == 0).unwrap_or(defaults.flags);
            let sample_flags = optional(0x400, default_flags)?;
            let shift = optional(0x800, 0)?.cast_signed();
            // The count alone may claim billions of samples without a byte for each.
            if size == 0 || at > file_len {
                return None;
            }
            if ours {
                let dts = self.next_dts;
                samples.push(Sample {
                    offset: at,
                    size,
                    dts,
                    cts: dts.checked_add(i64::from(shift))?,
                    duration,
                    sync: sample_flags & NON_SYNC == 0,
                });
                self.next_dts = dts.checked_add(i64::from(duration))?;
            }
            at = at.checked_add(u64::from(size))?;
        }
        Some(at)
    }
}
