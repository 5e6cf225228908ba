//! The names and shapes of torchreid.

use eyespot_tests::noise;
use eyespot_tests::tensors::Tensor;

/// All tensors of a training of torchreid with these channels, the classifier included.
pub(crate) fn torchreid(channels: [usize; 4]) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[usize]| {
        tensors.push(noise::weight(&name, shape));
    };
    let norm = |add: &mut dyn FnMut(String, &[usize]), name: &str, channels: usize| {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            add(format!("{name}.{part}"), &[channels]);
        }
    };
    let conv_norm = |add: &mut dyn FnMut(String, &[usize]), name: &str, shape: [usize; 4]| {
        add(format!("{name}.conv.weight"), &shape);
        norm(add, &format!("{name}.bn"), shape[0]);
    };
    conv_norm(&mut add, "conv1", [channels[0], 3, 7, 7]);
    for stage in 0..3 {
        let (first, output) = (channels[stage], channels[stage + 1]);
        for (index, input) in [first, output].into_iter().enumerate() {
            let (name, mid) = (format!("conv{}.{index}", stage + 2), output / 4);
            conv_norm(&mut add, &format!("{name}.conv1"), [mid, input, 1, 1]);
            let streams = ["a", "b.0", "b.1", "c.0", "c.1", "c.2", "d.0", "d.1", "d.2", "d.3"]
                .map(|at| format!("conv2{at}"));
            for stream in streams {
                add(format!("{name}.{stream}.conv1.weight"), &[mid, mid, 1, 1]);
                add(format!("{name}.{stream}.conv2.weight"), &[mid, 1, 3, 3]);
                norm(&mut add, &format!("{name}.{stream}.bn"), mid);
            }
            add(format!("{name}.gate.fc1.weight"), &[mid / 16, mid, 1, 1]);
            add(format!("{name}.gate.fc1.bias"), &[mid / 16]);
            add(format!("{name}.gate.fc2.weight"), &[mid, mid / 16, 1, 1]);
            add(format!("{name}.gate.fc2.bias"), &[mid]);
            conv_norm(&mut add, &format!("{name}.conv3"), [output, mid, 1, 1]);
            if input != output {
                conv_norm(&mut add, &format!("{name}.downsample"), [output, input, 1, 1]);
            }
        }
        if stage < 2 {
            conv_norm(&mut add, &format!("conv{}.2.0", stage + 2), [output, output, 1, 1]);
        }
    }
    conv_norm(&mut add, "conv5", [channels[3], channels[3], 1, 1]);
    add("fc.0.weight".to_owned(), &[512, channels[3]]);
    add("fc.0.bias".to_owned(), &[512]);
    norm(&mut add, "fc.1", 512);
    add("classifier.weight".to_owned(), &[751, 512]);
    add("classifier.bias".to_owned(), &[751]);
    tensors
}
