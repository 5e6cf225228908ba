//! The six variants, files of weights, batches and input sizes.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{
    BurnError, BurnModel, BurnPredictor, CpuPredictor, DetectorHead, DeviceChoice, FromWeights, Host, Loader,
    WeightError, record,
};
#[cfg(feature = "wgpu")]
use eyespot_core::Detection;
use eyespot_core::{
    Frame, ImageView, InputSize, PixelFormat, PredictOptions, Predictions, PredictionsBuf,
    PredictionsStorage, Predictor,
};
use eyespot_tests::tensors::{npy_f32, npy_u8, safetensors};
use eyespot_tests::{data, engine};
use tempfile::TempDir;
use yolox::{COCO, MANIFEST, Variant, Yolox};

/// A model of noise.
fn synthetic(variant: Variant, classes: usize) -> Yolox {
    Yolox::build(variant.config(), &mut Loader::synthetic(1, classes, &Device::flex())).unwrap()
}

/// A picture of gradients.
fn picture(width: u16, height: u16) -> Vec<u8> {
    let pixel = |x: u16, y: u16| [(x * 3) as u8, (y * 5) as u8, (x + y) as u8];
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

fn view(data: &[u8], width: u16, height: u16) -> Frame<'_> {
    Frame::still(ImageView::packed(data, width, height, PixelFormat::Rgb8).unwrap())
}

#[test]
fn the_variants_have_their_published_size() {
    let published = [910_000, 5_060_000, 8_970_000, 25_300_000, 54_200_000, 99_100_000u64];
    for (variant, published) in Variant::ALL.into_iter().zip(published) {
        let mut loader = Loader::synthetic(1, 80, &Device::flex());
        let model = Yolox::build(variant.config(), &mut loader).unwrap();
        // They are published with three digits, nano with two.
        let difference = loader.parameters().abs_diff(published) as f64 / published as f64;
        assert!(difference < 6e-3, "{variant:?} has {} parameters", loader.parameters());
        let input = Tensor::zeros([1, 3, 64, 96], &Device::flex());
        let [output] = model.forward(input).try_into().unwrap();
        assert_eq!(output.dims(), [1, 12 * 8 + 6 * 4 + 3 * 2, 85], "{variant:?}");
        assert!(output.into_data().try_into_vec::<f32>().unwrap().iter().all(|value| value.is_finite()));
        assert_eq!((model.variant(), model.head().spec().name), (variant, variant.name()));
        assert_eq!(variant.name().parse(), Ok(variant));
    }
    assert_eq!("tiny".parse(), Ok(Variant::Tiny));
    assert!("yolox/yolox-xxl".parse::<Variant>().is_err());
}

#[test]
fn a_batch_equals_single_frames() {
    let mut predictor = BurnPredictor::new(synthetic(Variant::Nano, 80), DeviceChoice::Cpu.open().unwrap())
        .unwrap()
        .with_input_size(InputSize::new(96, 64))
        .unwrap();
    assert_eq!(predictor.spec().input, Some(InputSize::new(96, 64)));
    let (wide, tall) = (picture(200, 100), picture(50, 120));
    let frames = [view(&wide, 200, 100), view(&tall, 50, 120)];
    let options = PredictOptions::new().with_conf(0.0).unwrap();
    let mut batch = [PredictionsBuf::new(50, 0, 0), PredictionsBuf::new(50, 0, 0)];
    predictor.predict_batch(&frames, &options, &mut batch).unwrap();
    let timings = predictor.timings();
    assert!(timings.forward > timings.letterbox && !timings.decode.is_zero());
    for (frame, batched) in frames.iter().zip(&batch) {
        let mut single = PredictionsBuf::new(50, 0, 0);
        predictor.predict(frame, &options, single.view_mut()).unwrap();
        assert!(!single.view().is_empty());
        assert_eq!(single.view().losses(), batched.view().losses());
        for (a, b) in single.view().detections().iter().zip(batched.view().detections()) {
            assert_eq!(a.class, b.class);
            assert!((a.score - b.score).abs() < 1e-5);
            let near = a.bbox.xyxy().into_iter().zip(b.bbox.xyxy()).all(|(a, b)| (a - b).abs() < 1e-2);
            assert!(near, "{a:?} {b:?}");
        }
    }
    predictor.predict_batch(&[], &options, &mut batch).unwrap();
}

