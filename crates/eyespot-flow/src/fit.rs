//! The similarity (turn, zoom, shift) that most matches agree on.
//!
//! M. Fischler and R. Bolles, Random sample consensus, 1981, with the bounded cost of P. Torr and A. Zisserman,
//! MLESAC, 2000; then iteratively re-weighted least squares with the weights of J. Tukey's biweight.

/// A place in the previous frame and where it went, in pixels of the working image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Match {
    pub(crate) from: [f32; 2],
    pub(crate) to: [f32; 2],
    /// Inverse covariance of `to`: xx, xy, yy.
    pub(crate) information: [f32; 3],
    /// Distance from the fit, in standard deviations of the match.
    pub(crate) distance: f32,
}

impl Match {
    pub(crate) const ZERO: Self = Self { from: [0.0; 2], to: [0.0; 2], information: [0.0; 3], distance: 0.0 };
}

/// `x' = a x - b y + tx`, `y' = b x + a y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Similarity {
    pub(crate) a: f32,
    pub(crate) b: f32,
    pub(crate) tx: f32,
    pub(crate) ty: f32,
}

impl Similarity {
    #[inline]
    pub(crate) const fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty]
    }

    #[inline]
    fn miss(&self, one: &Match) -> [f32; 2] {
        let [x, y] = self.apply(one.from);
        [one.to[0] - x, one.to[1] - y]
    }

    /// The one that moves both matches exactly; `None` where they are too close to tell.
    fn of_pair(one: &Match, two: &Match) -> Option<Self> {
        let (dx, dy) = (two.from[0] - one.from[0], two.from[1] - one.from[1]);
        let (ex, ey) = (two.to[0] - one.to[0], two.to[1] - one.to[1]);
        let square = dx * dx + dy * dy;
        if square < 64.0 {
            return None;
        }
        let (a, b) = ((dx * ex + dy * ey) / square, (dx * ey - dy * ex) / square);
        let [x, y] = one.from;
        Some(Self { a, b, tx: one.to[0] - a * x + b * y, ty: one.to[1] - b * x - a * y })
    }
}

/// Most samples that are tried.
const SAMPLES: u32 = 200;

/// The similarity with the least bounded cost, and how many matches lie within `threshold` pixels of it.
pub(crate) fn consensus(matches: &[Match], threshold: f32) -> Option<(Similarity, usize)> {
    let count = u32::try_from(matches.len()).ok().filter(|&count| count >= 2)?;
    let bound = threshold * threshold;
    let mut state = 0x9E37_79B9_u32;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        ((u64::from(state) * u64::from(count)) >> 32) as usize
    };
    let (mut best, mut best_cost, mut best_inliers) = (None, f32::MAX, 0);
    let (mut sample, mut needed) = (0, SAMPLES);
    while sample < needed {
        sample += 1;
        let (one, two) = (draw(), draw());
        let Some(trial) = Similarity::of_pair(&matches[one], &matches[two]) else { continue };
        let (mut cost, mut inliers) = (0.0, 0);
        for one in matches {
            let [x, y] = trial.miss(one);
            let square = x * x + y * y;
            if square < bound {
                cost += square;
                inliers += 1;
            } else {
                cost += bound;
            }
            if cost >= best_cost {
                break;
            }
        }
        if cost < best_cost {
            (best, best_cost, best_inliers) = (Some(trial), cost, inliers);
            // Enough samples that with 99.9 % one of them has two inliers, and some more: the best pair is wanted,
            // not any.
            let ratio = inliers as f32 / count as f32;
            let miss = (1.0 - ratio * ratio).clamp(1e-6, 1.0 - 1e-6);
            needed = ((-6.9 / libm::logf(miss)) as u32 + 20).min(SAMPLES);
        }
    }
    best.map(|best| (best, best_inliers))
}

/// Distance in standard deviations from which on a match counts for nothing.
const TUKEY: f32 = 4.7;

