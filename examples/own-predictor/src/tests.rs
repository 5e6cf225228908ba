use super::*;
use eyespot::core::{ImageView, PixelFormat};
use eyespot::media::Canvas;

#[test]
fn the_light_is_found() {
    let mut pixels = vec![50; 64 * 48];
    for row in pixels.chunks_mut(64).skip(10).take(20) {
        row[8..40].fill(250);
    }
    let image = Canvas::from_view(&ImageView::packed(&pixels, 64, 48, PixelFormat::Gray8).unwrap());
    let found = detect(image).unwrap();
    assert_eq!(found[0].boxes().collect::<Vec<_>>(), [BBox::new(8.0, 10.0, 40.0, 30.0)]);
    assert_eq!(found[0].scores().collect::<Vec<_>>(), [1.0]);
    assert_eq!(detect(Canvas::new(8, 8)).unwrap()[0].boxes().len(), 0);
}
