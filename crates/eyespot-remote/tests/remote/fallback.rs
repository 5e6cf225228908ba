//! The other side goes away and comes back, and no frame is left out.

use std::io::Read as _;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use eyespot_core::{PredictOptions, PredictionsBuf, PredictionsStorage as _, Predictor as _};
use eyespot_media::Input;
use eyespot_remote::{Encoding, RemoteError, RemoteOptions, WithFallback};
use eyespot_runtime::{Model, Settings};
use eyespot_serve::{ServeOptions, Server, Token};

use crate::common::{FAR, NEAR, Reader, frame, input, options, picture, restart, start, url};

fn quick() -> RemoteOptions {
    let mut options = RemoteOptions::default();
    options.encoding = Encoding::Png;
    options.probe = Duration::from_millis(100);
    options.timeout = Duration::from_secs(1);
    options
}

fn with_fallback(address: &str) -> WithFallback<Reader> {
    WithFallback::new(&address.parse().unwrap(), &quick(), NEAR).unwrap()
}

/// Names of the classes that were found, and the top of the first box.
fn predict(model: &mut WithFallback<Reader>, red: u8) -> (Vec<String>, f32) {
    let mut results = PredictionsBuf::new(8, 0, 0);
    let picture = picture(red, 0);
    model.predict(&frame(&picture), &PredictOptions::new(), results.view_mut()).unwrap();
    let names =
        results.view().class_idxs().map(|class| model.spec().label(class).unwrap().to_owned()).collect();
    let bbox = results.view().detections()[0].bbox;
    assert_eq!(bbox.x1, f32::from(red));
    (names, bbox.y1)
}

fn back(model: &mut WithFallback<Reader>) {
    let (before, start) = (model.counts().remote(), Instant::now());
    while model.counts().remote() == before {
        assert!(start.elapsed() < Duration::from_secs(20), "it never asks again");
        predict(model, 3);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_local_model_takes_over_until_the_server_is_back() {
    let mut server = start();
    let address = server.address();
    let mut model = with_fallback(&url(&server));
    // First the classes of the local model, then what only the other one has.
    assert_eq!(model.spec().labels, ["other", "near", "thing"]);
    let counts = model.counts();
    let far = (vec!["thing".to_owned(), "other".to_owned()], 20.0);
    let near = (vec!["other".to_owned(), "near".to_owned()], 40.0);
    for _ in 0..3 {
        assert_eq!(predict(&mut model, 1), far);
    }
    for round in 1..=3 {
        server.stop();
        let before = counts.local();
        for _ in 0..10 {
            assert_eq!(predict(&mut model, 2), near);
        }
        assert_eq!((counts.local() - before, counts.lost()), (10, round));
        server = restart(address);
        back(&mut model);
        assert_eq!(predict(&mut model, 4), far);
    }
    assert_eq!(counts.unknown(), 0);
}

#[test]
fn a_session_loses_no_frame() {
    let mut server = start();
    let address = server.address();
    let model = with_fallback(&url(&server));
    let counts = model.counts();
    let model = Model::from_predictor(model);
    let settings = Settings { batch_size: NonZeroUsize::new(4), ..Settings::default() };
    let images = Input::List((0..120).map(|red| input(red, 0)).collect());
    let mut found = Vec::new();
    for prediction in model.predict(images, &settings).unwrap() {
        let prediction = prediction.unwrap();
        found.push(prediction.boxes().next().unwrap().x1);
        match found.len() {
            20 => server.stop(),
            60 => server = restart(address),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    assert_eq!(found, (0..120_u8).map(f32::from).collect::<Vec<_>>());
    assert_eq!(counts.local() + counts.remote(), 120);
    assert!(counts.local() >= 4 && counts.remote() >= 20, "{counts:?}");
}

#[test]
fn it_may_be_away_at_the_start() {
    let address = {
        let server = start();
        server.address()
    };
    let mut model = with_fallback(&format!("http://{address}"));
    assert_eq!(model.spec().labels, ["other", "near"]);
    assert_eq!(predict(&mut model, 1).1, 40.0);
    let server = restart(address);
    back(&mut model);
    // `thing` was not known when the names were fixed.
    assert_eq!(predict(&mut model, 1), (vec!["other".to_owned()], 20.0));
    assert!(model.counts().unknown() >= 2);
    drop(server);
}

/// A server that takes everything and says nothing costs one frame its time, and no further one.
#[test]
fn a_server_that_hangs_costs_one_frame_its_time() {
    let mut server = start();
    let address = server.address();
    let mut model = with_fallback(&url(&server));
    predict(&mut model, 1);
    server.stop();
    let listener = loop {
        match TcpListener::bind(address) {
            Ok(listener) => break listener,
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || stream.unwrap().read_to_end(&mut Vec::new()));
        }
    });
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(predict(&mut model, 1).1, 40.0);
    }
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(model.counts().lost(), 1);
}

#[test]
fn a_wrong_token_or_wish_is_no_reason_to_turn_away() {
    let guarded = ServeOptions { token: Some(Token::new("s3cret")), ..options("127.0.0.1:0") };
    let server = Server::start(Model::from_predictor(FAR), guarded).unwrap();
    let error = WithFallback::new(&url(&server).parse().unwrap(), &quick(), NEAR).unwrap_err();
    assert!(matches!(error, RemoteError::Unauthorized { .. }), "{error}");
    let server = start();
    let mut model = with_fallback(&url(&server));
    let (picture, mut results) = (picture(1, 255), PredictionsBuf::new(4, 0, 0));
    let error = model.predict(&frame(&picture), &PredictOptions::new(), results.view_mut()).unwrap_err();
    assert!(error.to_string().contains("too green"), "{error}");
    assert_eq!((model.counts().lost(), model.counts().local()), (0, 0));
}