/// Frames are resized on the GPU, and only what reaches the threshold comes back: nothing of it shows.
#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_finds_what_the_cpu_finds() {
    let predictor = |choice: DeviceChoice| {
        let device = choice.open().unwrap();
        let mut loader = Loader::synthetic(1, 80, device.device());
        let model = Yolox::build(Variant::Nano.config(), &mut loader).unwrap();
        BurnPredictor::new(model, device).unwrap().with_input_size(InputSize::new(192, 160)).unwrap()
    };
    let (wide, tall) = (picture(200, 100), picture(50, 120));
    // A window of a frame beside others, as a sliding window gives them.
    let window = view(&wide, 200, 100).image.crop(40, 20, 96, 64).unwrap();
    let frames = [view(&wide, 200, 100), view(&tall, 50, 120), Frame::still(window)];
    let find = |predictor: &mut BurnPredictor<Yolox>, conf: f32| {
        let options = PredictOptions::new().with_conf(conf).unwrap().with_iou(1.0).unwrap();
        let mut found = [0; 3].map(|_| PredictionsBuf::new(2000, 0, 0));
        predictor.predict_batch(&frames, &options, &mut found).unwrap();
        found.map(|found| (found.view().detections().to_vec(), found.view().losses()))
    };
    let (mut cpu, mut gpu) = (predictor(DeviceChoice::Flex), predictor(DeviceChoice::Gpu(None)));
    // All 630 rows of an image, more than come back at once, some, a few, and none.
    let scores =
        find(&mut cpu, 0.0).map(|(found, _)| found.iter().map(|found| found.score).collect::<Vec<_>>());
    let mut scores = scores.concat();
    scores.sort_by(f32::total_cmp);
    let [middle, most] = [scores[scores.len() / 2], scores[scores.len() - 1] - 1e-3];
    for (conf, least) in [(0.0, 20), (middle, 10), (most, 1), (1.0, 0)] {
        let (expected, found) = (find(&mut cpu, conf), find(&mut gpu, conf));
        assert!(expected.iter().map(|(found, _)| found.len()).sum::<usize>() >= least, "{conf}");
        for (expected, found) in expected.into_iter().zip(found) {
            assert_eq!(found.1, expected.1, "{conf}");
            let sure = |score: f32| score > conf + 1e-4;
            for (these, those) in [(&found.0, &expected.0), (&expected.0, &found.0)] {
                for a in these.iter().filter(|a| sure(a.score)) {
                    let near = |b: &&Detection| {
                        let mut sides = a.bbox.xyxy().into_iter().zip(b.bbox.xyxy());
                        (a.score - b.score).abs() < 1e-4 && sides.all(|(a, b)| (a - b).abs() < 0.05)
                    };
                    assert!(those.iter().any(|b| near(&b)), "{conf}: {a:?}");
                }
            }
        }
    }
}

