//! Whatever the outputs are: no panic, and what is resolved can be decoded.

use eyespot_core::{InputSize, PredictionsBuf, PredictionsStorage};
use eyespot_decode::{Activation, Background, BoxFormat, Candidate, DecodeOptions};
use eyespot_image::{Fit, Letterbox};
use proptest::prelude::*;

use crate::head::{Context, Scratch};
use crate::outputs::{Facts, Output, listed};
use crate::{Graph, Kind, Manifest, Tensor, labels, recognise, resolve};

const NAMES: [&str; 10] = [
    "output0",
    "boxes",
    "scores",
    "labels",
    "dets",
    "pred_boxes",
    "detection_boxes:0",
    "detection_scores:0",
    "detection_classes:0",
    "simcc_x",
];

fn dim() -> impl Strategy<Value = usize> {
    let known = prop::sample::select(vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 32, 56, 64, 84, 85, 112, 340]);
    prop_oneof![4 => known, 1 => 0usize..40]
}

fn output() -> impl Strategy<Value = Output> {
    let batched = prop::collection::vec(dim(), 0..4).prop_map(|dims| [vec![1], dims].concat());
    let dims = prop_oneof![batched, prop::collection::vec(dim(), 0..5)];
    let dims = dims.prop_filter("small", |dims| dims.iter().product::<usize>() < 30_000);
    let activation = prop::sample::select(vec![Activation::None, Activation::Sigmoid, Activation::Softmax]);
    (prop::sample::select(&NAMES[..]), any::<bool>(), dims, activation).prop_map(
        |(name, integer, dims, activation)| Output { name: name.to_owned(), integer, dims, activation },
    )
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let head = prop::option::of(prop::sample::select(&Kind::ALL[..]));
    let outputs = prop::option::weighted(0.2, prop::collection::vec(prop::sample::select(&NAMES[..]), 0..4));
    let strides = prop::option::weighted(0.2, prop::collection::vec(1u16..70, 1..5));
    let background = prop::option::of(prop::sample::select(vec![Background::First, Background::Last]));
    let format = prop::option::of(prop::sample::select(vec![BoxFormat::Corners, BoxFormat::CornersYx]));
    let first = prop::option::of(any::<u16>());
    (head, outputs, strides, background, format, first).prop_map(
        |(head, outputs, strides, background, format, first_label)| Manifest {
            head,
            outputs: outputs.map(|names| names.into_iter().map(str::to_owned).collect()),
            strides,
            background,
            format,
            first_label,
            ..Manifest::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_outputs_are_recognised_or_refused_and_what_is_recognised_is_decoded(
        outputs in prop::collection::vec(output(), 1..9),
        manifest in manifest(),
        names in prop::option::of(0usize..90),
        values in prop::collection::vec(prop_oneof![5 => -2f32..2.0, 1 => Just(f32::NAN), 1 => Just(3e38)], 64),
        width in 1u16..70,
    ) {
        let input = InputSize::new(width, 64);
        let graph = Graph::default();
        let facts = Facts { graph: &graph, manifest: &manifest, outputs: &outputs, input, names };
        let _ = listed(&outputs);
        let recognised = recognise::recognise(&facts);
        let Some(kind) = manifest.head.or(recognised.ok()) else { return Ok(()) };
        let Ok((head, classes)) = resolve::resolve(kind, &facts) else { return Ok(()) };
        prop_assert!(!labels::usual(kind, &head, classes).is_empty());
        let tensors: Vec<Tensor> = outputs
            .iter()
            .map(|output| {
                let len = output.dims.iter().product();
                Tensor { dims: output.dims.clone(), values: values.iter().copied().cycle().take(len).collect() }
            })
            .collect();
        let letterbox = Letterbox::new(InputSize::new(50, 40), input, Fit::Center).unwrap();
        let context = Context { letterbox: &letterbox, options: DecodeOptions::new(0.1), iou: 0.5 };
        let mut scratch =
            Scratch { candidates: vec![Candidate::EMPTY; 64], values: Vec::new(), labels: Vec::new() };
        let mut results = PredictionsBuf::new(16, 4096, 400);
        let _ = head.decode(&tensors, &context, &mut scratch, &mut results.view_mut());
        // Outputs that are other than at the start are an error or empty, never a panic.
        let _ = head.decode(&[], &context, &mut scratch, &mut results.view_mut());
        let other: Vec<Tensor> = tensors.iter().rev().cloned().collect();
        let _ = head.decode(&other, &context, &mut scratch, &mut results.view_mut());
        for detection in results.view().detections() {
            prop_assert!(detection.is_valid());
        }
    }

    #[test]
    fn any_bytes_are_a_graph_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Graph::parse(&bytes);
    }

    #[test]
    fn any_manifest_is_read_or_refused(
        field in "[a-z_]{3,10}|head|input|classes|conf|strides|format|skeleton|keypoint_values",
        value in r#"null|-?[0-9]{1,12}|"[a-z0-9-]{0,12}"|\[[0-9,]{0,6}\]|\{"(size|std|fit|pad)": (0|\[0, 0\]|\[1, 1, 0\]|"x")\}"#,
    ) {
        if let Ok(manifest) = Manifest::parse(&format!("{{\"{field}\": {value}}}")) {
            prop_assert!(manifest.conf.is_none_or(|conf| (0.0..=1.0).contains(&conf)));
            prop_assert!(manifest.input.std.is_none_or(|std| !std.contains(&0.0)));
            prop_assert!(manifest.strides.is_none_or(|strides| !strides.contains(&0)));
        }
    }
}

#[test]
fn every_head_has_a_name_that_a_manifest_may_use() {
    for kind in Kind::ALL {
        let manifest = Manifest::parse(&format!(r#"{{"head": "{}"}}"#, kind.name())).unwrap();
        assert_eq!(manifest.head, Some(kind));
    }
    assert_eq!(Manifest::parse(r#"{"head": "yolo26"}"#).unwrap().head, Some(Kind::EndToEnd));
    for (wrong, part) in [
        (r#"{"heads": "yolox"}"#, "unknown field `heads`"),
        (r#"{"head": "yolo"}"#, "unknown variant `yolo`"),
        (r#"{"conf": 2}"#, "`conf` must lie between 0 and 1"),
        (r#"{"input": {"size": [0, 640]}}"#, "`input.size`"),
        (r#"{"input": {"fit": "squash"}}"#, "top-left, center, stretch"),
        (r#"{"input": {"std": [1, 0, 1]}}"#, "`input.std`"),
        ("[", "EOF"),
    ] {
        let error = Manifest::parse(wrong).unwrap_err();
        assert!(error.contains(part), "{wrong}: {error}");
    }
}
