//! Reads the description of a model. It is postcard, which the converter writes with serde; read by hand it takes a quarter of
//! the flash that derived code takes. The tests hold both against each other.

use crate::graph::{
    Activation, Axis, Binary, BinaryKind, BinaryNumbers, ColorOrder, Conv, ConvNumbers, ConvQuant, Copy,
    Element, ImageFit, ImageInput, Info, Op, Pool, PoolKind, PoolNumbers, PoolQuant, Port, Rescale, Shape,
    Slot, SoftmaxNumbers, Span, Task, Window,
};

/// Goes through bytes. After what can't be read everything is zero, and [`failed`](Self::failed) tells: no step needs a branch.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, failed: false }
    }

    /// Could anything not be read?
    pub(crate) const fn failed(&self) -> bool {
        self.failed
    }

    /// The bytes behind what was read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline(never)]
    fn fail(&mut self) {
        self.failed = true;
        self.bytes = &[];
    }

    #[inline(never)]
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.bytes.split_first() else {
            self.fail();
            return 0;
        };
        self.bytes = rest;
        byte
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    #[inline(never)]
    fn varint(&mut self, bits: u32) -> u64 {
        let mut value = 0;
        for shift in (0..bits).step_by(7) {
            let byte = self.byte();
            let room = bits - shift;
            if room < 7 && byte >> room != 0 {
                break;
            }
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        self.fail();
        0
    }

    #[inline(never)]
    fn number(&mut self) -> u32 {
        self.varint(32) as u32
    }

    #[inline(never)]
    fn short(&mut self) -> u16 {
        self.varint(16) as u16
    }

    /// Signs alternate: 0, -1, 1, -2, ..
    fn signed(&mut self) -> i32 {
        let number = self.number();
        (number >> 1) as i32 ^ -((number & 1) as i32)
    }

    fn signed_short(&mut self) -> i16 {
        let number = self.short();
        (number >> 1) as i16 ^ -((number & 1) as i16)
    }

    fn small(&mut self) -> i8 {
        self.byte() as i8
    }

    /// One of so many choices.
    #[inline(never)]
    fn choice(&mut self, count: u32) -> u32 {
        let choice = self.number();
        if choice >= count {
            self.fail();
            return 0;
        }
        choice
    }

    #[inline(never)]
    fn flag(&mut self) -> bool {
        let byte = self.byte();
        if byte > 1 {
            self.fail();
        }
        byte == 1
    }

    #[inline(never)]
    fn float(&mut self) -> f32 {
        f32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    #[inline(never)]
    pub(crate) fn text(&mut self) -> &'a str {
        let len = self.number() as usize;
        let split = self.bytes.split_at_checked(len);
        match split.and_then(|(text, rest)| core::str::from_utf8(text).ok().zip(Some(rest))) {
            Some((text, rest)) => {
                self.bytes = rest;
                text
            }
            None => {
                self.fail();
                ""
            }
        }
    }

    fn element(&mut self) -> Element {
        if self.choice(2) == 0 { Element::I8 } else { Element::F32 }
    }

    #[inline(never)]
    fn slot(&mut self) -> Slot {
        let [offset, h, w, c] = core::array::from_fn(|_| self.number());
        Slot { offset, shape: Shape::new(h, w, c) }
    }

    #[inline(never)]
    fn span(&mut self) -> Span {
        Span { offset: self.number(), len: self.number() }
    }

    #[inline(never)]
    fn window(&mut self) -> Window {
        let [a, b, c, d, e, f, g, h] = core::array::from_fn(|_| self.short());
        Window { kernel: [a, b], stride: [c, d], dilation: [e, f], pad: [g, h] }
    }

    fn clamp(&mut self) -> [i8; 2] {
        [self.small(), self.small()]
    }

    #[inline(never)]
    fn activation(&mut self) -> Activation {
        match self.choice(8) {
            0 => Activation::None,
            1 => Activation::Clamp(self.float(), self.float()),
            2 => Activation::LeakyRelu(self.float()),
            3 => Activation::Sigmoid,
            4 => Activation::Silu,
            5 => Activation::Tanh,
            6 => Activation::HardSigmoid(self.float(), self.float()),
            _ => Activation::HardSwish,
        }
    }

    #[inline(never)]
    fn rescale(&mut self) -> Rescale {
        Rescale { zero: self.small(), multiplier: self.signed(), shift: self.small() }
    }

    #[inline(never)]
    fn conv(&mut self) -> Conv {
        Conv {
            depthwise: self.flag(),
            window: self.window(),
            input: self.slot(),
            output: self.slot(),
            scratch: self.span(),
            weights: self.span(),
            bias: self.span(),
            numbers: if self.choice(2) == 0 {
                ConvNumbers::I8(ConvQuant {
                    input_zero: self.small(),
                    output_zero: self.small(),
                    weight_zero: self.signed_short(),
                    clamp: self.clamp(),
                    multipliers: self.span(),
                    shifts: self.span(),
                })
            } else {
                ConvNumbers::F32(self.activation())
            },
        }
    }

    #[inline(never)]
    fn pool(&mut self) -> Pool {
        Pool {
            kind: match self.choice(3) {
                0 => PoolKind::Max,
                1 => PoolKind::Average,
                _ => PoolKind::AverageWithPadding,
            },
            window: self.window(),
            input: self.slot(),
            output: self.slot(),
            numbers: if self.choice(2) == 0 {
                PoolNumbers::I8(PoolQuant { zero: self.small(), clamp: self.clamp(), half_up: self.flag() })
            } else {
                PoolNumbers::F32(self.activation())
            },
        }
    }

    fn binary(&mut self) -> Binary {
        Binary {
            kind: match self.choice(3) {
                0 => BinaryKind::Add,
                1 => BinaryKind::Sub,
                _ => BinaryKind::Mul,
            },
            a: self.slot(),
            b: self.slot(),
            output: self.slot(),
            numbers: if self.choice(2) == 0 {
                BinaryNumbers::I8 {
                    a: self.rescale(),
                    b: self.rescale(),
                    output: self.rescale(),
                    left_shift: self.byte(),
                    clamp: self.clamp(),
                }
            } else {
                BinaryNumbers::F32(self.activation())
            },
        }
    }

    fn copy(&mut self) -> Copy {
        Copy {
            element: self.element(),
            input: self.span(),
            output: self.span(),
            axes: core::array::from_fn(|_| Axis {
                count: self.number(),
                from: self.number(),
                to: self.number(),
            }),
            table: self.flag().then(|| self.span()),
        }
    }

    fn softmax(&mut self) -> SoftmaxNumbers {
        if self.choice(2) == 0 {
            SoftmaxNumbers::I8 { multiplier: self.signed(), shift: self.small(), diff_min: self.signed() }
        } else {
            SoftmaxNumbers::F32
        }
    }

    #[inline(never)]
    pub(crate) fn op(&mut self) -> Op {
        let choice = self.choice(14);
        match choice {
            0 => return Op::Conv(self.conv()),
            1 => return Op::Pool(self.pool()),
            2 => return Op::ConvPool { conv: self.conv(), pool: self.pool() },
            4 => return Op::Binary(self.binary()),
            8 => return Op::Copy(self.copy()),
            9 => return Op::Fill { output: self.span(), value: self.byte() },
            10 => return Op::Constant { output: self.span(), data: self.span() },
            _ => {}
        }
        // The others begin with their two tensors.
        let (input, output) = (self.slot(), self.slot());
        match choice {
            3 => Op::Mean { input, output, input_zero: self.small(), rescale: self.rescale() },
            5 => Op::Table { input, output, table: self.span() },
            6 => Op::Activate { input, output, activation: self.activation() },
            7 => Op::Softmax { input, output, numbers: self.softmax() },
            11 => Op::Resize {
                input,
                output,
                element: self.element(),
                align_corners: self.flag(),
                half_pixel: self.flag(),
            },
            12 => Op::Quantize { input, output, scale: self.float(), zero: self.small() },
            _ => Op::Dequantize { input, output, scale: self.float(), zero: self.small() },
        }
    }

    #[inline(never)]
    pub(crate) fn port(&mut self) -> Port<'a> {
        Port {
            name: self.text(),
            element: self.element(),
            slot: self.slot(),
            scale: self.float(),
            zero_point: self.small(),
        }
    }

    pub(crate) fn info(&mut self) -> Info<'a> {
        Info {
            name: self.text(),
            macs: self.varint(64),
            inputs: self.short(),
            outputs: self.short(),
            layers: self.short(),
            image: self.flag().then(|| self.image()),
            task: match self.choice(4) {
                0 => Task::Raw,
                1 => Task::Classify,
                2 => Task::FastestDet { trained: [self.short(), self.short()] },
                _ => Task::Yolox,
            },
        }
    }

    fn image(&mut self) -> ImageInput {
        ImageInput {
            order: match self.choice(3) {
                0 => ColorOrder::Gray,
                1 => ColorOrder::Rgb,
                _ => ColorOrder::Bgr,
            },
            fit: match self.choice(3) {
                0 => ImageFit::Stretch,
                1 => ImageFit::TopLeft,
                _ => ImageFit::Center,
            },
            pad: self.byte(),
            mean: core::array::from_fn(|_| self.float()),
            std: core::array::from_fn(|_| self.float()),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Debug;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Everything that postcard reads is read as the same, and nothing else is. Compared as text: a NaN is not itself.
    fn same(bytes: &[u8]) -> Result<(), TestCaseError> {
        fn text<'a, T: Debug>(bytes: &'a [u8], read: impl Fn(&mut Reader<'a>) -> T) -> String {
            let mut reader = Reader::new(bytes);
            let found = read(&mut reader);
            format!("{:?}", (!reader.failed()).then_some((found, reader.rest())))
        }
        prop_assert_eq!(
            text(bytes, Reader::op),
            format!("{:?}", postcard::take_from_bytes::<Op>(bytes).ok())
        );
        prop_assert_eq!(
            text(bytes, Reader::port),
            format!("{:?}", postcard::take_from_bytes::<Port<'_>>(bytes).ok())
        );
        prop_assert_eq!(
            text(bytes, Reader::info),
            format!("{:?}", postcard::take_from_bytes::<Info<'_>>(bytes).ok())
        );
        Ok(())
    }

    /// An operator and what it is in bytes, from a tag and numbers that are taken as they come.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        // Small numbers, so that choices and flags are often right; a few that end late or not at all.
        let byte = prop_oneof![4 => 0u8..4, 2 => any::<u8>(), 1 => Just(0x80), 1 => Just(0xFF)];
        (0u8..15, prop::collection::vec(byte, 0..120)).prop_map(|(tag, mut bytes)| {
            bytes.insert(0, tag);
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_reader_is_postcard(bytes in bytes()) {
            same(&bytes)?;
        }
    }

    #[test]
    fn every_operator_is_read() {
        // Each tag with zeros behind it is an operator, as postcard has it.
        for tag in 0..14 {
            let mut bytes = [0; 120];
            bytes[0] = tag;
            let mut reader = Reader::new(&bytes);
            let op = reader.op();
            assert!(!reader.failed());
            assert_eq!((op, reader.rest()), postcard::take_from_bytes::<Op>(&bytes).unwrap());
        }
    }
}
