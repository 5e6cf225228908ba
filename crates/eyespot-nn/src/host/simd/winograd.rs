//! The transforms of F(2 x 2, 3 x 3) (Lavin and Gray, arXiv:1509.09308), first down the columns, then along the rows. The
//! compiler finds the vectors.

/// Four lines of an image: their four combinations.
#[inline(always)]
pub(super) fn lines([a, b, c, d]: [&[f32]; 4], to: [&mut [f32]; 4]) {
    let [w, x, y, z] = to;
    let len = w.len();
    let [Some(a), Some(b), Some(c), Some(d)] = [a, b, c, d].map(|line| line.get(..len)) else { return };
    let [Some(x), Some(y), Some(z)] = [x, y, z].map(|line| line.get_mut(..len)) else { return };
    for at in 0..len {
        w[at] = a[at] - c[at];
        x[at] = b[at] + c[at];
        y[at] = c[at] - b[at];
        z[at] = b[at] - d[at];
    }
}

/// A combined line, whose tiles of four pixels start two pixels apart: the four combinations of each tile.
#[inline(always)]
pub(super) fn pixels(line: &[f32], channels: usize, to: [&mut [f32]; 4]) {
    let [w, x, y, z] = to.map(|to| to.chunks_exact_mut(channels));
    let tiles = line.windows(4 * channels).step_by(2 * channels);
    for ((((line, w), x), y), z) in tiles.zip(w).zip(x).zip(y).zip(z) {
        let (a, rest) = line.split_at(channels);
        let (b, rest) = rest.split_at(channels);
        let (c, d) = rest.split_at(channels);
        lines([a, b, c, d], [w, x, y, z]);
    }
}

/// Four lines of products: the two lines of sums.
#[inline(always)]
pub(super) fn sums([a, b, c, d]: [&[f32]; 4], to: [&mut [f32]; 2]) {
    let [x, y] = to;
    let len = x.len();
    let [Some(a), Some(b), Some(c), Some(d)] = [a, b, c, d].map(|line| line.get(..len)) else { return };
    let Some(y) = y.get_mut(..len) else { return };
    for at in 0..len {
        let (sum, difference) = (b[at] + c[at], b[at] - c[at]);
        x[at] = a[at] + sum;
        y[at] = difference - d[at];
    }
}

/// Four lines of sums: the pixels of an output line, two of each tile; of the last tile perhaps one.
#[inline(always)]
pub(super) fn outputs([a, b, c, d]: [&[f32]; 4], bias: &[f32], to: &mut [f32]) {
    let channels = bias.len();
    let [a, b, c, d] = [a, b, c, d].map(|line| line.chunks_exact(channels));
    for ((((to, a), b), c), d) in to.chunks_mut(2 * channels).zip(a).zip(b).zip(c).zip(d) {
        let (x, y) = to.split_at_mut(channels);
        for (at, x) in x.iter_mut().enumerate() {
            *x = a[at] + b[at] + c[at] + bias[at];
        }
        for (at, y) in y.iter_mut().enumerate() {
            *y = b[at] - c[at] - d[at] + bias[at];
        }
    }
}
