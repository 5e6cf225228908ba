//! What a device says about itself.

use embedded_io::Write;
use eyespot_core::ModelSpec;

use crate::encoder::FrameWriter;
use crate::schema::{HelloHead, Kind};

/// Who sends, and what its class numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Name of the device, for example `gate-3`.
    pub device: &'a str,
    /// Name of the model, for example `yolox/yolox-nano`.
    pub model: &'a str,
    /// Class names; the index is the class.
    pub labels: Labels<'a>,
}

impl<'a> Hello<'a> {
    /// A device with a model of the given classes.
    #[must_use]
    pub const fn new(device: &'a str, model: &'a str, labels: &'a [&'a str]) -> Self {
        Self { device, model, labels: Labels(List::Slice(labels)) }
    }

    /// A device with a model.
    #[must_use]
    pub const fn of(device: &'a str, model: &ModelSpec<'a>) -> Self {
        Self::new(device, model.name, model.labels)
    }

    pub(crate) fn encode<W: Write>(&self, frame: &mut FrameWriter<'_, W>) {
        frame.value(&Kind::Hello);
        frame.value(&HelloHead { device: self.device, model: self.model });
        frame.value(&(self.labels.len() as u32));
        self.labels.iter().for_each(|label| frame.value(&label));
    }

    /// Reads what follows the kind; `None` unless it is well formed to its last byte.
    pub(crate) fn decode(mut bytes: &'a [u8]) -> Option<Self> {
        let HelloHead { device, model } = take(&mut bytes)?;
        let len: u32 = take(&mut bytes)?;
        let encoded = bytes;
        for _ in 0..len {
            take::<&str>(&mut bytes)?;
        }
        bytes.is_empty().then_some(Self {
            device,
            model,
            labels: Labels(List::Encoded { len, bytes: encoded }),
        })
    }
}

/// Class names, from a table or from a message.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a>(List<'a>);

#[derive(Debug, Clone, Copy)]
enum List<'a> {
    Slice(&'a [&'a str]),
    /// Checked: so many strings.
    Encoded {
        len: u32,
        bytes: &'a [u8],
    },
}

impl<'a> Labels<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            List::Slice(labels) => labels.len(),
            List::Encoded { len, .. } => len as usize,
        }
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names in the order of the classes.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (labels, mut bytes): (&[&str], &[u8]) = match self.0 {
            List::Slice(labels) => (labels, &[]),
            List::Encoded { bytes, .. } => (&[], bytes),
        };
        labels.iter().copied().chain(core::iter::from_fn(move || take(&mut bytes)))
    }
}

impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Labels<'_> {}

/// Reads a value from the front of the bytes.
pub(crate) fn take<'d, T: serde::Deserialize<'d>>(bytes: &mut &'d [u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(value)
}
