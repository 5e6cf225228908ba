//! Connected components of rows that arrive one after the other, in memory that depends on the width alone.
//!
//! The classic two-row scan (Rosenfeld and Pfaltz, 1966) over runs with a union-find of labels, whose slots are used
//! again as soon as a component is complete (Lumia, Shapiro and Zuniga, 1983). Time is proportional to the pixels.

use core::ops::Range;

/// What is summed up over the pixels of a component besides its box and area.
pub trait Stats: Copy {
    /// The sums over no pixels. All bits zero keeps static storage out of flash.
    const ZERO: Self;
    /// Adds the sums of another part of the same component.
    fn merge(&mut self, other: &Self);
}

impl Stats for () {
    const ZERO: Self = ();
    fn merge(&mut self, (): &Self) {}
}

/// A set of pixels with the same key that touch one another, also at corners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component<A = ()> {
    /// Key of its pixels, never 0.
    pub key: u8,
    /// First column.
    pub left: u16,
    /// First row.
    pub top: u16,
    /// Column after the last one.
    pub right: u16,
    /// Row after the last one.
    pub bottom: u16,
    /// Number of pixels.
    pub area: u32,
    /// Sums over its pixels.
    pub stats: A,
}

impl<A: Stats> Component<A> {
    const ZERO: Self = Self { key: 0, left: 0, top: 0, right: 0, bottom: 0, area: 0, stats: A::ZERO };

    fn merge(&mut self, other: &Self) {
        self.left = self.left.min(other.left);
        self.top = self.top.min(other.top);
        self.right = self.right.max(other.right);
        self.bottom = self.bottom.max(other.bottom);
        self.area += other.area;
        self.stats.merge(&other.stats);
    }
}

/// A place for an unfinished component. Its label is its index plus 1.
#[derive(Debug, Clone, Copy)]
struct Slot<A> {
    component: Component<A>,
    /// 0: free. Its own label: a component. Another label: a part of the component there.
    parent: u16,
    /// The row in which the component was seen last.
    seen: u16,
}

/// Memory for components of rows up to `W` pixels wide, of which at most `N` (below 65535) are unfinished at a time.
#[derive(Debug, Clone)]
pub struct ComponentStorage<const W: usize, const N: usize, A = ()> {
    labels: [[u16; W]; 2],
    slots: [Slot<A>; N],
}

impl<const W: usize, const N: usize, A: Stats> ComponentStorage<W, N, A> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N < u16::MAX as usize, "at most 65534 components can be unfinished at a time") };
        Self { labels: [[0; W]; 2], slots: [Slot { component: Component::ZERO, parent: 0, seen: 0 }; N] }
    }

    /// Starts an image.
    pub fn begin(&mut self) -> Labeler<'_, A> {
        let [above, current] = &mut self.labels;
        above.fill(0);
        for slot in &mut self.slots {
            slot.parent = 0;
        }
        Labeler { above, current, slots: &mut self.slots, row: 0, hint: 0, lost: 0 }
    }
}

impl<const W: usize, const N: usize, A: Stats> Default for ComponentStorage<W, N, A> {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the rows of one image from top to bottom and hands out each component once it is complete.
#[derive(Debug)]
pub struct Labeler<'a, A = ()> {
    /// Label of each pixel, 0 for none.
    above: &'a mut [u16],
    current: &'a mut [u16],
    slots: &'a mut [Slot<A>],
    row: u16,
    /// Where the search for a free slot starts.
    hint: usize,
    lost: u32,
}

