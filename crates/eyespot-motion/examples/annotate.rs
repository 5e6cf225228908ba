//! Draws what moves into a raw RGB video from standard input:
//!
//! ```sh
//! ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - \
//!   | cargo run --release -p eyespot-motion --example annotate -- 640 360 30 \
//!   | ffmpeg -f rawvideo -pix_fmt rgb24 -s 640x360 -r 30 -i - out.mp4
//! ```

use std::error::Error;
use std::io::{Read, Write};

use eyespot_core::{
    BBox, Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage, Predictor,
};
use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u16>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (width, height, fps) = (next(640)?, next(360)?, next(30)?);
    let mut motion =
        MotionPredictor::new(MotionConfig::default(), Box::new(MotionStorage::<160, 120>::new()))?;
    let mut results = Predictions::<64>::new();
    let mut pixels = vec![0; PixelFormat::Rgb8.image_bytes(width, height)];
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    for index in 0u64.. {
        if input.read_exact(&mut pixels).is_err() {
            break;
        }
        let image = ImageView::packed(&pixels, width, height, PixelFormat::Rgb8)?;
        let frame = Frame::new(image, index, index * 1_000_000 / u64::from(fps.max(1)));
        results.view_mut().clear();
        motion.predict(&frame, &PredictOptions::new(), results.view_mut())?;
        for detection in results.view().detections() {
            eprintln!("{index} {:.0?} {:.2}", detection.bbox.xyxy(), detection.score);
            outline(&mut pixels, usize::from(width), detection.bbox);
        }
        output.write_all(&pixels)?;
    }
    Ok(())
}

fn outline(pixels: &mut [u8], width: usize, bbox: BBox) {
    let [left, top, right, bottom] = bbox.xyxy().map(|edge| edge as usize);
    for y in top..bottom {
        for x in left..right {
            if x < left + 2 || x + 2 >= right || y < top + 2 || y + 2 >= bottom {
                pixels[(y * width + x) * 3..][..3].copy_from_slice(&[255, 32, 96]);
            }
        }
    }
}
