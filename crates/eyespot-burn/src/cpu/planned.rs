//! A network that is ready to run.

use core::fmt;
use std::io::{Read, Seek};

use eyespot_core::{ImageView, InputSize};
use eyespot_image::{Letterbox, Normalize, ResizeError, TensorFormat};
use eyespot_nn::host::{Arena, Header, Host, ReadError};
use eyespot_nn::{Description, LoadError, Network};

use crate::batch::Columns;

/// Outputs that a network may have.
const OUTPUTS: usize = 8;

type Running<'m> = Network<'m, Arena>;

self_cell::self_cell!(
    /// A network and the head of its file, which has the names of its layers.
    struct Owned {
        owner: Header,
        #[not_covariant]
        dependent: Running,
    }
);

/// A network, planned for one size of its input.
pub(super) struct Planned {
    running: Owned,
    size: InputSize,
    columns: Columns,
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planned").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Planned {
    /// From an `.eye` file.
    pub(super) fn from_file(file: &mut (impl Read + Seek), host: Host) -> Result<Self, ReadError> {
        let header = Header::read(file)?;
        let running = Owned::try_new(header, |header| Network::from_file(header, file, host))?;
        let size = running.with_dependent(|_, network| {
            let shape = network.description().input(0).map(|port| port.slot.shape)?;
            let side = |side: u32| u16::try_from(side).ok();
            Some(InputSize::new(side(shape.w)?, side(shape.h)?))
        });
        let size = size.ok_or(LoadError::Graph)?;
        Ok(Self { running, size, columns: Columns::new(size) })
    }

    /// The size of its input.
    pub(super) const fn size(&self) -> InputSize {
        self.size
    }

    /// Reads what its file says of it.
    pub(super) fn describe<R>(&self, read: impl FnOnce(&Description<'_>) -> R) -> R {
        self.running.with_dependent(|_, network| read(network.description()))
    }

    /// Makes an image the input.
    pub(super) fn put(
        &mut self,
        image: &ImageView<'_>,
        letterbox: &Letterbox,
        format: &TensorFormat<Normalize>,
    ) -> Result<(), ResizeError> {
        let columns = &mut self.columns;
        self.running.with_dependent_mut(|_, network| {
            let input = network.input_mut(0).f32().unwrap_or_default();
            letterbox.apply(image, format, columns.lend(), input)
        })
    }

    /// Runs it.
    pub(super) fn run(&mut self) {
        self.running.with_dependent_mut(|_, network| network.run());
    }

    /// Its outputs.
    pub(super) fn read<R>(&self, read: impl FnOnce(&[&[f32]]) -> R) -> R {
        self.running.with_dependent(|_, network| {
            let mut outputs = [&[] as &[f32]; OUTPUTS];
            let mut count = 0;
            for (index, output) in outputs.iter_mut().enumerate() {
                let Some(values) = network.output(index).f32() else { break };
                (*output, count) = (values, index + 1);
            }
            read(&outputs[..count])
        })
    }
}
