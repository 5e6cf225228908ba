//! The path aggregation feature pyramid (Liu et al., arXiv:1803.01534).

use burn::module::Module;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

use crate::Config;
use crate::blocks::{ConvSilu, Csp, CspShape, Spatial};

#[derive(Module, Debug)]
pub(crate) struct Neck {
    lateral_conv0: ConvSilu,
    c3_p4: Csp,
    reduce_conv1: ConvSilu,
    c3_p3: Csp,
    bu_conv2: Spatial,
    c3_n3: Csp,
    bu_conv1: Spatial,
    c3_n4: Csp,
}

impl Neck {
    pub(crate) fn load(loader: &mut Loader, config: Config) -> Result<Self, WeightError> {
        let Config { depth, depthwise, .. } = config;
        let [c3, c4, c5] = config.channels();
        let csp = |loader: &mut Loader, name: &str, input, output| {
            let shape = CspShape { input, output, depth, shortcut: false, depthwise };
            Csp::load(loader, &format!("backbone.{name}"), shape)
        };
        Ok(Self {
            lateral_conv0: ConvSilu::load(loader, "backbone.lateral_conv0", Conv::new(c5, c4, 1))?,
            c3_p4: csp(loader, "C3_p4", 2 * c4, c4)?,
            reduce_conv1: ConvSilu::load(loader, "backbone.reduce_conv1", Conv::new(c4, c3, 1))?,
            c3_p3: csp(loader, "C3_p3", 2 * c3, c3)?,
            bu_conv2: Spatial::load(loader, "backbone.bu_conv2", [c3; 2], 2, depthwise)?,
            c3_n3: csp(loader, "C3_n3", 2 * c3, c4)?,
            bu_conv1: Spatial::load(loader, "backbone.bu_conv1", [c4; 2], 2, depthwise)?,
            c3_n4: csp(loader, "C3_n4", 2 * c4, c5)?,
        })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, [level3, level4, level5]: [M; 3]) -> [M; 3] {
        let top = self.lateral_conv0.forward(level5);
        let middle = self.c3_p4.forward(M::concat([top.clone().upsample2(), level4]));
        let middle = self.reduce_conv1.forward(middle);
        let out3 = self.c3_p3.forward(M::concat([middle.clone().upsample2(), level3]));
        let out4 = self.c3_n3.forward(M::concat([self.bu_conv2.forward(out3.clone()), middle]));
        let out5 = self.c3_n4.forward(M::concat([self.bu_conv1.forward(out4.clone()), top]));
        [out3, out4, out5]
    }
}