/// The GPU gets batches of other sizes before the results of the one before were asked for: each finds what it finds alone.
#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_works_ahead() {
    let gpu = || {
        let device = DeviceChoice::Gpu(None).open().unwrap();
        let mut loader = Loader::synthetic(1, 80, device.device());
        BurnPredictor::new(Yolox::build(Variant::Nano.config(), &mut loader).unwrap(), device).unwrap()
    };
    let mut predictor = gpu();
    let (wide, tall) = (picture(200, 100), picture(50, 120));
    let (first, second) = ([view(&wide, 200, 100)], [view(&tall, 50, 120), view(&wide, 100, 200)]);
    let storage = || [0; 2].map(|_| PredictionsBuf::new(2000, 0, 0));
    type Found = Vec<Vec<Detection>>;
    let found = |found: [PredictionsBuf; 2]| -> Found {
        found.iter().map(|one| one.view().detections().to_vec()).collect()
    };
    let sized = |width, height| {
        PredictOptions::new().with_iou(1.0).unwrap().with_img_size(InputSize::new(width, height))
    };
    let (small, large) = (sized(96, 64), sized(192, 160));
    let alone = |predictor: &mut BurnPredictor<Yolox>, frames: &[Frame<'_>], options: &PredictOptions<'_>| {
        let mut results = storage();
        predictor.predict_batch(frames, options, &mut results).unwrap();
        found(results)
    };
    let collected = |predictor: &mut BurnPredictor<Yolox>, options: &PredictOptions<'_>| {
        let mut results = storage();
        predictor.collect(options, &mut results).unwrap();
        found(results)
    };
    // Every row comes back, more than fit in one piece, a few of them.
    let mut scores: Vec<f32> = alone(&mut predictor, &first, &large.with_conf(0.0).unwrap())
        .concat()
        .iter()
        .map(|found| found.score)
        .collect();
    scores.sort_by(f32::total_cmp);
    for conf in [0.0, scores[0], scores[scores.len() - 2]] {
        let (small, large) = (small.with_conf(conf).unwrap(), large.with_conf(conf).unwrap());
        let expected = [alone(&mut predictor, &first, &large), alone(&mut predictor, &second, &small)];
        assert!(!expected[0].concat().is_empty(), "{conf}");
        assert!(predictor.submit(&first, &large).unwrap());
        assert!(predictor.submit(&second, &small).unwrap());
        assert!(!predictor.submit(&first, &large).unwrap());
        // Past those under way.
        assert_eq!(alone(&mut predictor, &second, &small), expected[1]);
        assert_eq!(collected(&mut predictor, &large), expected[0]);
        assert!(!predictor.timings().forward.is_zero());
        // A batch that can't be started costs itself alone.
        assert!(predictor.submit(&first, &sized(97, 64)).is_err());
        assert!(predictor.submit(&first, &large).unwrap());
        assert_eq!(collected(&mut predictor, &small), expected[1]);
        assert_eq!(collected(&mut predictor, &large), expected[0]);
        assert!(predictor.submit(&first, &large).unwrap());
        predictor.discard();
        assert_eq!(collected(&mut predictor, &large), [vec![], vec![]]);
    }
    // Dropped with a batch under way: the device is as good as before.
    let expected = alone(&mut predictor, &first, &large);
    assert!(predictor.submit(&first, &large).unwrap());
    drop(predictor);
    assert_eq!(alone(&mut gpu(), &first, &large), expected);
    let mut cpu =
        BurnPredictor::new(synthetic(Variant::Nano, 80), DeviceChoice::Flex.open().unwrap()).unwrap();
    assert!(!cpu.submit(&first, &small).unwrap());
}

#[test]
fn losses_are_counted() {
    let predictor = |candidates| {
        BurnPredictor::new(synthetic(Variant::Nano, 80), DeviceChoice::Cpu.open().unwrap())
            .unwrap()
            .with_input_size(InputSize::square(64))
            .unwrap()
            .with_candidates(candidates)
    };
    // On a black image noise stays small.
    let data = [0; 64 * 64 * 3];
    let options = PredictOptions::new().with_conf(0.0).unwrap().with_iou(1.0).unwrap();
    let mut all = Predictions::<84>::new();
    predictor(84).predict(&view(&data, 64, 64), &options, all.view_mut()).unwrap();
    // What lies outside the image is dropped, what is non-finite or empty is counted.
    let (found, invalid) = (all.view().len() as u32, all.view().losses().invalid);
    assert!(found > 10);
    let mut few = Predictions::<84>::new();
    predictor(10).predict(&view(&data, 64, 64), &options, few.view_mut()).unwrap();
    assert!(few.view().len() <= 10);
    assert_eq!(few.view().losses().invalid, invalid);
    assert_eq!(few.view().losses().detections, 84 - invalid - 10);
}

#[test]
fn input_sizes_are_multiples_of_32() {
    let device = DeviceChoice::Cpu.open().unwrap();
    let model = synthetic(Variant::Nano, 80);
    for (width, height) in [(400, 416), (416, 0), (0, 0), (16, 32), (8224, 32), (u16::MAX, 32)] {
        let size = InputSize::new(width, height);
        let predictor = BurnPredictor::new(model.clone(), device.clone()).unwrap();
        let error = predictor.with_input_size(size).unwrap_err();
        assert_eq!(error, BurnError::InputSize { size, multiple: 32, limit: 8192 });
    }
}

