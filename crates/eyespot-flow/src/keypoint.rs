//! Keypoints that can be recognised: FAST corners with rotated BRIEF descriptors.
//!
//! E. Rosten and T. Drummond, Machine learning for high-speed corner detection, 2006; M. Calonder and others, BRIEF,
//! 2010; E. Rublee and others, ORB, 2011. The pattern of tests is our own: drawn at random, dense in the middle.

use crate::corner::tile_side;
use crate::level::Level;

/// Least difference of grey between the middle and the circle of a corner.
const THRESHOLD: i16 = 12;

/// Pixels around a keypoint that its descriptor may look at, at any turn.
pub(crate) const MARGIN: usize = 15;

/// Radius of the disc whose centre of brightness tells the direction.
const DISC: isize = 7;

/// The circle of radius 3, clockwise from the top: x, y.
const CIRCLE: [(isize, isize); 16] = [
    (0, -3),
    (1, -3),
    (2, -2),
    (3, -1),
    (3, 0),
    (3, 1),
    (2, 2),
    (1, 3),
    (0, 3),
    (-1, 3),
    (-2, 2),
    (-3, 1),
    (-3, 0),
    (-3, -1),
    (-2, -2),
    (-1, -3),
];

/// Pairs of places whose brightness is compared: x1, y1, x2, y2.
const TESTS: [[i8; 4]; 256] = tests();

const fn tests() -> [[i8; 4]; 256] {
    let mut tests = [[0; 4]; 256];
    let mut state = 0x2545_F491_u32;
    let mut index = 0;
    while index < 4 * 256 {
        // The sum of three uniform numbers is dense in the middle.
        let (mut sum, mut draw) = (0, 0);
        while draw < 3 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            sum += (state >> 8) % 7;
            draw += 1;
        }
        tests[index / 4][index % 4] = sum as i8 - 9;
        index += 1;
    }
    tests
}

/// A place and what it looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keypoint {
    pub(crate) x: u16,
    pub(crate) y: u16,
    score: u16,
    pub(crate) descriptor: [u64; 4],
}

impl Keypoint {
    pub(crate) const ZERO: Self = Self { x: 0, y: 0, score: 0, descriptor: [0; 4] };

    /// How many tests come out otherwise.
    #[inline]
    pub(crate) fn difference(&self, other: &Self) -> u32 {
        let pairs = self.descriptor.iter().zip(&other.descriptor);
        pairs.map(|(one, two)| (one ^ two).count_ones()).sum()
    }

    /// The strongest corner in a rectangle `x1, y1, x2, y2`, with its descriptor.
    pub(crate) fn strongest(level: &Level<'_>, [x1, y1, x2, y2]: [usize; 4]) -> Option<Self> {
        let mut best = Self::ZERO;
        for y in y1.max(MARGIN)..y2.min(level.height.saturating_sub(MARGIN)) {
            for x in x1.max(MARGIN)..x2.min(level.width.saturating_sub(MARGIN)) {
                let score = corner_score(level, x, y);
                if score > best.score {
                    best = Self { x: x as u16, y: y as u16, score, ..Self::ZERO };
                }
            }
        }
        if best.score == 0 {
            return None;
        }
        best.descriptor = describe(level, usize::from(best.x), usize::from(best.y));
        Some(best)
    }
}

/// Fills `keypoints` with the strongest of each tile and returns how many there are.
pub(crate) fn find_keypoints(level: &Level<'_>, keypoints: &mut [Keypoint]) -> usize {
    let side = tile_side(level.width, level.height, keypoints.len());
    let (rows, columns) = (level.height.div_ceil(side), level.width.div_ceil(side));
    let tiles = (0..rows * columns).filter_map(|tile| {
        let (x, y) = (tile % columns * side, tile / columns * side);
        Keypoint::strongest(level, [x, y, x + side, y + side])
    });
    let mut count = 0;
    for (slot, keypoint) in keypoints.iter_mut().zip(tiles) {
        *slot = keypoint;
        count += 1;
    }
    count
}

#[inline]
fn pixel(level: &Level<'_>, x: usize, y: usize, (dx, dy): (isize, isize)) -> i16 {
    let index = y.wrapping_add_signed(dy) * level.width + x.wrapping_add_signed(dx);
    level.data.get(index).copied().map_or(0, i16::from)
}

/// 0 unless nine neighbours on the circle are all brighter or all darker; else by how much, in all.
#[inline]
fn corner_score(level: &Level<'_>, x: usize, y: usize) -> u16 {
    let middle = pixel(level, x, y, (0, 0));
    let differs = |place: usize| pixel(level, x, y, CIRCLE[place]) - middle;
    // Nine of sixteen in a row hold at least two of these four.
    let compass = [differs(0), differs(4), differs(8), differs(12)];
    let brighter = compass.iter().filter(|&&difference| difference > THRESHOLD).count();
    let darker = compass.iter().filter(|&&difference| difference < -THRESHOLD).count();
    if brighter.max(darker) < 2 {
        return 0;
    }
    let (mut bright, mut dark) = ((0u32, 0u16), (0u32, 0u16));
    for place in 0..CIRCLE.len() {
        let difference = differs(place);
        let side = if difference > THRESHOLD {
            &mut bright
        } else if difference < -THRESHOLD {
            &mut dark
        } else {
            continue;
        };
        side.0 |= 0x1_0001 << place;
        side.1 += difference.unsigned_abs();
    }
    let nine_in_a_row = |mask: u32| {
        let two = mask & mask >> 1;
        let four = two & two >> 2;
        four & four >> 4 & mask >> 8 != 0
    };
    let score = |(mask, sum)| if nine_in_a_row(mask) { sum } else { 0 };
    score(bright).max(score(dark))
}

fn describe(level: &Level<'_>, x: usize, y: usize) -> [u64; 4] {
    let (mut right, mut down) = (0i32, 0i32);
    for dy in -DISC..=DISC {
        for dx in -DISC..=DISC {
            if dx * dx + dy * dy <= DISC * DISC {
                let value = i32::from(pixel(level, x, y, (dx, dy)));
                right += value * dx as i32;
                down += value * dy as i32;
            }
        }
    }
    let (right, down) = (right as f32, down as f32);
    let length = libm::sqrtf(right * right + down * down).max(1.0);
    let (cos, sin) = (right / length, down / length);
    let turned = |dx: i8, dy: i8| {
        let (dx, dy) = (f32::from(dx), f32::from(dy));
        // Rounds to the nearest: the values are small and 16 makes them positive.
        let round = |value: f32| (value + 16.5) as isize - 16;
        pixel(level, x, y, (round(cos * dx - sin * dy), round(sin * dx + cos * dy)))
    };
    let mut descriptor = [0; 4];
    for (word, tests) in descriptor.iter_mut().zip(TESTS.chunks_exact(64)) {
        for (bit, &[x1, y1, x2, y2]) in tests.iter().enumerate() {
            *word |= u64::from(turned(x1, y1) < turned(x2, y2)) << bit;
        }
    }
    descriptor
}
