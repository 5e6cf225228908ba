//! The camera source against a model of the `ArduChip` and the sensor.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embedded_hal::i2c::{self, I2c, NoAcknowledgeSource};
use embedded_hal::spi::{self, Operation, SpiDevice};
use embedded_hal_mock::eh1::delay::NoopDelay;
use eyespot_core::{Error, ErrorKind, FrameSource, PixelFormat};
use eyespot_hal::{ArduCam, CameraConfig, CameraError, CameraFormat, CameraPart, CameraSize, Register};
use proptest::prelude::*;

/// The chip, its FIFO and the sensor, as far as a driver can see them.
#[derive(Default)]
struct Model {
    test: u8,
    fifo: Vec<u8>,
    read: usize,
    done_after: Option<u32>,
    bank: u8,
    address: u8,
    banks: [Vec<(u8, u8)>; 2],
    resets: u32,
    captures: u32,
    /// Faults.
    silent: bool,
    no_chip: bool,
    no_sensor: bool,
    missing: usize,
}

impl Model {
    fn sensor(&self, bank: usize, address: u8) -> Option<u8> {
        self.banks[bank].iter().rev().find(|(at, _)| *at == address).map(|(_, value)| *value)
    }

    /// A picture of the size that the sensor was set to: Y counts up, U and V are constant.
    fn capture(&mut self) {
        let units = |low, high: u8| usize::from(self.sensor(0, low).unwrap()) + (usize::from(high) << 8);
        let high = self.sensor(0, 0x5c).unwrap();
        let (width, height) = (units(0x5a, high & 3) * 4, units(0x5b, high >> 2 & 1) * 4);
        self.captures += 1;
        let first = self.captures as usize;
        self.fifo = (0..width * height)
            .flat_map(|at| [(at + first) as u8, if at % 2 == 0 { 100 } else { 200 }])
            .collect();
        self.fifo.truncate(self.fifo.len() - self.missing);
        self.read = 0;
        self.done_after = (!self.silent).then_some(5);
    }

    fn read_register(&mut self, address: u8) -> u8 {
        match address {
            0x00 if !self.no_chip => self.test,
            0x41 => match &mut self.done_after {
                Some(0) => 0x08,
                Some(left) => {
                    *left -= 1;
                    0
                }
                None => 0,
            },
            0x42..=0x44 => (self.fifo.len() >> (8 * (address - 0x42))) as u8,
            _ => 0xff,
        }
    }
}

#[derive(Clone)]
struct Bus(Rc<RefCell<Model>>);

impl spi::ErrorType for Bus {
    type Error = spi::ErrorKind;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), spi::ErrorKind> {
        let mut model = self.0.borrow_mut();
        match operations {
            [Operation::Write([address, value])] => match (*address, *value) {
                (0x80, value) => model.test = value,
                (0x84, value) if value & 2 != 0 => model.capture(),
                (0x84, value) if value & 1 != 0 => model.done_after = None,
                _ => panic!("unknown register {address:#x}"),
            },
            [Operation::Write([0x3c]), Operation::Read(bytes)] => {
                let start = model.read;
                model.read += bytes.len();
                bytes.copy_from_slice(&model.fifo[start..start + bytes.len()]);
            }
            [Operation::Write([address]), Operation::Read(bytes)] => bytes[0] = model.read_register(*address),
            other => panic!("unknown transaction {other:?}"),
        }
        Ok(())
    }
}

impl i2c::ErrorType for Bus {
    type Error = i2c::ErrorKind;
}

