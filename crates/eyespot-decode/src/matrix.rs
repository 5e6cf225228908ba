//! A network's output in rows and columns.

use crate::DecodeError;

/// Values of a network's output in rows and columns, borrowed, either way round.
///
/// Exporters disagree about which way an output lies: a table of `n` boxes with `c` values each comes as `[n, c]` or as
/// `[c, n]`. A head reads a matrix of `n` rows and leaves it to the matrix where the values are.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix that lies row by row.
    ///
    /// # Errors
    /// [`DecodeError::Length`] unless there are `rows * columns` values.
    pub const fn new(values: &'a [f32], rows: usize, columns: usize) -> Result<Self, DecodeError> {
        let expected = rows.saturating_mul(columns);
        if values.len() != expected {
            return Err(DecodeError::Length { expected, actual: values.len() });
        }
        Ok(Self { values, rows, columns, row_step: columns, column_step: 1 })
    }

    /// Rows for columns and columns for rows. Nothing is moved.
    #[must_use]
    pub const fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
            ..self
        }
    }

    /// Only `len` columns from `start` on, or as many of them as there are.
    #[must_use]
    pub fn columns_at(self, start: usize, len: usize) -> Self {
        let start = start.min(self.columns);
        let values = self.values.get(start * self.column_step..).unwrap_or_default();
        Self { values, columns: len.min(self.columns - start), ..self }
    }

    /// Only `len` rows from `start` on, or as many of them as there are.
    #[must_use]
    pub fn rows_at(self, start: usize, len: usize) -> Self {
        self.transposed().columns_at(start, len).transposed()
    }

    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// A value; NaN beyond the matrix, so that a wrong index is counted as a broken value and not used.
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> f32 {
        if row >= self.rows || column >= self.columns {
            return f32::NAN;
        }
        self.values.get(row * self.row_step + column * self.column_step).copied().unwrap_or(f32::NAN)
    }

    /// The values of a row; none where there is no such row.
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = f32> + Clone + use<'a> {
        let this = *self;
        let columns = if row < this.rows { this.columns } else { 0 };
        (0..columns).map(move |column| this.at(row, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_matrix_reads_either_way_round() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let matrix = Matrix::new(&values, 2, 3).unwrap();
        assert_eq!(matrix.row(1).collect::<Vec<_>>(), [4.0, 5.0, 6.0]);
        let turned = matrix.transposed();
        assert_eq!((turned.rows(), turned.columns()), (3, 2));
        assert_eq!(turned.row(1).collect::<Vec<_>>(), [2.0, 5.0]);
        let part = turned.rows_at(1, 9).columns_at(1, 1);
        assert_eq!((part.rows(), part.at(0, 0), part.at(1, 0)), (2, 5.0, 6.0));
        assert!(part.at(2, 0).is_nan() && part.at(0, 1).is_nan());
        assert_eq!((part.row(2).len(), matrix.columns_at(7, 1).columns()), (0, 0));
        assert!(matches!(Matrix::new(&values, 2, 2), Err(DecodeError::Length { expected: 4, actual: 6 })));
    }
}
