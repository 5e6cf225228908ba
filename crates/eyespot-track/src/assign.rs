//! Optimal assignment on a sparse graph in fixed memory.
//!
//! Minimises the sum of the costs of the matched pairs plus `limit / 2` for every row and column that stays
//! unmatched: the problem that `lapjv` solves with `cost_limit`. A pair at or above the limit can never pay, so only
//! the pairs below it are edges. Every row also has a private way out that costs `limit`; then all rows are matched
//! and the method is that of shortest augmenting paths with dual prices (Jonker and Volgenant, "A shortest augmenting
//! path algorithm for dense and sparse linear assignment problems", 1987). A search only touches the connected
//! component of its row, so the effort grows with the conflicts and not with the product of both sides.

/// No row or no column.
pub(crate) const NONE: u16 = u16::MAX;

/// A pair that may be matched: the column and what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    pub(crate) cost: f32,
    pub(crate) column: u16,
}

impl Edge {
    pub(crate) const ZERO: Self = Self { cost: 0.0, column: 0 };
}

/// A row: its run of edges, and what the solver knows about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    /// First edge.
    pub(crate) start: u16,
    /// One after the last edge.
    pub(crate) end: u16,
    /// The matched column, or `NONE`.
    pub(crate) column: u16,
    /// The place of the track that the row stands for.
    pub(crate) track: u16,
    price: f32,
}

impl Row {
    pub(crate) const ZERO: Self = Self { start: 0, end: 0, column: 0, track: 0, price: 0.0 };

    /// An unmatched row for a track with this run of edges.
    pub(crate) const fn new(track: u16, start: u16, end: u16) -> Self {
        Self { start, end, column: NONE, track, price: 0.0 }
    }

    fn edges<'e>(&self, edges: &'e [Edge]) -> &'e [Edge] {
        edges.get(usize::from(self.start)..usize::from(self.end)).unwrap_or(&[])
    }
}

/// What the solver knows about a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Column {
    /// The matched row, or `NONE`.
    pub(crate) row: u16,
    /// The row from which the search reached it.
    from: u16,
    /// A slot of the list of reached columns, which has nothing to do with this one.
    reached: u16,
    progress: Progress,
    price: f32,
    distance: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Progress {
    Unseen,
    Reached,
    Final,
}

impl Column {
    pub(crate) const ZERO: Self =
        Self { row: 0, from: 0, reached: 0, progress: Progress::Unseen, price: 0.0, distance: 0.0 };
    const FREE: Self = Self { row: NONE, ..Self::ZERO };
}

/// Matches rows to columns; writes `row.column` and `column.row`. Edges must cost less than `limit`.
pub(crate) fn solve(rows: &mut [Row], columns: &mut [Column], edges: &[Edge], limit: f32) {
    columns.fill(Column::FREE);
    // The cheapest column of each row, where it is still free, is already a part of an optimal solution of the rows
    // so far: prices of columns are zero and no reduced cost is negative.
    let mut conflicts = false;
    for (index, row) in rows.iter_mut().enumerate() {
        let Some(best) = row.edges(edges).iter().copied().reduce(|a, b| if b.cost < a.cost { b } else { a })
        else {
            continue;
        };
        row.price = best.cost;
        let column = &mut columns[usize::from(best.column)];
        if column.row == NONE {
            column.row = index as u16;
            row.column = best.column;
        } else {
            conflicts = true;
        }
    }
    if conflicts {
        for index in 0..rows.len() {
            if rows[index].column == NONE && rows[index].start < rows[index].end {
                augment(rows, columns, edges, limit, index as u16);
            }
        }
    }
}