#[test]
fn a_caller_may_ask_for_another_input_size() {
    let device = DeviceChoice::Cpu.open().unwrap();
    let new = || BurnPredictor::new(synthetic(Variant::Nano, 80), device.clone()).unwrap();
    let (data, size) = (picture(200, 100), InputSize::new(96, 64));
    let frame = view(&data, 200, 100);
    let find = |predictor: &mut BurnPredictor<Yolox>, options: &PredictOptions<'_>| {
        let mut found = PredictionsBuf::new(50, 0, 0);
        predictor.predict(&frame, options, found.view_mut()).map(|()| found.view().detections().to_vec())
    };
    let options = PredictOptions::new().with_conf(0.0).unwrap();
    let (mut fixed, mut free) =
        (new().with_input_size(size).unwrap(), new().with_input_size(InputSize::square(64)).unwrap());
    let default = find(&mut free, &options).unwrap();
    let asked = find(&mut free, &options.with_img_size(size)).unwrap();
    assert_eq!(asked, find(&mut fixed, &options).unwrap());
    assert_ne!(asked, default);
    assert_eq!(free.spec().input, Some(InputSize::square(64)));
    let wrong = find(&mut free, &options.with_img_size(InputSize::square(65))).unwrap_err();
    assert!(matches!(wrong, BurnError::InputSize { .. }));
    assert_eq!(find(&mut free, &options).unwrap(), default);
}

/// The engine of the CPU computes what Burn computes, at every size.
#[test]
fn the_engine_equals_burn() {
    for variant in [Variant::Nano, Variant::Tiny] {
        let model = synthetic(variant, 7);
        let recording = record(&model);
        for [height, width] in [[64, 96], [128, 64], [32, 32]] {
            let values: Vec<f32> = (0..3 * height * width).map(|at| (at * 37 % 256) as f32).collect();
            let found = engine::outputs(&recording, [height, width], &values).remove(0);
            let input = TensorData::new(values, [1, 3, height, width]);
            let expected = model.forward(Tensor::from_data(input, &Device::flex())).remove(0);
            let expected = expected.into_data().try_into_vec::<f32>().unwrap();
            assert_eq!(found.len(), expected.len());
            let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
            let difference = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 1e-5 * largest, "{variant:?}: {difference} of {largest}");
        }
    }
}

/// Every caller may ask for a size of its own, and for a wrong one.
#[test]
fn the_engine_plans_for_the_size_that_is_asked_for() {
    let mut engine = CpuPredictor::new(&synthetic(Variant::Nano, 7), Host::default()).unwrap();
    let data = picture(200, 100);
    let mut find = |size: InputSize| {
        let options = PredictOptions::new().with_conf(0.0).unwrap().with_img_size(size);
        let mut found = PredictionsBuf::new(20, 0, 0);
        let result = engine.predict(&view(&data, 200, 100), &options, found.view_mut());
        result.map(|()| found.view().detections().to_vec())
    };
    // More sizes than are kept, and back to the first.
    let sizes = [32, 64, 96, 128, 160].map(InputSize::square);
    let all = sizes.map(|size| find(size).unwrap());
    assert!(all.windows(2).all(|two| two[0] != two[1]));
    for (size, expected) in sizes.into_iter().zip(all) {
        assert_eq!(find(size).unwrap(), expected);
    }
    assert!(matches!(find(InputSize::square(65)), Err(BurnError::InputSize { .. })));
}

