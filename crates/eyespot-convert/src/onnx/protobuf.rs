//! Reading protocol buffers without generated code.

use crate::ConvertError;

const SHORT: ConvertError = ConvertError::Damaged("it ends in the middle of a field");

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// The fields of a message: number and value.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), ConvertError> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => Value::Fixed64(array(&mut self.0)?),
            2 => {
                let len = usize::try_from(varint(&mut self.0)?).map_err(|_| SHORT)?;
                let (bytes, rest) = self.0.split_at_checked(len).ok_or(SHORT)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(array(&mut self.0)?),
            _ => return Err(ConvertError::Damaged("it has a field of an unknown kind")),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), ConvertError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], ConvertError> {
    let (array, rest) = bytes.split_first_chunk::<N>().ok_or(SHORT)?;
    *bytes = rest;
    Ok(*array)
}

/// At most ten bytes of seven bits each; bits above 64 are dropped.
fn varint(bytes: &mut &[u8]) -> Result<u64, ConvertError> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let [byte] = array(bytes)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(SHORT)
}

/// The numbers of a packed field.
pub(super) fn varints(mut bytes: &[u8]) -> Result<Vec<i64>, ConvertError> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(varint(&mut bytes)? as i64);
    }
    Ok(values)
}

/// The floats of a packed field.
pub(super) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value))
}
