//! Boxes and their fields. Nothing here trusts a length.

/// A four-character code.
pub(super) type FourCc = [u8; 4];

/// The boxes that follow one another in a payload. Ends at the first that does not fit.
#[derive(Debug, Clone)]
pub(super) struct Boxes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = (FourCc, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut fields = Fields(self.0);
        let size = fields.u32()?;
        let name = fields.array()?;
        let (header, size) = match size {
            0 => (8, self.0.len()),
            1 => (16, usize::try_from(fields.u64()?).ok()?),
            size => (8, size as usize),
        };
        let payload = self.0.get(header..size)?;
        self.0 = self.0.get(size..)?;
        Some((name, payload))
    }
}

/// The first box of a name.
pub(super) fn child<'a>(payload: &'a [u8], name: &FourCc) -> Option<&'a [u8]> {
    Boxes(payload).find(|(found, _)| found == name).map(|(_, payload)| payload)
}

/// The box at the end of a path of names.
pub(super) fn descend<'a>(payload: &'a [u8], path: &[&FourCc]) -> Option<&'a [u8]> {
    path.iter().try_fold(payload, |payload, name| child(payload, name))
}

/// Big-endian fields, read one after the other; `None` behind the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Version and flags of a full box.
    pub(super) fn version_flags(&mut self) -> Option<(u8, u32)> {
        self.u32().map(|both| ((both >> 24) as u8, both & 0x00ff_ffff))
    }

    /// A number of 64 bits in version 1, of 32 in version 0.
    pub(super) fn versioned(&mut self, version: u8) -> Option<u64> {
        if version == 1 { self.u64() } else { self.u32().map(u64::from) }
    }
}