/// What was planned once is read from a file the next time, and made again where that is damaged.
#[test]
fn a_planned_network_is_kept() {
    let folder = TempDir::new().unwrap();
    let (weights, cache) = (folder.path().join("seven.bpk"), folder.path().join("seven.bpk.cache"));
    let mut loader = Loader::synthetic(1, 7, &Device::flex()).recording();
    Yolox::build(Variant::Nano.config(), &mut loader).unwrap();
    loader.save(&weights).unwrap();
    let data = picture(200, 100);
    let options = PredictOptions::new().with_conf(0.0).unwrap();
    let find = |size: Option<InputSize>| {
        let mut engine = CpuPredictor::load::<Yolox>(&weights, Some(&cache), Host::default()).unwrap();
        assert_eq!((engine.spec().name, engine.spec().labels.len()), ("yolox/yolox-nano", 7));
        let options = size.map_or(options, |size| options.with_img_size(size));
        let mut found = PredictionsBuf::new(50, 0, 0);
        engine.predict(&view(&data, 200, 100), &options, found.view_mut()).unwrap();
        found.view().detections().to_vec()
    };
    let small = Some(InputSize::new(96, 64));
    let first = [find(None), find(small)];
    let files = || {
        let folder = std::fs::read_dir(folder.path()).unwrap();
        folder.map(|file| file.unwrap().path()).filter(|file| *file != weights).collect::<Vec<_>>()
    };
    assert_eq!(files().len(), 2);
    for file in files() {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&file, bytes).unwrap();
    }
    assert_eq!([find(None), find(small)], first);
    // Without the weights, from the files alone.
    std::fs::remove_file(&weights).unwrap();
    assert_eq!([find(None), find(small)], first);
}

#[test]
fn labels_follow_the_classes() {
    assert_eq!(synthetic(Variant::Nano, 80).head().spec().labels, COCO);
    let three = synthetic(Variant::Nano, 3);
    assert_eq!(three.head().spec().labels, ["class 0", "class 1", "class 2"]);
    assert!(three.clone().with_labels(&["cat"]).is_err());
    assert_eq!(three.with_labels(&["a", "b", "c"]).unwrap().head().spec().labels, ["a", "b", "c"]);
}

#[test]
fn a_saved_model_gives_the_same_output() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("three.bpk");
    let device = Device::flex();
    for variant in [Variant::Nano, Variant::Tiny] {
        let mut loader = Loader::synthetic(5, 3, &device).recording();
        let model = Yolox::build(variant.config(), &mut loader).unwrap();
        loader.save(&path).unwrap();
        let loaded = Yolox::load(&path, &device).unwrap();
        assert_eq!((loaded.variant(), loaded.head().spec().labels.len()), (variant, 3));
        let input =
            Tensor::<4>::random([1, 3, 64, 64], burn::tensor::Distribution::Uniform(0.0, 255.0), &device);
        let run = |model: &Yolox| model.forward(input.clone()).remove(0).into_data().try_into_vec::<f32>();
        assert_eq!(run(&model).unwrap(), run(&loaded).unwrap());
    }
}

