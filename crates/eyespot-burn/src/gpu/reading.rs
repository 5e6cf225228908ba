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
pub(crate) enum Reading {
    UnderWay(Pin<Box<dyn Future<Output = Data> + Send>>),
    Done(Data),
}

impl Reading {
    /// Sends off everything that the tensors need, and does not wait for it.
    pub(crate) fn start<const D: usize>(tensors: Vec<Tensor<D>>) -> Self {
        // Of work that could not be sent off the reading of one tensor tells; that of several panics.
        for tensor in &tensors {
            if let Poll::Ready(Err(error)) = poll(Box::pin(tensor.to_data_async()).as_mut()) {
                return Self::Done(Err(failed(error)));
            }
        }
        let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
        let mut data: Pin<Box<dyn Future<Output = Data> + Send>> =
            Box::pin(async { transaction.execute_async().await.map_err(failed) });
        // A future does nothing until it is polled. The first poll goes as far as the waiting.
        match poll(data.as_mut()) {
            Poll::Ready(data) => Self::Done(data),
            Poll::Pending => Self::UnderWay(data),
        }
    }

    /// Waits for the values of each tensor.
    pub(crate) fn wait(self) -> Result<Vec<Vec<f32>>, BurnError> {
        let data = match self {
            Self::UnderWay(data) => read_sync(data),
            Self::Done(data) => data,
        };
        data?.into_iter().map(values).collect()
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// Polls once; nobody is woken.
fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