/// Adds one row to the solution by the shortest augmenting path.
fn augment(rows: &mut [Row], columns: &mut [Column], edges: &[Edge], limit: f32, source: u16) {
    let mut reached = 0usize;
    let mut row = source;
    let mut distance = 0.0f32;
    // The cheapest way that leaves some row unmatched: its length and that row.
    let mut way_out = (f32::INFINITY, source);
    let target = loop {
        let current = rows[usize::from(row)];
        if distance + (limit - current.price) < way_out.0 {
            way_out = (distance + (limit - current.price), row);
        }
        for edge in current.edges(edges) {
            let column = &mut columns[usize::from(edge.column)];
            // Rounding may turn a zero into a tiny negative number.
            let length = distance + (edge.cost - current.price - column.price).max(0.0);
            match column.progress {
                Progress::Final => continue,
                Progress::Reached if length >= column.distance => continue,
                Progress::Reached => {}
                Progress::Unseen => {
                    column.progress = Progress::Reached;
                    columns[reached].reached = edge.column;
                    reached += 1;
                }
            }
            let column = &mut columns[usize::from(edge.column)];
            column.distance = length;
            column.from = row;
        }
        let mut nearest = (way_out.0, NONE);
        for slot in 0..reached {
            let index = columns[slot].reached;
            let column = &columns[usize::from(index)];
            if column.progress == Progress::Reached && column.distance < nearest.0 {
                nearest = (column.distance, index);
            }
        }
        distance = nearest.0;
        let Some(column) = columns.get_mut(usize::from(nearest.1)) else { break NONE };
        if column.row == NONE {
            break nearest.1;
        }
        column.progress = Progress::Final;
        row = column.row;
    };
    // Prices keep all reduced costs non-negative and those on the path zero.
    rows[usize::from(source)].price += distance;
    for slot in 0..reached {
        let index = usize::from(columns[slot].reached);
        let column = &mut columns[index];
        if column.progress == Progress::Final {
            let gain = distance - column.distance;
            column.price -= gain;
            rows[usize::from(column.row)].price += gain;
        }
        columns[index].progress = Progress::Unseen;
    }
    // Walk the path back and shift the matches along it.
    let mut free = if target == NONE {
        core::mem::replace(&mut rows[usize::from(way_out.1)].column, NONE)
    } else {
        target
    };
    while let Some(column) = columns.get_mut(usize::from(free)) {
        column.row = column.from;
        let owner = &mut rows[usize::from(column.from)];
        free = core::mem::replace(&mut owner.column, free);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Rows of `Some(cost)` to a sparse problem and its solution: the column of each row.
    fn matched(costs: &[Vec<Option<f32>>], width: usize, limit: f32) -> Vec<Option<usize>> {
        let mut edges = Vec::new();
        let mut rows = Vec::new();
        for row in costs {
            let start = edges.len();
            edges.extend(row.iter().enumerate().filter_map(|(column, cost)| {
                cost.filter(|&cost| cost < limit).map(|cost| Edge { cost, column: column as u16 })
            }));
            rows.push(Row::new(0, start as u16, edges.len() as u16));
        }
        let mut columns = std::vec![Column::ZERO; width];
        solve(&mut rows, &mut columns, &edges, limit);
        for (index, row) in rows.iter().enumerate() {
            if let Some(column) = columns.get(usize::from(row.column)) {
                assert_eq!(usize::from(column.row), index);
            }
        }
        rows.iter().map(|row| (row.column != NONE).then_some(usize::from(row.column))).collect()
    }

    /// Sum of the costs below the limit over the matched pairs: what differs from the full objective by a constant.
    fn value(costs: &[Vec<Option<f32>>], columns: &[Option<usize>], limit: f32) -> f64 {
        let pair = |(row, column): (&Vec<Option<f32>>, &Option<usize>)| {
            column.map_or(0.0, |column| f64::from(row[column].unwrap()) - f64::from(limit))
        };
        costs.iter().zip(columns).map(pair).sum()
    }

    /// The best value by trying everything.
    fn brute_force(costs: &[Vec<Option<f32>>], limit: f32, taken: u32) -> f64 {
        let Some((row, rest)) = costs.split_first() else { return 0.0 };
        let mut best = brute_force(rest, limit, taken);
        for (column, cost) in row.iter().enumerate() {
            if let Some(cost) = cost.filter(|_| taken >> column & 1 == 0) {
                let value = f64::from(cost) - f64::from(limit);
                best = best.min(value + brute_force(rest, limit, taken | 1 << column));
            }
        }
        best
    }

    /// The best value by the Hungarian method on the dense square problem: an unmatched row and an unmatched column
    /// cost half a limit each.
    fn dense(costs: &[Vec<Option<f32>>], width: usize, limit: f32) -> f64 {
        let size = costs.len() + width;
        let cost = |row: usize, column: usize| match (costs.get(row), column < width) {
            (Some(row), true) => row[column].map_or(1e3, f64::from),
            (None, false) => 0.0,
            _ => f64::from(limit) / 2.0,
        };
        let (mut u, mut v) = (std::vec![0.0; size + 1], std::vec![0.0; size + 1]);
        let mut owner = std::vec![0usize; size + 1];
        for row in 1..=size {
            owner[0] = row;
            let mut from = std::vec![0usize; size + 1];
            let mut least = std::vec![f64::INFINITY; size + 1];
            let mut used = std::vec![false; size + 1];
            let mut column = 0;
            while owner[column] != 0 {
                used[column] = true;
                let (current, mut delta, mut next) = (owner[column], f64::INFINITY, 0);
                for j in 1..=size {
                    if !used[j] {
                        let reduced = cost(current - 1, j - 1) - u[current] - v[j];
                        if reduced < least[j] {
                            (least[j], from[j]) = (reduced, column);
                        }
                        if least[j] < delta {
                            (delta, next) = (least[j], j);
                        }
                    }
                }
                for j in 0..=size {
                    if used[j] {
                        u[owner[j]] += delta;
                        v[j] -= delta;
                    } else {
                        least[j] -= delta;
                    }
                }
                column = next;
            }
            while column != 0 {
                owner[column] = owner[from[column]];
                column = from[column];
            }
        }
        let total: f64 = (1..=size).map(|column| cost(owner[column] - 1, column - 1)).sum();
        total - f64::from(limit) / 2.0 * size as f64
    }

    fn problem(rows: usize, width: usize) -> impl Strategy<Value = Vec<Vec<Option<f32>>>> {
        // A few round costs make ties frequent.
        let cost = prop_oneof![
            2 => Just(None),
            2 => (0.0f32..1.0).prop_map(Some),
            1 => (0u8..8).prop_map(|eighth| Some(f32::from(eighth) / 8.0)),
        ];
        prop::collection::vec(prop::collection::vec(cost, width), 0..=rows)
    }

    #[test]
    fn a_pair_is_given_up_where_two_others_gain_more() {
        // Alone, each row would take column 0.
        let costs = [std::vec![Some(0.1), Some(0.3)], std::vec![Some(0.2), None]];
        assert_eq!(matched(&costs, 2, 0.8), [Some(1), Some(0)]);
        // A pair over the limit is never made, even if a row stays alone.
        let costs = [std::vec![Some(0.1), Some(0.9)], std::vec![Some(0.2), None]];
        assert_eq!(matched(&costs, 2, 0.8), [Some(0), None]);
    }

    proptest! {
        #[test]
        fn equals_brute_force(costs in problem(6, 7), limit in 0.05f32..1.0) {
            let gated: Vec<Vec<_>> =
                costs.iter().map(|row| row.iter().map(|cost| cost.filter(|&c| c < limit)).collect()).collect();
            let found = value(&gated, &matched(&costs, 7, limit), limit);
            prop_assert!((found - brute_force(&gated, limit, 0)).abs() < 1e-5);
        }

        #[test]
        fn equals_the_dense_problem(costs in problem(40, 30), limit in 0.05f32..1.0) {
            let gated: Vec<Vec<_>> =
                costs.iter().map(|row| row.iter().map(|cost| cost.filter(|&c| c < limit)).collect()).collect();
            let found = value(&gated, &matched(&costs, 30, limit), limit);
            let best = dense(&gated, 30, limit);
            prop_assert!((found - best).abs() < 1e-4, "{found} {best}");
        }
    }
}
