//! Results on their way to the host.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use burn::tensor::{Tensor, TensorData, Transaction, read_sync};

use crate::BurnError;
use crate::batch::{failed, values};

type Data = Result<Vec<TensorData>, BurnError>;

/// Tensors that the device computes and copies for the host.
///
/// The copy is enqueued when reading starts, before the work of the next batch: a read that began only when its values are
/// asked for would wait for that work too.
pub(crate) struct Reading(State);

enum State {
    UnderWay(Pin<Box<dyn Future<Output = Data> + Send>>),
    Done(Data),
    Taken,
}

impl Reading {
    /// Sends off everything that the tensors need, and does not wait for it.
    pub(crate) fn start<const D: usize>(tensors: Vec<Tensor<D>>) -> Self {
        // Where the work of a tensor could not be sent off, the reading of one is an error, that of several a panic. Only what
        // is read of the data is copied: here nothing is.
        for tensor in &tensors {
            if let Err(error) = read_sync(tensor.to_data_async()) {
                return Self(State::Done(Err(failed(error))));
            }
        }
        let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
        let mut data: Pin<Box<dyn Future<Output = Data> + Send>> =
            Box::pin(async { transaction.execute_async().await.map_err(failed) });
        // A future does nothing until it is polled. The first time it goes as far as the waiting.
        Self(match data.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(data) => State::Done(data),
            Poll::Pending => State::UnderWay(data),
        })
    }

    /// Waits for the values of each tensor.
    pub(crate) fn wait(mut self) -> Result<Vec<Vec<f32>>, BurnError> {
        self.data()?.into_iter().map(values).collect()
    }

    fn data(&mut self) -> Data {
        match std::mem::replace(&mut self.0, State::Taken) {
            State::UnderWay(data) => read_sync(data),
            State::Done(data) => data,
            State::Taken => Ok(Vec::new()),
        }
    }
}

impl Drop for Reading {
    /// Waits too: memory that is given back before the copy into it is over is used again too early, and no device
    /// recovers from that.
    fn drop(&mut self) {
        let _ = self.data();
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}
