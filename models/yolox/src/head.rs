//! The decoupled head: one branch for classes, one for boxes and objectness.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use eyespot_burn::{Conv, Loader, WeightError, concat, sigmoid};

use crate::Config;
use crate::blocks::{ConvSilu, Spatial};

#[derive(Module, Debug)]
pub(crate) struct Head {
    levels: Vec<Level>,
}

#[derive(Module, Debug)]
struct Level {
    stem: ConvSilu,
    cls_convs: Vec<Spatial>,
    cls_pred: Conv2d,
    reg_convs: Vec<Spatial>,
    reg_pred: Conv2d,
    obj_pred: Conv2d,
}

impl Head {
    pub(crate) fn load(loader: &mut Loader, config: Config) -> Result<Self, WeightError> {
        let mut classes = 0;
        let mut levels = Vec::new();
        for (index, input) in config.channels().into_iter().enumerate() {
            let level = Level::load(loader, config, index, [input, classes])?;
            classes = level.classes();
            levels.push(level);
        }
        Ok(Self { levels })
    }

    pub(crate) fn classes(&self) -> usize {
        self.levels.first().map_or(0, Level::classes)
    }

    /// `[batch, anchors, 5 + classes]`: x, y, width, height, objectness and class scores; the cells of each level row
    /// by row, one level after the other.
    pub(crate) fn forward(&self, levels: [Tensor<4>; 3]) -> Tensor<3> {
        let levels = self.levels.iter().zip(levels).map(|(level, x)| level.forward(x));
        Tensor::cat(levels.collect(), 2).swap_dims(1, 2)
    }
}

impl Level {
    /// `classes` of 0 takes as many as the weights have.
    fn load(
        loader: &mut Loader,
        config: Config,
        index: usize,
        [input, classes]: [usize; 2],
    ) -> Result<Self, WeightError> {
        let [hidden, ..] = config.channels();
        let branch = |loader: &mut Loader, name: &str| {
            (0..2)
                .map(|at| {
                    let name = format!("head.{name}.{index}.{at}");
                    Spatial::load(loader, &name, [hidden; 2], 1, config.depthwise)
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let pred = |loader: &mut Loader, name: &str, output| {
            loader.conv(&format!("head.{name}.{index}"), Conv::new(hidden, output, 1), None)
        };
        Ok(Self {
            stem: ConvSilu::load(loader, &format!("head.stems.{index}"), Conv::new(input, hidden, 1))?,
            cls_convs: branch(loader, "cls_convs")?,
            cls_pred: pred(loader, "cls_preds", classes)?,
            reg_convs: branch(loader, "reg_convs")?,
            reg_pred: pred(loader, "reg_preds", 4)?,
            obj_pred: pred(loader, "obj_preds", 1)?,
        })
    }

    fn classes(&self) -> usize {
        let [classes, ..] = self.cls_pred.weight.dims();
        classes
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<3> {
        let run = |convs: &[Spatial], x| convs.iter().fold(x, |x, conv| conv.forward(x));
        let x = self.stem.forward(x);
        let cls = self.cls_pred.forward(run(&self.cls_convs, x.clone()));
        let reg = run(&self.reg_convs, x);
        let obj = self.obj_pred.forward(reg.clone());
        let reg = self.reg_pred.forward(reg);
        let out = concat([reg, sigmoid(obj), sigmoid(cls)]);
        let [batch, values, height, width] = out.dims();
        out.reshape([batch, values, height * width])
    }
}
