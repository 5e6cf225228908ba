//! Models that see what the test put into its images, and a server for one of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use eyespot_core::{
    BBox, ClassId, Detection, Error, ErrorKind, ErrorType, Frame, ImageView, ModelSpec, PixelFormat,
    PredictOptions, PredictionsMut, Predictor,
};
use eyespot_media::{Input, MemoryImage};
use eyespot_runtime::Model;
use eyespot_serve::{ServeOptions, Server};

/// Finds a box whose left edge is the red of the first pixel, once as each of its classes. Fails where there is much green.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) labels: &'static [&'static str],
    /// Where the top of the box is, to tell readers apart.
    pub(crate) top: f32,
}

#[derive(Debug, thiserror::Error)]
#[error("too green")]
pub(crate) struct TooGreen;

impl Error for TooGreen {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

impl ErrorType for Reader {
    type Error = TooGreen;
}

impl Predictor for Reader {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("reader", None, self.labels)
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), TooGreen> {
        let [red, green, _] = frame.image.rgb(0, 0);
        if green > 200 {
            return Err(TooGreen);
        }
        let bbox = BBox::from_xywh(f32::from(red), self.top, 10.0, 10.0);
        for (class, score) in (0..self.labels.len() as u16).zip([0.75, 0.375, 0.625]) {
            if score >= options.conf_or(0.25) && options.classes().keeps(ClassId(class)) {
                out.push(Detection::new(bbox, score, ClassId(class)));
            }
        }
        Ok(())
    }
}

/// What runs on the server.
pub(crate) const FAR: Reader = Reader { labels: &["thing", "other"], top: 20.0 };
/// What runs here.
pub(crate) const NEAR: Reader = Reader { labels: &["other", "near"], top: 40.0 };

pub(crate) fn options(address: &str) -> ServeOptions {
    ServeOptions { address: address.parse().unwrap(), ..ServeOptions::default() }
}

pub(crate) fn start() -> Server {
    Server::start(Model::from_predictor(FAR), options("127.0.0.1:0")).unwrap()
}

/// A server at an address that another one has just left.
pub(crate) fn restart(address: SocketAddr) -> Server {
    let start = Instant::now();
    loop {
        match Server::start(Model::from_predictor(FAR), options(&address.to_string())) {
            Ok(server) => return server,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(20), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn url(server: &Server) -> String {
    format!("http://{}", server.address())
}

/// A picture of 200 x 100 pixels of this red and green.
pub(crate) fn picture(red: u8, green: u8) -> Vec<u8> {
    [red, green, 0].repeat(200 * 100)
}

pub(crate) fn frame(picture: &[u8]) -> Frame<'_> {
    Frame::still(ImageView::packed(picture, 200, 100, PixelFormat::Rgb8).unwrap())
}

/// The picture as an input of a session.
pub(crate) fn input(red: u8, green: u8) -> Input {
    let mut file = b"P6 200 100 255\n".to_vec();
    file.extend(picture(red, green));
    Input::Image(MemoryImage::encoded(file).named(format!("{red}.ppm")))
}
