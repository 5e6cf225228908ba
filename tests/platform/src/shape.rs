//! Shapes, checked.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::fields::{Fields, Refusal};

/// The fields of all shapes.
const FIELDS: [&str; 4] = ["points", "angle", "bitmap", "nodes"];

/// Takes the fields of shapes out of an object.
pub(crate) fn split(object: &mut Map<String, Value>) -> Map<String, Value> {
    FIELDS.iter().filter_map(|key| object.remove_entry(*key)).collect()
}

/// Checks the fields of a shape in an image of this size. Coordinates may lie on its border.
pub(crate) fn check(shape: &str, geometry: &Map<String, Value>, size: (u32, u32)) -> Result<(), Refusal> {
    let mut fields = Fields::new("geometry", Value::Object(geometry.clone()))?;
    let points = match shape {
        "rectangle" => {
            let corners = exterior(&mut fields, 2..=2)?;
            ordered(&corners)?;
            corners
        }
        "polygon" => exterior(&mut fields, 3..=usize::MAX)?,
        "line" => exterior(&mut fields, 2..=usize::MAX)?,
        "point" => exterior(&mut fields, 1..=1)?,
        "oriented_bbox" => {
            let corners: Vec<[f64; 2]> = fields.take("points")?;
            let _: f64 = fields.take("angle")?;
            ordered(&corners)?;
            // A rotated box may reach over the border.
            vec![]
        }
        "graph" => {
            let nodes: Map<String, Value> = fields.take("nodes")?;
            let mut places = vec![];
            for (_, node) in nodes {
                let mut node = Fields::new("node", node)?;
                places.push(node.take("loc")?);
                let _: Option<bool> = node.maybe("disabled")?;
                node.end()?;
            }
            if places.is_empty() {
                return Err(Refusal::bad("a graph without nodes"));
            }
            places
        }
        "bitmap" => bitmap(&mut fields)?,
        other => return Err(Refusal::bad(format!("the shape `{other}` is not emulated"))),
    };
    fields.end()?;
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    let outside = |&[x, y]: &[f64; 2]| !(0.0..=width).contains(&x) || !(0.0..=height).contains(&y);
    match points.iter().find(|point| outside(point)) {
        Some([x, y]) => {
            Err(Refusal::bad(format!("a {shape} reaches to ({x}, {y}) in an image of {width} x {height}")))
        }
        None => Ok(()),
    }
}

fn exterior(fields: &mut Fields, count: std::ops::RangeInclusive<usize>) -> Result<Vec<[f64; 2]>, Refusal> {
    let mut points = Fields::new("points", fields.take("points")?)?;
    let exterior: Vec<[f64; 2]> = points.take("exterior")?;
    let interior: Vec<Vec<[f64; 2]>> = points.take("interior")?;
    points.end()?;
    if !count.contains(&exterior.len()) {
        return Err(Refusal::bad(format!("{} points in `exterior`", exterior.len())));
    }
    Ok(exterior.into_iter().chain(interior.into_iter().flatten()).collect())
}

fn ordered(corners: &[[f64; 2]]) -> Result<(), Refusal> {
    match corners {
        [[left, top], [right, bottom]] if left <= right && top <= bottom => Ok(()),
        _ => Err(Refusal::bad("a box needs its top-left and its bottom-right corner")),
    }
}

/// The corners of a mask, which has to be a zlib stream of a PNG with at least one pixel set.
fn bitmap(fields: &mut Fields) -> Result<Vec<[f64; 2]>, Refusal> {
    let mut bitmap = Fields::new("bitmap", fields.take("bitmap")?)?;
    let [x, y]: [i64; 2] = bitmap.take("origin")?;
    let data: String = bitmap.take("data")?;
    bitmap.end()?;
    let bad = |reason: String| Refusal::bad(format!("bitmap: {reason}"));
    let packed = STANDARD.decode(data).map_err(|error| bad(error.to_string()))?;
    let mut png = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..])
        .read_to_end(&mut png)
        .map_err(|error| bad(error.to_string()))?;
    let picture = image::load_from_memory_with_format(&png, image::ImageFormat::Png);
    let picture = picture.map_err(|error| bad(error.to_string()))?.to_luma_alpha8();
    if picture.pixels().all(|pixel| pixel.0[0] == 0 || pixel.0[1] == 0) {
        return Err(bad("no pixel is set".to_owned()));
    }
    let (x, y) = (x as f64, y as f64);
    Ok(vec![[x, y], [x + f64::from(picture.width()), y + f64::from(picture.height())]])
}