impl I2c for Bus {
    fn transaction(
        &mut self,
        device: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        let mut model = self.0.borrow_mut();
        if model.no_sensor {
            return Err(i2c::ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        assert_eq!(device, 0x30);
        match operations {
            [i2c::Operation::Write([0xff, bank])] => model.bank = *bank,
            [i2c::Operation::Write([address])] => model.address = *address,
            [i2c::Operation::Write([0x12, 0x80])] if model.bank == 1 => {
                model.resets += 1;
                model.banks = [Vec::new(), Vec::new()];
            }
            [i2c::Operation::Write([address, value])] => {
                let bank = usize::from(model.bank);
                model.banks[bank].push((*address, *value));
            }
            [i2c::Operation::Read([byte])] => *byte = if model.address == 0x0a { 0x26 } else { 0x42 },
            other => panic!("unknown transaction {other:?}"),
        }
        Ok(())
    }
}

#[allow(clippy::type_complexity)]
fn camera<'r>(
    config: CameraConfig<'r>,
    bytes: usize,
) -> (Rc<RefCell<Model>>, ArduCam<'r, Bus, Bus, NoopDelay, impl FnMut() -> u64, Vec<u8>>) {
    let model = Rc::new(RefCell::new(Model::default()));
    let bus = Bus(model.clone());
    let mut time = 0;
    let clock = move || {
        time += 40_000;
        time
    };
    (model, ArduCam::new(bus.clone(), bus, NoopDelay, clock, vec![0; bytes], config))
}

#[test]
fn gray_and_yuyv_frames() {
    for (size, width, height) in
        [(CameraSize::Qqvga, 160, 120), (CameraSize::Qvga, 320, 240), (CameraSize::Vga, 640, 480)]
    {
        for format in [CameraFormat::Gray8, CameraFormat::Yuyv] {
            let config = CameraConfig { format, ..CameraConfig::new(size) };
            let (model, mut camera) = camera(config, config.bytes() + 3);
            for index in 0..2u64 {
                let frame = camera.next_frame().unwrap().unwrap();
                assert_eq!((frame.info.index, frame.info.timestamp_us), (index, (index + 1) * 40_000));
                assert_eq!((frame.image.width(), frame.image.height()), (width, height));
                for (x, y) in [(0u16, 0u16), (1, 0), (0, 1), (width - 1, height - 1)] {
                    let at = usize::from(y) * usize::from(width) + usize::from(x) + index as usize + 1;
                    if format == CameraFormat::Gray8 {
                        assert_eq!(frame.image.gray(x, y), at as u8, "{x} {y}");
                    } else {
                        assert_eq!(frame.image.format(), PixelFormat::Yuyv);
                    }
                }
            }
            // Configured once.
            assert_eq!((model.borrow().resets, model.borrow().captures), (1, 2));
        }
    }
}

/// The same buses for a firmware with tasks: each call lets others run once before it goes on.
struct Shared<T>(T);

/// Waits once.
async fn others_run() {
    let mut waited = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

impl spi::ErrorType for Shared<Bus> {
    type Error = spi::ErrorKind;
}

impl embedded_hal_async::spi::SpiDevice for Shared<Bus> {
    async fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), spi::ErrorKind> {
        others_run().await;
        SpiDevice::transaction(&mut self.0, operations)
    }
}

impl i2c::ErrorType for Shared<Bus> {
    type Error = i2c::ErrorKind;
}

impl embedded_hal_async::i2c::I2c for Shared<Bus> {
    async fn transaction(
        &mut self,
        device: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        others_run().await;
        I2c::transaction(&mut self.0, device, operations)
    }
}

impl embedded_hal_async::delay::DelayNs for Shared<NoopDelay> {
    async fn delay_ns(&mut self, _: u32) {
        others_run().await;
    }
}

/// Polls at most so often; the output, if there was one by then, and the number of polls.
fn poll<F: Future>(future: F, most: usize) -> (Option<F::Output>, usize) {
    let mut future = std::pin::pin!(future);
    for count in 1..=most {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (Some(output), count);
        }
    }
    (None, most)
}

#[test]
fn waiting_buses_give_the_same_frames_and_let_others_run() {
    let config = CameraConfig::new(CameraSize::Qqvga);
    let (_, mut blocking) = camera(config, config.bytes());
    let model = Rc::new(RefCell::new(Model::default()));
    let bus = Bus(model.clone());
    let (spi, i2c) = (Shared(bus.clone()), Shared(bus));
    let mut camera = ArduCam::new(spi, i2c, Shared(NoopDelay), || 7, vec![0; config.bytes()], config);
    for index in 0..2 {
        let expected = blocking.next_frame().unwrap().unwrap();
        let (frame, polls) = poll(camera.frame(), usize::MAX);
        let frame = frame.unwrap().unwrap();
        assert_eq!((frame.info.index, frame.info.timestamp_us), (index, 7));
        for at in 0..160 {
            assert_eq!(frame.image.gray(at, 3), expected.image.gray(at, 3));
        }
        // A frame is read in 150 pieces, and the camera is asked more than once whether it is done.
        assert!(polls > 150, "{polls}");
    }
    assert_eq!(model.borrow().resets, 1);
    // A call that is dropped in the middle: the camera is set up again, and the next frame is whole.
    let (dropped, _) = poll(camera.frame(), 40);
    assert!(dropped.is_none());
    let (frame, _) = poll(camera.frame(), usize::MAX);
    assert_eq!(frame.unwrap().unwrap().info.index, 3);
    assert_eq!(model.borrow().resets, 2);
    // A camera that hangs is a timeout, and comes back.
    model.borrow_mut().silent = true;
    assert_eq!(poll(camera.frame(), usize::MAX).0.unwrap().unwrap_err(), CameraError::Timeout);
    model.borrow_mut().silent = false;
    assert!(poll(camera.frame(), usize::MAX).0.unwrap().is_ok());
}

