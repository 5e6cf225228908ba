//! Colours that are easy to tell apart.

use crate::canvas::Rgb;

/// The colour of a class or track: the same number always gets the same one, and neighbours differ most.
///
/// Hues follow the golden angle, so that any first `n` are spread over the circle; lightness changes from one to the
/// next. Equal steps look equal in Oklch (Björn Ottosson, "A perceptual color space for image processing", 2020).
#[must_use]
pub fn color_of(index: u32) -> Rgb {
    // Taken modulo a power of two first: an `f32` would lose the fraction of large numbers.
    let turns = f64::from(index % (1 << 16)) * 0.381_966_011_250_105 + 0.08;
    let lightness = [0.72, 0.62, 0.80][(index % 3) as usize];
    let hue = (turns.fract() * std::f64::consts::TAU) as f32;
    // The strongest chroma that the screen shows at this hue.
    (1..=20).rev().find_map(|step| oklch_to_srgb(lightness, step as f32 * 0.01, hue)).unwrap_or([128; 3])
}

/// Black or white, whichever reads better on a colour (contrast of WCAG 2.1, 1.4.3).
pub(crate) fn text_color(background: Rgb) -> Rgb {
    let [r, g, b] = background.map(|channel| {
        let channel = f32::from(channel) / 255.0;
        if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    let luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    // Equal contrast to both: sqrt(1.05 * 0.05) - 0.05.
    if luminance > 0.179 { [0; 3] } else { [255; 3] }
}

/// `None` where sRGB has no such colour.
fn oklch_to_srgb(lightness: f32, chroma: f32, hue: f32) -> Option<Rgb> {
    let (a, b) = (chroma * hue.cos(), chroma * hue.sin());
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    let linear = [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ];
    if linear.iter().any(|channel| !(-0.0005..=1.0005).contains(channel)) {
        return None;
    }
    Some(linear.map(|channel| {
        let channel = channel.clamp(0.0, 1.0);
        let gamma =
            if channel <= 0.003_130_8 { channel * 12.92 } else { 1.055 * channel.powf(1.0 / 2.4) - 0.055 };
        (gamma * 255.0).round() as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklch_agrees_with_known_colours() {
        // sRGB red in Oklch, after Ottosson's reference code: L 0.62796, C 0.25768, h 29.23 degrees.
        let red = oklch_to_srgb(0.627_96, 0.257_68, 29.23_f32.to_radians()).unwrap();
        assert!(red[0] >= 254 && red[1] <= 4 && red[2] <= 4, "{red:?}");
        assert_eq!(oklch_to_srgb(1.0, 0.0, 0.0), Some([255; 3]));
        assert_eq!(oklch_to_srgb(0.5, 0.4, 2.0), None);
    }

    #[test]
    fn the_first_colours_are_far_apart_and_legible() {
        let colors: Vec<_> = (0..12).map(color_of).collect();
        for (index, a) in colors.iter().enumerate() {
            for b in &colors[..index] {
                let distance: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum();
                assert!(distance > 30 * 30, "{a:?} {b:?}");
            }
        }
        assert_eq!(text_color([255; 3]), [0; 3]);
        assert_eq!(text_color([20, 20, 120]), [255; 3]);
        assert_eq!(color_of(7), color_of(7));
        let _ = color_of(u32::MAX);
    }
}