/// Improves `start` on the matches that agree with it and returns it with the number of them. Matches farther than
/// `reach` pixels are left out.
pub(crate) fn polish(matches: &mut [Match], start: Similarity, reach: f32) -> Option<(Similarity, usize)> {
    let mut fit = start;
    let mut inliers = 0;
    for _ in 0..ROUNDS {
        for one in matches.iter_mut() {
            let [x, y] = fit.miss(one);
            let [xx, xy, yy] = one.information;
            let square = xx * x * x + 2.0 * xy * x * y + yy * y * y;
            let near = x * x + y * y < reach * reach;
            one.distance = if near { libm::sqrtf(square.max(0.0)) } else { f32::INFINITY };
        }
        let middle = matches.len() / 2;
        if matches.len() < 2 {
            return None;
        }
        let (_, median, _) =
            matches.select_nth_unstable_by(middle, |one, two| one.distance.total_cmp(&two.distance));
        // The median of the length of a normal vector in the plane is 1.177 standard deviations.
        let sigma = (median.distance / 1.177).clamp(0.5, 10.0);
        let next;
        (next, inliers) = solve(matches, TUKEY * sigma)?;
        let moved = (next.a - fit.a).abs().max((next.b - fit.b).abs()) * 500.0
            + (next.tx - fit.tx).abs().max((next.ty - fit.ty).abs());
        fit = next;
        if moved < 2e-3 {
            break;
        }
    }
    Some((fit, inliers))
}

/// Rounds of re-weighting at most.
const ROUNDS: usize = 10;

/// Weighted least squares of the matches within `limit` standard deviations.
fn solve(matches: &[Match], limit: f32) -> Option<(Similarity, usize)> {
    let weight = |one: &Match| {
        let share = 1.0 - (one.distance / limit) * (one.distance / limit);
        if share > 0.0 { share * share } else { 0.0 }
    };
    // Coordinates from the middle of the matches keep the equations well conditioned in 32 bits.
    let (mut total, mut middle, mut target, mut inliers) = (0.0f32, [0.0f32; 2], [0.0f32; 2], 0);
    for one in matches {
        let weight = weight(one);
        total += weight;
        inliers += usize::from(weight > 0.0);
        for axis in 0..2 {
            middle[axis] += weight * one.from[axis];
            target[axis] += weight * one.to[axis];
        }
    }
    if total.is_nan() || total <= 1e-3 {
        return None;
    }
    let (middle, target) = (middle.map(|sum| sum / total), target.map(|sum| sum / total));
    // Unknowns: a, b, tx, ty of the centred similarity; the last column is the right side.
    let mut system = [[0.0f32; 5]; 4];
    for one in matches {
        let weight = weight(one);
        if weight == 0.0 {
            continue;
        }
        let [xx, xy, yy] = one.information.map(|entry| entry * weight);
        let (x, y) = (one.from[0] - middle[0], one.from[1] - middle[1]);
        let (u, v) = (one.to[0] - target[0], one.to[1] - target[1]);
        let row_x = [x, -y, 1.0, 0.0];
        let row_y = [y, x, 0.0, 1.0];
        let (weighted_u, weighted_v) = (xx * u + xy * v, xy * u + yy * v);
        for i in 0..4 {
            let (left_x, left_y) = (xx * row_x[i] + xy * row_y[i], xy * row_x[i] + yy * row_y[i]);
            for j in i..4 {
                system[i][j] += left_x * row_x[j] + left_y * row_y[j];
            }
            system[i][4] += row_x[i] * weighted_u + row_y[i] * weighted_v;
        }
    }
    let [a, b, tx, ty] = solve_symmetric(system)?;
    let (tx, ty) =
        (target[0] + tx - a * middle[0] + b * middle[1], target[1] + ty - b * middle[0] - a * middle[1]);
    Some((Similarity { a, b, tx, ty }, inliers))
}

/// Solves four equations whose left side is symmetric and positive; only its upper half is read.
fn solve_symmetric(mut system: [[f32; 5]; 4]) -> Option<[f32; 4]> {
    for pivot in 0..4 {
        let divisor = system[pivot][pivot];
        if divisor.is_nan() || divisor <= 1e-9 {
            return None;
        }
        for row in pivot + 1..4 {
            let share = system[pivot][row] / divisor;
            let upper = system[pivot];
            for (entry, above) in system[row].iter_mut().zip(upper).skip(row) {
                *entry -= share * above;
            }
        }
    }
    let mut solution = [0.0; 4];
    for row in (0..4).rev() {
        let mut rest = system[row][4];
        for column in row + 1..4 {
            rest -= system[row][column] * solution[column];
        }
        solution[row] = rest / system[row][row];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}
