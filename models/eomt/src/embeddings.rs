//! From an image to tokens.

use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use eyespot_burn::{Loader, WeightError};

use crate::Config;

/// Patches of the image, before them tokens of no place: a class token and registers (Darcet et al., arXiv:2309.16588).
#[derive(Debug, Clone)]
pub(crate) struct Embeddings {
    /// `[3 * patch * patch, width]`.
    weight: Tensor<2>,
    bias: Tensor<1>,
    class: Tensor<3>,
    registers: Tensor<3>,
    /// One for each patch, row by row.
    positions: Tensor<2>,
    patch: usize,
    /// Side of the square that `positions` cover.
    grid: usize,
}

impl Embeddings {
    pub(crate) fn load(loader: &mut Loader, config: &Config) -> Result<Self, WeightError> {
        let Config { width, patch, grid, registers, .. } = *config;
        let projection = "embeddings.patch_embeddings.projection";
        let weight = loader.parameter(&format!("{projection}.weight"), [width, 3, patch, patch])?;
        Ok(Self {
            weight: weight.reshape([width, 3 * patch * patch]).swap_dims(0, 1),
            bias: loader.parameter(&format!("{projection}.bias"), [width])?,
            class: loader.parameter("embeddings.cls_token", [1, 1, width])?,
            registers: loader.parameter("embeddings.register_tokens", [1, registers, width])?,
            positions: loader.parameter("embeddings.position_embeddings.weight", [grid * grid, width])?,
            patch,
            grid,
        })
    }

    /// Tokens that lie before the patches.
    pub(crate) fn prefix(&self) -> usize {
        1 + self.registers.dims()[1]
    }

    /// Tokens, and the height and width of the grid of patches.
    pub(crate) fn forward(&self, image: Tensor<4>) -> (Tensor<3>, [usize; 2]) {
        let [batch, channels, height, width] = image.dims();
        let (side, size @ [rows, columns]) = (self.patch, [height / self.patch, width / self.patch]);
        // A convolution whose kernels do not overlap is a product.
        let patches: Tensor<6> = image.reshape([batch, channels, rows, side, columns, side]);
        let patches =
            patches.permute([0, 2, 4, 1, 3, 5]).reshape([batch, rows * columns, channels * side * side]);
        let patches = patches.matmul(self.weight.clone().unsqueeze()) + self.bias.clone().unsqueeze::<3>();
        let patches = patches + self.positions(size).unsqueeze();
        let prefix = Tensor::cat(vec![self.class.clone(), self.registers.clone()], 1);
        let shape = [batch, self.prefix(), prefix.dims()[2]];
        (Tensor::cat(vec![prefix.expand(shape), patches], 1), size)
    }

    /// The positions of a grid of another size lie between those that were trained, as in DINOv2.
    fn positions(&self, [rows, columns]: [usize; 2]) -> Tensor<2> {
        let (grid, width) = (self.grid, self.positions.dims()[1]);
        if [rows, columns] == [grid; 2] {
            return self.positions.clone();
        }
        let map: Tensor<4> = self.positions.clone().swap_dims(0, 1).reshape([1, width, grid, grid]);
        let options = InterpolateOptions::new(InterpolateMode::Bicubic).with_align_corners(false);
        let map = interpolate(map, options.with_output_size([rows, columns]));
        map.reshape([width, rows * columns]).swap_dims(0, 1)
    }
}
