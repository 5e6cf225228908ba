//! A model elsewhere gives what it gives there: images, batches, videos, settings, errors.

use std::num::NonZeroUsize;

use eyespot_core::{Error as _, ErrorKind, PredictionsBuf, PredictionsStorage as _, Predictor as _};
use eyespot_media::{Canvas, Input, VideoWriter};
use eyespot_remote::{Connect, Encoding, Endpoint, Remote, RemoteError, RemoteOptions};
use eyespot_runtime::{Model, Prediction, Settings, Tracking};
use eyespot_serve::{ServeOptions, Server, Token};

use crate::common::{FAR, input, options, picture, start, url};

/// Pixels arrive as they are.
fn exact() -> RemoteOptions {
    let mut options = RemoteOptions::default();
    options.encoding = Encoding::Png;
    options
}

fn connect(server: &Server) -> Model {
    Model::connect_with(&url(server).parse().unwrap(), &exact()).unwrap()
}

/// Source, class, score and box of each object.
type Rows = Vec<(String, u16, f32, [f32; 4])>;

fn rows(prediction: &Prediction) -> Rows {
    let results = prediction.results();
    let row = |found: &eyespot_core::Detection| {
        (prediction.source().to_owned(), found.class.0, found.score, found.bbox.xyxy())
    };
    results.detections().iter().map(row).collect()
}

fn all(model: &Model, input: impl Into<Input>, settings: &Settings) -> Vec<Rows> {
    model.predict(input, settings).unwrap().map(|prediction| rows(&prediction.unwrap())).collect()
}

#[test]
fn a_model_elsewhere_is_like_one_here() {
    let server = start();
    let (remote, local) = (connect(&server), Model::from_predictor(FAR));
    assert_eq!((remote.name(), remote.labels()), ("reader", local.labels()));
    assert_eq!(remote.device(), url(&server));
    let images = || Input::List((0..70).map(|red| input(red, 0)).collect());
    for batch in [1, 7, 64] {
        let settings = Settings { batch_size: NonZeroUsize::new(batch), ..Settings::default() };
        let found = all(&remote, images(), &settings);
        assert_eq!(found, all(&local, images(), &settings));
        assert_eq!((found.len(), found[69][0].3), (70, [69.0, 20.0, 79.0, 30.0]));
    }
    for settings in [
        Settings { conf: Some(0.5), ..Settings::default() },
        Settings { classes: Some(vec!["other".into()]), ..Settings::default() },
        Settings { conf: Some(0.5), classes: Some(vec!["other".into()]), ..Settings::default() },
    ] {
        assert_eq!(all(&remote, images(), &settings), all(&local, images(), &settings));
    }
}

#[test]
fn a_video_is_tracked_here_and_looked_at_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mp4");
    let mut video = VideoWriter::create(&path, None, 25.0).unwrap();
    let picture = picture(120, 0);
    for frame in 0..12 {
        video.write(&Canvas::from_view(&crate::common::frame(&picture).image), frame * 40_000).unwrap();
    }
    video.finish().unwrap();
    let server = start();
    let settings = Settings { tracking: Some(Tracking::default()), conf: Some(0.5), ..Settings::default() };
    let model = Model::connect(&url(&server)).unwrap();
    let predictions: Vec<Prediction> =
        model.predict(path.as_path(), &settings).unwrap().map(Result::unwrap).collect();
    let frames: Vec<_> = predictions.iter().map(Prediction::frame_index).collect();
    assert_eq!(frames, (0..12).map(Some).collect::<Vec<_>>());
    let tracks: Vec<_> =
        predictions.iter().skip(2).flat_map(|p| p.track_ids().flatten().collect::<Vec<_>>()).collect();
    assert_eq!(tracks.len(), 10);
    assert!(tracks.iter().all(|track| *track == tracks[0]));
}

#[test]
fn a_frame_that_fails_there_fails_alone() {
    let server = start();
    let settings = Settings { batch_size: NonZeroUsize::new(3), ..Settings::default() };
    let images = Input::List([(1, 0), (2, 255), (3, 0)].map(|(red, green)| input(red, green)).to_vec());
    let results: Vec<_> = connect(&server).predict(images, &settings).unwrap().collect();
    let told: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(told, [true, false, true]);
    let error = results[1].as_ref().unwrap_err();
    assert!(error.to_string().contains("too green") && !error.is_fatal(), "{error}");
}

#[test]
fn a_token_is_shown_and_never_told() {
    let guarded = ServeOptions { token: Some(Token::new("s3cret")), ..options("127.0.0.1:0") };
    let server = Server::start(Model::from_predictor(FAR), guarded).unwrap();
    let address = server.address();
    for endpoint in [
        format!("http://any:s3cret@{address}").parse::<Endpoint>().unwrap(),
        format!("http://s3cret@{address}/").parse().unwrap(),
        url(&server).parse::<Endpoint>().unwrap().with_token("s3cret"),
    ] {
        let remote = Remote::connect(&endpoint, &exact()).unwrap();
        assert!(!format!("{remote:?} {endpoint:?} {endpoint}").contains("s3cret"));
    }
    for wrong in [format!("http://any:wr0ng@{address}"), url(&server)] {
        let error = Model::connect(&wrong).err().unwrap();
        assert!(matches!(error, RemoteError::Unauthorized { .. }) && !error.is_away(), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("wr0ng"));
    }
}

/// Settings of the connection go with every request; those of a prediction go before them.
#[test]
fn settings_of_the_other_side_go_with_every_request() {
    let server = start();
    let mut options = exact();
    options.settings.insert("conf".into(), 0.5.into());
    options.settings.insert("of_another_model".into(), "yes".into());
    let model = Model::connect_with(&url(&server).parse().unwrap(), &options).unwrap();
    let scores = |conf| {
        let found = all(&model, input(5, 0), &Settings { conf, ..Settings::default() });
        found[0].iter().map(|row| row.2).collect::<Vec<_>>()
    };
    assert_eq!((scores(None), scores(Some(0.3))), (vec![0.75], vec![0.75, 0.375]));
}

#[test]
fn what_is_wrong_is_told() {
    let mut server = start();
    let mut remote = Remote::connect(&url(&server).parse().unwrap(), &exact()).unwrap();
    let mut results = PredictionsBuf::new(4, 0, 0);
    let picture = picture(5, 0);
    let options = eyespot_core::PredictOptions::new();
    remote.predict(&crate::common::frame(&picture), &options, results.view_mut()).unwrap();
    assert_eq!(results.view().len(), 2);
    // A size for a model that has none.
    let sized = options.with_img_size(eyespot_core::InputSize::square(64));
    let error = remote.predict(&crate::common::frame(&picture), &sized, results.view_mut()).unwrap_err();
    assert!(matches!(error, RemoteError::Status { status: 400, .. }) && !error.is_away(), "{error}");
    server.stop();
    let error = remote.predict(&crate::common::frame(&picture), &options, results.view_mut()).unwrap_err();
    assert!(error.is_away() && error.kind() == ErrorKind::Io, "{error:?}");
    // Something else that speaks HTTP.
    let other = eyespot_tests::http::Server::start(|_, _, stream| {
        eyespot_tests::http::respond(stream, 200, &[("Content-Length", "5")], b"hello");
    });
    let error = Model::connect(&other.url()).err().unwrap();
    assert!(matches!(error, RemoteError::Answer { .. }), "{error}");
    let mut options = RemoteOptions::default();
    options.certificate = Some("no/such.pem".into());
    let error = Model::connect_with(&other.url().parse().unwrap(), &options).err().unwrap();
    assert!(error.to_string().contains("no/such.pem"), "{error}");
}
