//! Masks lose no pixel on their way through results, JSON, pictures and Supervisely's bitmaps.

#![allow(clippy::unwrap_used)]

use eyespot_core::{
    BBox, ClassId, Detection, FrameInfo, ImageView, MaskRect, PixelFormat, PredictionsBuf,
    PredictionsStorage, Record, Sink, SourceId,
};
use eyespot_media::{Canvas, JsonLines, read_frame, save_image};
use eyespot_supervisely::format::{BitMask, Bitmap};
use eyespot_tests::data;
use serde_json::Value;

/// The pixels of an object in its image.
struct Object {
    width: u16,
    height: u16,
    /// Row by row, for the whole image.
    pixels: Vec<bool>,
}

impl Object {
    /// Fills polygons by the even-odd rule at the centres of pixels. Several polygons are parts of one object.
    fn new(width: u16, height: u16, polygons: &[Vec<f64>]) -> Self {
        let mut pixels = vec![false; usize::from(width) * usize::from(height)];
        for (y, row) in pixels.chunks_exact_mut(width.into()).enumerate() {
            let y = y as f64 + 0.5;
            for polygon in polygons {
                let corners: Vec<_> = polygon.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                let next = corners.iter().cycle().skip(1);
                let mut crossings: Vec<f64> = corners
                    .iter()
                    .zip(next)
                    .filter(|((_, y0), (_, y1))| (*y0 <= y) != (*y1 <= y))
                    .map(|((x0, y0), (x1, y1))| x0 + (y - y0) / (y1 - y0) * (x1 - x0))
                    .collect();
                crossings.sort_by(f64::total_cmp);
                for span in crossings.chunks_exact(2) {
                    for (x, pixel) in row.iter_mut().enumerate() {
                        *pixel |= (span[0]..span[1]).contains(&(x as f64 + 0.5));
                    }
                }
            }
        }
        Self { width, height, pixels }
    }

    fn get(&self, x: u16, y: u16) -> bool {
        self.pixels[usize::from(y) * usize::from(self.width) + usize::from(x)]
    }

    /// The smallest rectangle around it; `None` where it has no pixel.
    fn rect(&self) -> Option<MaskRect> {
        let rows: Vec<u16> = (0..self.height).filter(|&y| (0..self.width).any(|x| self.get(x, y))).collect();
        let columns: Vec<u16> =
            (0..self.width).filter(|&x| (0..self.height).any(|y| self.get(x, y))).collect();
        let (x, y) = (*columns.first()?, *rows.first()?);
        Some(MaskRect { x, y, width: columns.last()? - x + 1, height: rows.last()? - y + 1 })
    }

    fn is(&self, contains: impl Fn(u16, u16) -> bool) -> bool {
        (0..self.height).all(|y| (0..self.width).all(|x| self.get(x, y) == contains(x, y)))
    }
}

/// Image size, and the polygons of each object in it.
type Truth = Vec<(u16, u16, Vec<Vec<Vec<f64>>>)>;

fn truth() -> Option<Truth> {
    let text = std::fs::read(data("coco/instances.json")?).unwrap();
    let truth: Value = serde_json::from_slice(&text).unwrap();
    let images = truth["images"].as_array().unwrap();
    let objects = truth["annotations"].as_array().unwrap();
    let of = |image: &Value| {
        let side = |name: &str| u16::try_from(image[name].as_u64().unwrap()).unwrap();
        let polygons = objects
            .iter()
            // Crowds are run lengths, not polygons.
            .filter(|object| object["image_id"] == image["id"] && object["iscrowd"] == 0)
            .map(|object| serde_json::from_value(object["segmentation"].clone()).unwrap());
        (side("width"), side("height"), polygons.collect())
    };
    Some(images.iter().map(of).collect())
}

#[test]
fn no_pixel_of_the_coco_masks_is_lost() {
    let Some(images) = truth() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut total = 0;
    for (width, height, polygons) in images {
        let objects: Vec<Object> =
            polygons.iter().map(|polygons| Object::new(width, height, polygons)).collect();
        let objects: Vec<(&Object, MaskRect)> =
            objects.iter().filter_map(|object| Some((object, object.rect()?))).collect();
        let mut results = PredictionsBuf::new(objects.len().max(1), 4 << 20, 0);
        for (object, rect) in &objects {
            let corner = |at: u16, len: u16| f32::from(at) + f32::from(len);
            let bbox = BBox::new(
                rect.x.into(),
                rect.y.into(),
                corner(rect.x, rect.width),
                corner(rect.y, rect.height),
            );
            let mut view = results.view_mut();
            let index = view.push(Detection::new(bbox, 0.5, ClassId(0))).unwrap();
            assert!(view.set_mask_with(index, *rect, |x, y| object.get(rect.x + x, rect.y + y)));
        }
        let view = results.view();

        let info = FrameInfo { width, height, source: SourceId(0), ..FrameInfo::default() };
        let mut lines = JsonLines::new(Vec::new(), &["object"]);
        lines.write(&Record { info, name: None, image: None, predictions: view }).unwrap();
        let line: Value = serde_json::from_slice(&lines.into_inner().unwrap()).unwrap();

        for (number, ((object, _), mask)) in objects.iter().zip(view.masks()).enumerate() {
            let mask = mask.unwrap();
            assert!(object.is(|x, y| mask.contains(x, y)), "results");
            total += mask.area();

            let counts = line["objects"][number]["mask"]["counts"].as_array().unwrap();
            let mut columns = Vec::new();
            for (run, count) in counts.iter().enumerate() {
                columns.extend(std::iter::repeat_n(run % 2 == 1, count.as_u64().unwrap() as usize));
            }
            assert_eq!(columns.len(), object.pixels.len());
            assert!(object.is(|x, y| columns[usize::from(x) * usize::from(height) + usize::from(y)]), "JSON");

            let bitmap = Bitmap::encode(&BitMask::from(&mask)).unwrap();
            let text = serde_json::to_string(&bitmap).unwrap();
            let back = serde_json::from_str::<Bitmap>(&text).unwrap().decode().unwrap();
            assert!(object.is(|x, y| back.contains(x.into(), y.into())), "bitmap");

            // As a picture, of a few: PNG files of whole images take their time.
            if number < 2 {
                let pixels: Vec<u8> = object.pixels.iter().map(|&set| if set { 255 } else { 0 }).collect();
                let image = ImageView::packed(&pixels, width, height, PixelFormat::Gray8).unwrap();
                let path = folder.path().join("mask.png");
                save_image(&Canvas::from_view(&image), &path, None).unwrap();
                let back = read_frame(&path, 0).unwrap();
                let at = |x: u16, y: u16| back.pixels()[usize::from(y) * usize::from(width) + usize::from(x)];
                assert!(object.is(|x, y| at(x, y) == [255; 3]), "PNG");
            }
        }
    }
    assert!(total > 1_000_000, "{total}");
}
