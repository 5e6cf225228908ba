//! One error contract for all plugins: rich types for people, a kind for code.

/// What kind of failure an error is, so that generic code can react without knowing the concrete type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ErrorKind {
    /// A fixed-size buffer is too small for what was asked.
    Capacity,
    /// The operation or format is valid but not supported by this implementation.
    Unsupported,
    /// The input is malformed: wrong shape, non-finite number, truncated data.
    InvalidInput,
    /// Something that was named does not exist: a file, a model, a class.
    NotFound,
    /// Reading or writing failed: a disk, a bus, a network.
    Io,
    /// The other side did not answer in time.
    Timeout,
    /// The compute device or camera failed.
    Device,
    /// Anything else.
    Other,
}

/// An error of a plugin.
pub trait Error: core::error::Error {
    /// The kind of this error.
    fn kind(&self) -> ErrorKind;
}

/// Names the error type of a plugin. Supertrait of every plugin trait, so that one type has one error.
pub trait ErrorType {
    /// What goes wrong in this plugin.
    type Error: Error;
}

impl<T: ErrorType + ?Sized> ErrorType for &mut T {
    type Error = T::Error;
}

impl Error for core::convert::Infallible {
    fn kind(&self) -> ErrorKind {
        match *self {}
    }
}

#[cfg(feature = "alloc")]
impl<T: ErrorType + ?Sized> ErrorType for alloc::boxed::Box<T> {
    type Error = T::Error;
}