impl<A: Stats> Labeler<'_, A> {
    /// Takes the next row. `keys` holds the key of each pixel, 0 for none; pixels beyond the storage's width are left
    /// out, missing ones are 0. `stats` sums up over a run of pixels of one key; `emit` gets the complete components.
    pub fn row(
        &mut self,
        keys: &[u8],
        mut stats: impl FnMut(Range<usize>) -> A,
        emit: impl FnMut(&Component<A>),
    ) {
        let width = keys.len().min(self.current.len()).min(usize::from(u16::MAX));
        self.current.fill(0);
        let mut start = 0;
        while let Some(&key) = keys.get(start).filter(|_| start < width) {
            let end =
                keys[start..width].iter().position(|&other| other != key).map_or(width, |len| start + len);
            if key != 0 {
                let run = Component {
                    key,
                    left: start as u16,
                    top: self.row,
                    right: end as u16,
                    bottom: self.row.saturating_add(1),
                    area: (end - start) as u32,
                    stats: stats(start..end),
                };
                let label = self.place(&run);
                self.current[start..end].fill(label);
            }
            start = end;
        }
        self.close_row(emit);
    }

    /// Ends the image: hands out what is left and returns how many runs were lost because all slots were in use.
    pub fn finish(self, mut emit: impl FnMut(&Component<A>)) -> u32 {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.parent == label_of(index) {
                emit(&slot.component);
            }
            slot.parent = 0;
        }
        self.lost
    }

    /// Adds a run to the component that it touches, or opens one, and returns the label; 0 where no slot is free.
    fn place(&mut self, run: &Component<A>) -> u16 {
        let (from, to) = (usize::from(run.left).saturating_sub(1), usize::from(run.right) + 1);
        let to = to.min(self.above.len());
        let (mut root, mut last) = (0, 0);
        for at in from..to {
            let label = self.above[at];
            // Neighbours mostly have the same label: look at each only once.
            if label == last {
                continue;
            }
            last = label;
            if label == 0 {
                continue;
            }
            let other = self.find(label);
            if self.slot(other).component.key == run.key {
                root = if root == 0 { other } else { self.join(root, other) };
            }
        }
        if root == 0 {
            return self.open(run);
        }
        self.slot_mut(root).component.merge(run);
        root
    }

    fn open(&mut self, run: &Component<A>) -> u16 {
        let free = |slot: &Slot<A>| slot.parent == 0;
        let found = self.slots[self.hint..].iter().position(free).map(|index| index + self.hint);
        let Some(index) = found.or_else(|| self.slots[..self.hint].iter().position(free)) else {
            self.lost = self.lost.saturating_add(1);
            return 0;
        };
        self.hint = index;
        let label = label_of(index);
        self.slots[index] = Slot { component: *run, parent: label, seen: self.row };
        label
    }

    /// Makes two components one and returns its label.
    fn join(&mut self, kept: u16, other: u16) -> u16 {
        if kept != other {
            let part = self.slot(other).component;
            self.slot_mut(kept).component.merge(&part);
            self.slot_mut(other).parent = kept;
        }
        kept
    }

    /// The label of the whole component, with the paths on the way halved.
    fn find(&mut self, mut label: u16) -> u16 {
        loop {
            let parent = self.slot(label).parent;
            if parent == label {
                return label;
            }
            let next = self.slot(parent).parent;
            self.slot_mut(label).parent = next;
            label = next;
        }
    }

    /// Hands out the components that did not go on in this row, and frees their slots.
    fn close_row(&mut self, mut emit: impl FnMut(&Component<A>)) {
        let (mut last, mut root) = (0, 0);
        for at in 0..self.current.len() {
            let label = self.current[at];
            if label == 0 {
                continue;
            }
            if label != last {
                (last, root) = (label, self.find(label));
                let row = self.row;
                self.slot_mut(root).seen = row;
            }
            self.current[at] = root;
        }
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let whole = slot.parent == label_of(index);
            if whole && slot.seen != self.row {
                emit(&slot.component);
            }
            // Joined slots are free as well: no pixel of this row has their label any more.
            if !whole || slot.seen != self.row {
                slot.parent = 0;
            }
        }
        core::mem::swap(&mut self.above, &mut self.current);
        self.hint = 0;
        self.row = self.row.saturating_add(1);
    }

    fn slot(&self, label: u16) -> &Slot<A> {
        &self.slots[usize::from(label) - 1]
    }

    fn slot_mut(&mut self, label: u16) -> &mut Slot<A> {
        &mut self.slots[usize::from(label) - 1]
    }
}

