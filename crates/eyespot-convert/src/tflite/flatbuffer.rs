//! Reading `FlatBuffers` without generated code: every offset is checked.

use crate::ConvertError;

const OUTSIDE: ConvertError = ConvertError::Damaged("an offset points outside of it");

fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ConvertError> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(OUTSIDE)
}

fn add(at: usize, offset: usize) -> Result<usize, ConvertError> {
    at.checked_add(offset).ok_or(OUTSIDE)
}

/// A table: fields by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: usize,
    count: usize,
}

impl<'a> Table<'a> {
    /// The root table.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        Self::at(bytes, u32::from_le_bytes(number(bytes, 0)?) as usize)
    }

    fn at(bytes: &'a [u8], at: usize) -> Result<Self, ConvertError> {
        let distance = i32::from_le_bytes(number(bytes, at)?);
        let fields = i64::try_from(at).ok().map(|at| at - i64::from(distance));
        let fields = fields.and_then(|at| usize::try_from(at).ok()).ok_or(OUTSIDE)?;
        let size = usize::from(u16::from_le_bytes(number(bytes, fields)?));
        Ok(Self { bytes, at, fields, count: size.saturating_sub(4) / 2 })
    }

    /// The place of a field; `None` where it is not there.
    fn field(&self, index: usize) -> Result<Option<usize>, ConvertError> {
        if index >= self.count {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(number(self.bytes, add(self.fields, 4 + 2 * index)?)?);
        if offset == 0 { Ok(None) } else { add(self.at, usize::from(offset)).map(Some) }
    }

    fn value<const N: usize>(&self, index: usize) -> Result<Option<[u8; N]>, ConvertError> {
        self.field(index)?.map(|at| number(self.bytes, at)).transpose()
    }

    pub(super) fn u8(&self, index: usize) -> Result<u8, ConvertError> {
        Ok(self.value(index)?.map_or(0, u8::from_le_bytes))
    }

    pub(super) fn i32(&self, index: usize, default: i32) -> Result<i32, ConvertError> {
        Ok(self.value(index)?.map_or(default, i32::from_le_bytes))
    }

    pub(super) fn f32(&self, index: usize) -> Result<f32, ConvertError> {
        Ok(self.value(index)?.map_or(0.0, f32::from_le_bytes))
    }

    /// What a field points to.
    fn target(&self, index: usize) -> Result<Option<usize>, ConvertError> {
        let Some(at) = self.field(index)? else { return Ok(None) };
        add(at, u32::from_le_bytes(number(self.bytes, at)?) as usize).map(Some)
    }

    pub(super) fn table(&self, index: usize) -> Result<Option<Self>, ConvertError> {
        self.target(index)?.map(|at| Self::at(self.bytes, at)).transpose()
    }

    /// A vector of elements of `N` bytes; empty where it is not there.
    fn vector<const N: usize>(&self, index: usize) -> Result<&'a [[u8; N]], ConvertError> {
        let Some(at) = self.target(index)? else { return Ok(&[]) };
        let len = u32::from_le_bytes(number(self.bytes, at)?) as usize;
        let start = add(at, 4)?;
        let end = add(start, len.checked_mul(N).ok_or(OUTSIDE)?)?;
        Ok(self.bytes.get(start..end).ok_or(OUTSIDE)?.as_chunks::<N>().0)
    }

    pub(super) fn bytes(&self, index: usize) -> Result<&'a [u8], ConvertError> {
        Ok(self.vector::<1>(index)?.as_flattened())
    }

    pub(super) fn text(&self, index: usize) -> Result<String, ConvertError> {
        Ok(String::from_utf8_lossy(self.bytes(index)?).into_owned())
    }

    pub(super) fn i32s(&self, index: usize) -> Result<Vec<i32>, ConvertError> {
        Ok(self.vector(index)?.iter().map(|&value| i32::from_le_bytes(value)).collect())
    }

    pub(super) fn i64s(&self, index: usize) -> Result<Vec<i64>, ConvertError> {
        Ok(self.vector(index)?.iter().map(|&value| i64::from_le_bytes(value)).collect())
    }

    pub(super) fn f32s(&self, index: usize) -> Result<Vec<f32>, ConvertError> {
        Ok(self.vector(index)?.iter().map(|&value| f32::from_le_bytes(value)).collect())
    }

    pub(super) fn tables(&self, index: usize) -> Result<Vec<Self>, ConvertError> {
        let Some(at) = self.target(index)? else { return Ok(Vec::new()) };
        let offsets = self.vector::<4>(index)?;
        offsets
            .iter()
            .enumerate()
            .map(|(entry, offset)| {
                let from = add(at, 4 + 4 * entry)?;
                Self::at(self.bytes, add(from, u32::from_le_bytes(*offset) as usize)?)
            })
            .collect()
    }
}
