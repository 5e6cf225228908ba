//! What a model file says: tensors, windows and operators. Plain data, written with postcard; `reader` reads it.
//!
//! Every operator is described on its own, with its tensors' places in the arena, so that a reader goes from one to
//! the next without a table.

#[cfg(test)]
use serde::Deserialize;
use serde::Serialize;

/// Type of a tensor's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum Element {
    /// Quantised: value = scale * (number - zero point).
    I8,
    /// Single precision.
    F32,
}

impl Element {
    /// Bytes of a value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::F32 => 4,
        }
    }
}

/// Height, width and channels of a tensor; the channels of a pixel lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Shape {
    /// Height.
    pub h: u32,
    /// Width.
    pub w: u32,
    /// Channels.
    pub c: u32,
}

impl Shape {
    /// A shape from height, width and channels.
    #[must_use]
    pub const fn new(h: u32, w: u32, c: u32) -> Self {
        Self { h, w, c }
    }

    /// Number of values; a number that no memory has where it overflows.
    #[must_use]
    #[inline(never)]
    pub const fn len(&self) -> usize {
        let len = (self.h as u64).saturating_mul(self.w as u64).saturating_mul(self.c as u64);
        if len > i32::MAX as u64 { i32::MAX as usize } else { len as usize }
    }

    /// Is there no value?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor's place in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Slot {
    /// First byte.
    pub offset: u32,
    /// Its shape.
    pub shape: Shape,
}

/// A range of bytes: of the weights, or of the arena for scratch memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Span {
    /// First byte.
    pub offset: u32,
    /// Number of bytes.
    pub len: u32,
}

/// An input or output of the network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Port<'a> {
    /// Name in the original model.
    pub name: &'a str,
    /// Type of the values.
    pub element: Element,
    /// Where it lies.
    pub slot: Slot,
    /// Scale of quantised values, 1 for floats.
    pub scale: f32,
    /// Zero point of quantised values, 0 for floats.
    pub zero_point: i8,
}

/// Which channels the input image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum ColorOrder {
    /// Grey.
    Gray,
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How an image is fitted into the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum ImageFit {
    /// Fills the input; the aspect ratio changes.
    Stretch,
    /// Keeps the aspect ratio; top left, the rest is padding.
    TopLeft,
    /// Keeps the aspect ratio; in the middle of the padding.
    Center,
}

/// How an image becomes the network's input: value = (level - mean) / std, each channel with its own. Levels go from 0
/// to 255.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct ImageInput {
    /// Order of the channels.
    pub order: ColorOrder,
    /// How it is fitted.
    pub fit: ImageFit,
    /// Level of the padding.
    pub pad: u8,
    /// The level that becomes 0, per channel.
    pub mean: [f32; 3],
    /// Levels per step of 1, per channel.
    pub std: [f32; 3],
}

/// What the outputs mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum Task {
    /// Not said: the caller reads the outputs.
    Raw,
    /// A score per class for the whole image, `0..=1`.
    Classify,
    /// The head of FastestDet: objectness, box and class scores per cell, as one output or as three.
    FastestDet {
        /// Width and height of the input that the model was trained with.
        trained: [u16; 2],
    },
    /// The head of YOLOX at the strides 8, 16 and 32: boxes, objectness and class scores per cell, as one output or as
    /// three for each stride. Hosts only.
    Yolox,
}

/// The head of the description.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Info<'a> {
    /// Name of the model.
    pub name: &'a str,
    /// Multiply-accumulate operations of a run.
    pub macs: u64,
    /// Number of inputs.
    pub inputs: u16,
    /// Number of outputs.
    pub outputs: u16,
    /// Number of layers.
    pub layers: u16,
    /// How an image becomes the input, if the converter was told.
    pub image: Option<ImageInput>,
    /// What the outputs mean.
    pub task: Task,
}

/// A window that moves over an image. Pairs are vertical, horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Window {
    /// Taps.
    pub kernel: [u16; 2],
    /// Pixels from one position to the next.
    pub stride: [u16; 2],
    /// Pixels from one tap to the next.
    pub dilation: [u16; 2],
    /// Padding above and to the left; below and to the right it follows from the output's shape.
    pub pad: [u16; 2],
}

