//! The linear assignment problem, solved exactly.
//!
//! Shortest augmenting paths with dual variables: Jonker and Volgenant, "A Shortest Augmenting Path Algorithm for
//! Dense and Sparse Linear Assignment Problems", Computing 38, 1987, in the rectangular form of Crouse, "On
//! Implementing 2D Rectangular Assignment Algorithms", IEEE Transactions on Aerospace and Electronic Systems 52,
//! 2016. Where several assignments are equally good, the rules of that paper decide (a free column first), as they
//! do in the reference evaluators, so that ties fall the same way.

/// The column of a row without one.
pub(crate) const NONE: usize = usize::MAX;

/// A solver that keeps its buffers between problems.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    /// Costs, with at least as many columns as rows.
    cost: Vec<f64>,
    rows: usize,
    columns: usize,
    row_price: Vec<f64>,
    column_price: Vec<f64>,
    column_of_row: Vec<usize>,
    row_of_column: Vec<usize>,
    /// Cheapest known path from the current row to every column, and the row before it.
    distance: Vec<f64>,
    previous: Vec<usize>,
    /// Columns that the search has not closed; those that it has, in order, follow in `closed`.
    open: Vec<usize>,
    closed: Vec<usize>,
}

impl Assignment {
    /// Pairs rows with columns, each at most once, `min(rows, columns)` pairs in all, so that the sum of the scores
    /// is the largest. `scores` are (row, column, finite score); the others are 0. Returns the column of every row,
    /// [`NONE`] for one without.
    pub(crate) fn maximize(
        &mut self,
        rows: usize,
        columns: usize,
        scores: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> &[usize] {
        let transposed = columns < rows;
        (self.rows, self.columns) = if transposed { (columns, rows) } else { (rows, columns) };
        refill(&mut self.cost, rows * columns, 0.0);
        for (row, column, score) in scores {
            let at = if transposed { column * rows + row } else { row * columns + column };
            self.cost[at] = -score;
        }
        refill(&mut self.row_price, self.rows, 0.0);
        refill(&mut self.column_price, self.columns, 0.0);
        refill(&mut self.column_of_row, self.rows, NONE);
        refill(&mut self.row_of_column, self.columns, NONE);
        for row in 0..self.rows {
            self.assign(row);
        }
        if transposed { &self.row_of_column } else { &self.column_of_row }
    }

    /// Gives `start` a column, moving other rows along the cheapest augmenting path.
    fn assign(&mut self, start: usize) {
        refill(&mut self.distance, self.columns, f64::INFINITY);
        refill(&mut self.previous, self.columns, NONE);
        self.open.clear();
        self.open.extend((0..self.columns).rev());
        self.closed.clear();

        let (mut row, mut reached) = (start, 0.0);
        let sink = loop {
            let costs = &self.cost[row * self.columns..][..self.columns];
            let base = reached - self.row_price[row];
            let (mut lowest, mut nearest) = (f64::INFINITY, NONE);
            for (at, &column) in self.open.iter().enumerate() {
                let through = base + costs[column] - self.column_price[column];
                if through < self.distance[column] {
                    self.distance[column] = through;
                    self.previous[column] = row;
                }
                let distance = self.distance[column];
                if distance < lowest || (distance == lowest && self.row_of_column[column] == NONE) {
                    lowest = distance;
                    nearest = at;
                }
            }
            if nearest == NONE {
                // Only costs that are not finite lead here; the row stays without a column.
                return;
            }
            reached = lowest;
            let column = self.open.swap_remove(nearest);
            self.closed.push(column);
            match self.row_of_column[column] {
                NONE => break column,
                taken_by => row = taken_by,
            }
        };

        self.row_price[start] += reached;
        for &column in &self.closed {
            let slack = reached - self.distance[column];
            let row = self.row_of_column[column];
            if row != NONE {
                self.row_price[row] += slack;
            }
            self.column_price[column] -= slack;
        }

        let mut column = sink;
        loop {
            let row = self.previous[column];
            self.row_of_column[column] = row;
            let moved = core::mem::replace(&mut self.column_of_row[row], column);
            if row == start {
                return;
            }
            column = moved;
        }
    }
}

fn refill<T: Clone>(buffer: &mut Vec<T>, len: usize, value: T) {
    buffer.clear();
    buffer.resize(len, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The best sum of all assignments, by trying them.
    fn best(rows: usize, columns: usize, scores: &[f64], row: usize, used: u32, skips: usize) -> f64 {
        if row == rows {
            return 0.0;
        }
        let mut top = f64::NEG_INFINITY;
        if skips > 0 {
            top = best(rows, columns, scores, row + 1, used, skips - 1);
        }
        for column in (0..columns).filter(|column| used & (1 << column) == 0) {
            let rest = best(rows, columns, scores, row + 1, used | 1 << column, skips);
            top = top.max(scores[row * columns + column] + rest);
        }
        top
    }

    proptest! {
        #[test]
        fn the_sum_is_the_largest_of_all(
            rows in 0_usize..6,
            columns in 0_usize..6,
            values in prop::collection::vec(-8_i32..9, 36),
        ) {
            let scores: Vec<f64> = values[..rows * columns].iter().map(|&v| f64::from(v)).collect();
            let entries = || scores.iter().enumerate().map(|(at, &score)| (at / columns, at % columns, score));
            let mut solver = Assignment::default();
            let assigned = solver.maximize(rows, columns, entries()).to_vec();
            prop_assert_eq!(assigned.len(), rows);
            let mut taken: Vec<usize> = assigned.iter().copied().filter(|&column| column != NONE).collect();
            prop_assert_eq!(taken.len(), rows.min(columns));
            taken.sort_unstable();
            taken.dedup();
            prop_assert_eq!(taken.len(), rows.min(columns));
            let pairs = assigned.iter().enumerate().filter(|pair| *pair.1 != NONE);
            let sum: f64 = pairs.map(|(row, column)| scores[row * columns + column]).sum();
            prop_assert_eq!(sum, best(rows, columns, &scores, 0, 0, rows.saturating_sub(columns)));
            prop_assert_eq!(solver.maximize(rows, columns, entries()), &assigned[..]);
        }
    }

    #[test]
    fn equal_scores_pair_in_order() {
        assert_eq!(Assignment::default().maximize(3, 3, []), [0, 1, 2]);
    }
}
