//! The backbone of YOLOX, a Darknet of cross-stage partial layers.

use burn::module::Module;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

use crate::Config;
use crate::blocks::{ConvSilu, Csp, CspShape, Spatial, Spp};

/// The backbone; its levels have strides of 8, 16 and 32 and 4, 8 and 16 times the width in channels.
#[derive(Module, Debug)]
pub(crate) struct Backbone {
    stem: ConvSilu,
    dark2: Stage,
    dark3: Stage,
    dark4: Stage,
    dark5: Stage,
}

#[derive(Module, Debug)]
struct Stage {
    down: Spatial,
    spp: Option<Spp>,
    csp: Csp,
}

impl Stage {
    /// A stage that doubles the channels. The last one pools a pyramid and has no shortcuts.
    fn load(
        loader: &mut Loader,
        name: &str,
        config: Config,
        (input, depth, last): (usize, usize, bool),
    ) -> Result<Self, WeightError> {
        let channels = 2 * input;
        let depthwise = config.depthwise;
        let down = Spatial::load(loader, &format!("{name}.0"), [input, channels], 2, depthwise)?;
        let spp = last.then(|| Spp::load(loader, &format!("{name}.1"), channels)).transpose()?;
        let csp = CspShape { input: channels, output: channels, depth, shortcut: !last, depthwise };
        let index = if last { 2 } else { 1 };
        Ok(Self { down, spp, csp: Csp::load(loader, &format!("{name}.{index}"), csp)? })
    }

    fn forward<M: FeatureMap>(&self, x: M) -> M {
        let x = self.down.forward(x);
        let x = match &self.spp {
            Some(spp) => spp.forward(x),
            None => x,
        };
        self.csp.forward(x)
    }
}

impl Backbone {
    pub(crate) fn load(loader: &mut Loader, config: Config) -> Result<Self, WeightError> {
        let Config { width, depth, .. } = config;
        let stem = ConvSilu::load(loader, "backbone.backbone.stem.conv", Conv::new(12, width, 3))?;
        let mut stage =
            |level, shape| Stage::load(loader, &format!("backbone.backbone.dark{level}"), config, shape);
        Ok(Self {
            stem,
            dark2: stage(2, (width, depth, false))?,
            dark3: stage(3, (2 * width, 3 * depth, false))?,
            dark4: stage(4, (4 * width, 3 * depth, false))?,
            dark5: stage(5, (8 * width, depth, true))?,
        })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> [M; 3] {
        let x = self.dark2.forward(self.stem.forward(x.focus()));
        let level3 = self.dark3.forward(x);
        let level4 = self.dark4.forward(level3.clone());
        let level5 = self.dark5.forward(level4.clone());
        [level3, level4, level5]
    }
}