impl Window {
    /// A single tap that visits every pixel.
    pub const POINT: Self = Self { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pad: [0, 0] };

    /// Number of taps.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.kernel[0] as usize * self.kernel[1] as usize
    }
}

/// A function of single values in floating point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum Activation {
    /// The value itself.
    None,
    /// Clamped to a range: `ReLU`, `ReLU6` and the like.
    Clamp(f32, f32),
    /// Negative values times a factor.
    LeakyRelu(f32),
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// x * sigmoid(x).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// clamp(x * factor + summand, 0, 1).
    HardSigmoid(f32, f32),
    /// x * clamp(x / 6 + 1/2, 0, 1).
    HardSwish,
}

/// The integers of a quantised convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct ConvQuant {
    /// Zero point of the input: the value of the padding.
    pub input_zero: i8,
    /// Zero point of the output.
    pub output_zero: i8,
    /// Zero point of the weights: 0 but for models that were uint8.
    pub weight_zero: i16,
    /// Smallest and largest output.
    pub clamp: [i8; 2],
    /// A multiplier (i32) per output channel.
    pub multipliers: Span,
    /// A shift (i8) per output channel; positive to the left.
    pub shifts: Span,
}

/// Numbers of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum ConvNumbers {
    /// Quantised. The bias (i32) of an output channel includes -(input zero point) * (sum of its weights).
    I8(ConvQuant),
    /// Floating point.
    F32(Activation),
}

/// A convolution; also a fully connected layer, as one tap over a single pixel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Conv {
    /// Each input channel for itself: output channel `i * m + j` looks at input channel `i`.
    pub depthwise: bool,
    /// The taps.
    pub window: Window,
    /// The input.
    pub input: Slot,
    /// The output.
    pub output: Slot,
    /// Memory for gathered taps in the arena.
    pub scratch: Span,
    /// Weights. Depthwise: `[taps, output channels]`. Quantised: `[output channels, taps, input channels]`.
    /// Floating point: `[taps, input channels, output channels]`.
    pub weights: Span,
    /// A bias per output channel, i32 or f32.
    pub bias: Span,
    /// Numbers.
    pub numbers: ConvNumbers,
}

/// Kinds of pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum PoolKind {
    /// Largest value.
    Max,
    /// Mean of the values inside the image.
    Average,
    /// Mean of the values, the padding counted as zeros.
    AverageWithPadding,
}

/// The integers of quantised pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct PoolQuant {
    /// Zero point of input and output.
    pub zero: i8,
    /// Smallest and largest output.
    pub clamp: [i8; 2],
    /// Halves are rounded up and not away from zero: for models that were uint8.
    pub half_up: bool,
}

/// Numbers of pooling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum PoolNumbers {
    /// Quantised.
    I8(PoolQuant),
    /// Floating point.
    F32(Activation),
}

/// Pooling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Pool {
    /// What is taken of a window.
    pub kind: PoolKind,
    /// The taps.
    pub window: Window,
    /// The input.
    pub input: Slot,
    /// The output.
    pub output: Slot,
    /// Numbers.
    pub numbers: PoolNumbers,
}

/// An integer and how it is scaled: multiplier and shift, positive to the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Rescale {
    /// Zero point.
    pub zero: i8,
    /// Multiplier.
    pub multiplier: i32,
    /// Shift.
    pub shift: i8,
}

/// Arithmetic of two tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum BinaryKind {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
}

/// Numbers of the arithmetic of two tensors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum BinaryNumbers {
    /// Quantised. Sums scale both sides to a common step first; products only scale the result.
    I8 {
        /// Left side.
        a: Rescale,
        /// Right side.
        b: Rescale,
        /// Result.
        output: Rescale,
        /// Bits that both sides are shifted to the left before they are scaled.
        left_shift: u8,
        /// Smallest and largest output.
        clamp: [i8; 2],
    },
    /// Floating point.
    F32(Activation),
}

