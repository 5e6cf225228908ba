//! Networks that Eyespot runs in Burn on CPUs too: those with attention.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::BurnModel as _;
use rtdetr::RtDetr;

use crate::{Result, floats, memory, serve};

/// RT-DETRv2 from weights of Hugging Face. How many threads there are is for `RAYON_NUM_THREADS` to say.
pub(crate) fn run(weights: &str, input: &str) -> Result {
    let before = memory("VmRSS")?;
    let start = Instant::now();
    let device = Device::flex();
    let model = RtDetr::load(weights, &device)?;
    let loaded = start.elapsed();
    let input = floats(input)?;
    serve("0.22", before, loaded, |wanted| {
        let image = TensorData::new(input.clone(), [1, 3, 640, 640]);
        let results = model.forward(Tensor::from_data(image, &device));
        let logits = results.into_iter().next().ok_or("no result")?.into_data();
        Ok(if wanted {
            logits.try_into_vec::<f32>().map_err(|error| format!("{error:?}"))?
        } else {
            Vec::new()
        })
    })
}