#[test]
fn registers_of_the_caller_come_last() {
    let registers = [Register::Sensor(0x04, 0xd8), Register::Processor(0xc2, 0x0c)];
    let config = CameraConfig { registers: &registers, ..CameraConfig::new(CameraSize::Qqvga) };
    let (model, mut camera) = camera(config, config.bytes());
    camera.next_frame().unwrap();
    let model = model.borrow();
    assert_eq!((model.banks[1].last(), model.banks[0].last()), (Some(&(0x04, 0xd8)), Some(&(0xc2, 0x0c))));
}

#[test]
fn a_camera_that_hangs_is_a_timeout_and_comes_back() {
    let config = CameraConfig::new(CameraSize::Qqvga);
    let (model, mut camera) = camera(config, config.bytes());
    camera.next_frame().unwrap();
    model.borrow_mut().silent = true;
    for _ in 0..2 {
        let error = camera.next_frame().unwrap_err();
        assert_eq!((error, error.kind()), (CameraError::Timeout, ErrorKind::Timeout));
    }
    model.borrow_mut().silent = false;
    // Two frames are missing, and the camera was reset for each try.
    assert_eq!(camera.next_frame().unwrap().unwrap().info.index, 3);
    assert_eq!(model.borrow().resets, 3);
}

#[test]
fn missing_parts_are_named() {
    let config = CameraConfig::new(CameraSize::Qqvga);
    let (model, mut camera) = camera(config, config.bytes());
    model.borrow_mut().no_chip = true;
    let error = camera.next_frame().unwrap_err();
    assert_eq!(error, CameraError::NotFound { part: CameraPart::Chip, answer: 0xff });
    model.borrow_mut().no_chip = false;
    model.borrow_mut().no_sensor = true;
    let error = camera.next_frame().unwrap_err();
    assert!(matches!(error, CameraError::I2c(_)) && error.to_string().contains("I2C"), "{error}");
    model.borrow_mut().no_sensor = false;
    assert!(camera.next_frame().is_ok());
}

#[test]
fn short_frames_and_small_buffers() {
    let config = CameraConfig::new(CameraSize::Qqvga);
    let (model, mut camera) = camera(config, config.bytes());
    model.borrow_mut().missing = 2;
    assert_eq!(camera.next_frame().unwrap_err(), CameraError::Short { bytes: 38_398, needed: 38_400 });
    let (_, mut camera) = self::camera(config, config.bytes() - 1);
    assert_eq!(camera.next_frame().unwrap_err(), CameraError::Buffer { bytes: 19_199, needed: 19_200 });
}

proptest! {
    /// Faults come and go: each frame is either whole or an error, and the camera recovers.
    #[test]
    fn faults_come_and_go(faults in prop::collection::vec(0u8..8, 1..30)) {
        let config = CameraConfig::new(CameraSize::Qqvga);
        let (model, mut camera) = camera(config, config.bytes());
        for (index, fault) in faults.into_iter().enumerate() {
            {
                let mut model = model.borrow_mut();
                (model.silent, model.no_chip, model.no_sensor) = (fault == 1, fault == 2, fault == 3);
                model.missing = if fault == 4 { 1000 } else { 0 };
            }
            match camera.next_frame() {
                Ok(frame) => prop_assert_eq!(frame.unwrap().info.index, index as u64),
                Err(_) => prop_assert!((1..=4).contains(&fault)),
            }
        }
    }
}