/// Arithmetic of two tensors. The right side may have a height, width or number of channels of 1: it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Binary {
    /// Which.
    pub kind: BinaryKind,
    /// Left side.
    pub a: Slot,
    /// Right side.
    pub b: Slot,
    /// The output, of the shape of the left side; it may lie in its place.
    pub output: Slot,
    /// Numbers.
    pub numbers: BinaryNumbers,
}

/// A dimension of a strided copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Axis {
    /// Number of values.
    pub count: u32,
    /// Values from one to the next in the input.
    pub from: u32,
    /// Values from one to the next in the output.
    pub to: u32,
}

/// Copies values from place to place: concatenation, slices, transposition, channel shuffle, padding, nearest
/// neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub struct Copy {
    /// Type of the values.
    pub element: Element,
    /// Bytes of the arena that are read.
    pub input: Span,
    /// Bytes of the arena that are written.
    pub output: Span,
    /// The dimensions, the innermost last.
    pub axes: [Axis; 5],
    /// A table of 256 values (i8) that maps each value, where input and output are quantised differently.
    pub table: Option<Span>,
}

/// Numbers of a softmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum SoftmaxNumbers {
    /// Quantised, to a scale of 1/256 and a zero point of -128.
    I8 {
        /// Multiplier of differences.
        multiplier: i32,
        /// Its shift to the left.
        shift: i8,
        /// Differences below it count nothing.
        diff_min: i32,
    },
    /// Floating point.
    F32,
}

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub enum Op {
    /// A convolution.
    Conv(Conv),
    /// Pooling.
    Pool(Pool),
    /// A convolution whose rows go straight into a max pooling: its output is a ring of as many rows as the pooling's
    /// window has.
    ConvPool {
        /// The convolution. Its output's height is that of the whole image, but the arena holds only the ring.
        conv: Conv,
        /// The pooling.
        pool: Pool,
    },
    /// The mean of each channel over the whole image.
    Mean {
        /// The input, quantised.
        input: Slot,
        /// The output, one pixel.
        output: Slot,
        /// Zero point of the input.
        input_zero: i8,
        /// The sum becomes the output.
        rescale: Rescale,
    },
    /// Arithmetic of two tensors.
    Binary(Binary),
    /// A function of single quantised values, as a table of 256 values or one for each channel; the output may lie in the
    /// input's place.
    Table {
        /// The input.
        input: Slot,
        /// The output.
        output: Slot,
        /// 256 values (i8), for -128 to 127.
        table: Span,
    },
    /// A function of single floats; the output may lie in the input's place.
    Activate {
        /// The input.
        input: Slot,
        /// The output.
        output: Slot,
        /// The function.
        activation: Activation,
    },
    /// Softmax over the channels of each pixel; the output may lie in the input's place.
    Softmax {
        /// The input.
        input: Slot,
        /// The output.
        output: Slot,
        /// Numbers.
        numbers: SoftmaxNumbers,
    },
    /// A strided copy.
    Copy(Copy),
    /// Sets bytes of the arena.
    Fill {
        /// Which bytes.
        output: Span,
        /// To what.
        value: u8,
    },
    /// Constants of the model as a tensor.
    Constant {
        /// Which bytes of the arena.
        output: Span,
        /// Which bytes of the weights.
        data: Span,
    },
    /// Bilinear resizing.
    Resize {
        /// The input.
        input: Slot,
        /// The output.
        output: Slot,
        /// Type of the values.
        element: Element,
        /// The corners of both images are the same.
        align_corners: bool,
        /// The centres of pixels lie at one half.
        half_pixel: bool,
    },
    /// Floats to quantised values.
    Quantize {
        /// The input.
        input: Slot,
        /// The output.
        output: Slot,
        /// Scale of the output.
        scale: f32,
        /// Zero point of the output.
        zero: i8,
    },
    /// Quantised values to floats.
    Dequantize {
        /// The input.
        input: Slot,
        /// The output.
        output: Slot,
        /// Scale of the input.
        scale: f32,
        /// Zero point of the input.
        zero: i8,
    },
}
