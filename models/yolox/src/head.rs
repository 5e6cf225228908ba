//! The decoupled head: one branch for classes, one for boxes and objectness.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

use crate::Config;
use crate::blocks::{ConvSilu, Spatial};

#[derive(Module, Debug)]
pub(crate) struct Head {
    levels: [Level; 3],
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
        let [fine, middle, coarse] = config.channels();
        // As many classes as the weights have.
        let fine = Level::load(loader, config, 0, [fine, 0])?;
        let classes = fine.classes();
        let mut level = |index, input| Level::load(loader, config, index, [input, classes]);
        let levels = [fine, level(1, middle)?, level(2, coarse)?];
        Ok(Self { levels })
    }

    pub(crate) fn classes(&self) -> usize {
        let [fine, ..] = &self.levels;
        fine.classes()
    }

    /// `[batch, anchors, 5 + classes]`: x, y, width, height, objectness and class scores; the cells of each level row
    /// by row, one level after the other.
    pub(crate) fn forward<M: FeatureMap>(&self, [x3, x4, x5]: [M; 3]) -> M::Rows {
        let [fine, middle, coarse] = &self.levels;
        M::chain([fine.forward(x3), middle.forward(x4), coarse.forward(x5)])
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

    fn forward<M: FeatureMap>(&self, x: M) -> M::Rows {
        let run = |convs: &[Spatial], x| convs.iter().fold(x, |x, conv| conv.forward(x));
        let x = self.stem.forward(x);
        let cls = run(&self.cls_convs, x.clone()).conv(&self.cls_pred);
        let reg = run(&self.reg_convs, x);
        let obj = reg.clone().conv(&self.obj_pred);
        let reg = reg.conv(&self.reg_pred);
        M::concat([reg, obj.sigmoid(), cls.sigmoid()]).pixels()
    }
}