/// The published weights with a normalisation behind each convolution again, under the names of the published
/// checkpoint.
#[test]
fn unfolded_weights_give_the_output_of_the_reference() {
    let Some(data) = data("") else { return };
    let (device, folder) = (Device::flex(), TempDir::new().unwrap());
    let saved = folder.path().join("nano.bpk");
    Yolox::convert(data.join("models/yolox_nano.onnx"), &saved, &device).unwrap();
    let mut folded = eyespot_burn::Weights::open(&saved).unwrap();
    let names: Vec<(String, Vec<usize>)> =
        folded.shapes().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
    let mut tensors = Vec::new();
    for (name, shape) in names {
        let (_, mut values) = folded.take(&name, &shape).unwrap();
        let channels = shape[0];
        // Any norm will do; this one differs from channel to channel.
        let gamma: Vec<f32> = (0..channels).map(|channel| 0.5 + (channel % 7) as f32 * 0.25).collect();
        let variance: Vec<f32> = (0..channels).map(|channel| 0.1 + (channel % 5) as f32).collect();
        let mean: Vec<f32> = (0..channels).map(|channel| (channel % 3) as f32 - 1.0).collect();
        let scale = |channel: usize| gamma[channel] / (variance[channel] + 1e-3).sqrt();
        match name.strip_suffix(".conv.weight") {
            Some(layer) => {
                let kernel = values.len() / channels;
                for (at, value) in values.iter_mut().enumerate() {
                    *value /= scale(at / kernel);
                }
                for (part, values) in
                    [("weight", &gamma), ("running_var", &variance), ("running_mean", &mean)]
                {
                    tensors.push((format!("{layer}.bn.{part}"), vec![channels], values.clone()));
                }
                tensors.push((name, shape, values));
            }
            None => match name.strip_suffix(".conv.bias") {
                Some(layer) => {
                    for (channel, value) in values.iter_mut().enumerate() {
                        *value += mean[channel] * scale(channel);
                    }
                    tensors.push((format!("{layer}.bn.bias"), shape, values));
                }
                None => tensors.push((name, shape, values)),
            },
        }
    }
    // Names of the published checkpoint, one of each kind.
    for name in [
        "backbone.backbone.stem.conv.bn.running_mean",
        "backbone.backbone.dark2.0.dconv.conv.weight",
        "backbone.backbone.dark3.1.m.2.conv2.pconv.conv.weight",
        "backbone.backbone.dark5.1.conv1.conv.weight",
        "backbone.C3_p4.m.0.conv1.bn.running_var",
        "backbone.bu_conv2.dconv.bn.weight",
        "backbone.lateral_conv0.conv.weight",
        "head.reg_convs.0.0.dconv.bn.running_var",
        "head.cls_preds.2.bias",
    ] {
        assert!(tensors.iter().any(|(other, ..)| other == name), "{name}");
    }
    let path = folder.path().join("nano.safetensors");
    std::fs::write(&path, safetensors(&tensors)).unwrap();
    let model = Yolox::load(&path, &device).unwrap();
    let (shape, input) = npy_u8(&data.join("golden/yolox_nano_bus.jpg.input_u8.npy"));
    let (_, expected) = npy_f32(&data.join("golden/yolox_nano_bus.jpg.output_raw_f32.npy"));
    let shape: [usize; 4] = shape.try_into().unwrap();
    let input = TensorData::new(input.into_iter().map(f32::from).collect::<Vec<_>>(), shape);
    let output = model.forward(Tensor::from_data(input, &device)).remove(0);
    let output = output.into_data().try_into_vec::<f32>().unwrap();
    let error = output.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(output.len() == expected.len() && error < 2e-3, "{error}");
}

#[test]
fn weights_of_other_models_are_refused() {
    let Some(data) = data("") else { return };
    let device = Device::flex();
    for file in ["fastestdet.pth", "fastestdet_352.onnx", "nanodet_m_320.onnx", "rtmdet_nano_person.onnx"] {
        let error = Yolox::load(data.join("models").join(file), &device).unwrap_err();
        let typed = matches!(error, WeightError::Missing { .. } | WeightError::Shape { .. });
        assert!(typed, "{file}: {error}");
    }
    let error = Yolox::load(data.join("images/dog.jpg"), &device).unwrap_err();
    assert!(matches!(error, WeightError::UnknownFormat { .. }), "{error}");
    // Cut in the middle.
    let folder = TempDir::new().unwrap();
    for file in ["yolox_nano.onnx", "fastestdet.pth"] {
        let bytes = std::fs::read(data.join("models").join(file)).unwrap();
        let path = folder.path().join(file);
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = Yolox::load(&path, &device).unwrap_err();
        assert!(matches!(error, WeightError::Malformed { .. }), "{file}: {error}");
    }
}

#[test]
fn the_manifest_lists_the_variants() {
    let manifest: serde_json::Value = serde_json::from_str(MANIFEST).unwrap();
    assert_eq!(
        (manifest["family"].as_str(), manifest["licence"].as_str()),
        (Some("yolox"), Some("Apache-2.0"))
    );
    let models = manifest["models"].as_array().unwrap();
    assert_eq!(models.len(), Variant::ALL.len());
    for (model, variant) in models.iter().zip(Variant::ALL) {
        assert_eq!(model["name"], variant.name());
        assert!(model["url"].as_str().unwrap().ends_with(model["file"].as_str().unwrap()));
        let InputSize { width, height } = variant.input();
        assert_eq!(model["input"], serde_json::json!([width, height]));
    }
}