const fn label_of(index: usize) -> u16 {
    index as u16 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Sum(u64);
    impl Stats for Sum {
        const ZERO: Self = Self(0);
        fn merge(&mut self, other: &Self) {
            self.0 += other.0;
        }
    }

    type Found = (u8, u16, u16, u16, u16, u32, u64);

    fn label<const N: usize>(image: &[Vec<u8>]) -> (Vec<Found>, u32) {
        let mut storage = ComponentStorage::<16, N, Sum>::new();
        let mut found = Vec::new();
        let mut add = |c: &Component<Sum>| {
            found.push((c.key, c.left, c.top, c.right, c.bottom, c.area, c.stats.0));
        };
        let mut labeler = storage.begin();
        for (y, row) in image.iter().enumerate() {
            // Each pixel counts with its own weight, so that none is left out or taken twice.
            labeler.row(row, |run| Sum(run.map(|x| 1 << (x % 8 * 6) << (y % 8)).sum()), &mut add);
        }
        let lost = labeler.finish(&mut add);
        found.sort_unstable();
        (found, lost)
    }

    /// Flood fill over the whole image.
    fn reference(image: &[Vec<u8>]) -> Vec<Found> {
        let mut image = image.to_vec();
        let mut found = Vec::new();
        for y in 0..image.len() {
            for x in 0..image[y].len() {
                let key = image[y][x];
                if key == 0 {
                    continue;
                }
                let mut c: Found = (key, u16::MAX, u16::MAX, 0, 0, 0, 0);
                let mut stack = std::vec![(x, y)];
                while let Some((x, y)) = stack.pop() {
                    if image[y][x] != key {
                        continue;
                    }
                    image[y][x] = 0;
                    let (x16, y16) = (x as u16, y as u16);
                    c = (key, c.1.min(x16), c.2.min(y16), c.3.max(x16 + 1), c.4.max(y16 + 1), c.5 + 1, {
                        c.6 + (1 << (x % 8 * 6) << (y % 8))
                    });
                    let (left, top) = (x.saturating_sub(1), y.saturating_sub(1));
                    for (ny, row) in image.iter().enumerate().take(y + 2).skip(top) {
                        stack.extend((left..(x + 2).min(row.len())).map(|nx| (nx, ny)));
                    }
                }
                found.push(c);
            }
        }
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn components_are_those_of_a_flood_fill(
            image in prop::collection::vec(prop::collection::vec(0u8..3, 16), 1..20),
        ) {
            let (found, lost) = label::<64>(&image);
            prop_assert_eq!(lost, 0);
            prop_assert_eq!(found, reference(&image));
        }

        #[test]
        fn too_few_slots_lose_runs_and_nothing_else(
            image in prop::collection::vec(prop::collection::vec(0u8..2, 0..20), 0..20),
        ) {
            let (found, lost) = label::<3>(&image);
            let pixels: u32 = found.iter().map(|c| c.5).sum();
            let all = image.iter().flat_map(|row| row.iter().take(16)).filter(|&&key| key != 0).count();
            prop_assert!(pixels as usize <= all);
            prop_assert_eq!(lost == 0, pixels as usize == all);
        }
    }

    #[test]
    fn a_spiral_is_one_component() {
        let spiral = [
            "################",
            "...............#",
            "##############.#",
            "#............#.#",
            "#.##########.#.#",
            "#.#........#.#.#",
            "#.#.######.#.#.#",
            "#.#........#.#.#",
            "#.##########.#.#",
            "#............#.#",
            "##############.#",
        ];
        let image: Vec<Vec<u8>> =
            spiral.iter().map(|row| row.bytes().map(|byte| u8::from(byte == b'#')).collect()).collect();
        assert_eq!(label::<8>(&image).0.len(), reference(&image).len());
    }
}
