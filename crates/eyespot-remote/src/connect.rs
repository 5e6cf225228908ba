//! `Model::connect`.

use eyespot_core::Boxed;
use eyespot_runtime::{Loaded, Model};

use crate::{Endpoint, Remote, RemoteError, RemoteOptions};

/// Models that are elsewhere.
pub trait Connect: Sized {
    /// A model that is served at an address (`http://host:8000`), or deployed as a task of a Supervisely platform
    /// (`task:1234`); see [`Endpoint`] for tokens.
    ///
    /// # Errors
    /// [`RemoteError`] where it can't be reached, lets nobody in, or is none.
    fn connect(endpoint: &str) -> Result<Self, RemoteError> {
        Self::connect_with(&endpoint.parse()?, &RemoteOptions::default())
    }

    /// With options.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    fn connect_with(endpoint: &Endpoint, options: &RemoteOptions) -> Result<Self, RemoteError>;
}

impl Connect for Model {
    fn connect_with(endpoint: &Endpoint, options: &RemoteOptions) -> Result<Self, RemoteError> {
        let remote = Remote::connect(endpoint, options)?;
        Ok(Self::from_loaded(Loaded { plugin: Box::new(Boxed(remote)), device: endpoint.to_string() }))
    }
}
