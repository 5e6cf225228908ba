//! The OV2640 sensor: YUYV pictures through its 800 x 600 mode and its scaler.
//!
//! Source: OmniVision, "OV2640 Color CMOS UXGA camera sensor", data sheet, device control register list.

use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::i2c::I2c;

const ADDRESS: u8 = 0x30;
/// Chooses between the registers of the scaler (0) and those of the sensor (1).
const BANK: u8 = 0xff;

/// A register of the sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Register {
    /// Address and value in bank 0, the picture processor.
    Processor(u8, u8),
    /// Address and value in bank 1, the sensor itself.
    Sensor(u8, u8),
}

use Register::{Processor, Sensor};

/// Product and version numbers.
pub(super) async fn id<I: I2c>(i2c: &mut I) -> Result<u16, I::Error> {
    let mut id = [0; 2];
    i2c.write(ADDRESS, &[BANK, 1]).await?;
    for (byte, address) in id.iter_mut().zip([0x0a, 0x0b]) {
        // The bus of the sensor knows no repeated start.
        i2c.write(ADDRESS, &[address]).await?;
        i2c.read(ADDRESS, core::slice::from_mut(byte)).await?;
    }
    Ok(u16::from_be_bytes(id))
}

pub(super) const fn is_known(id: u16) -> bool {
    matches!(id, 0x2641 | 0x2642)
}

/// Resets the sensor and sets it to pictures of this size, multiples of 4 up to 800 x 600.
pub(super) async fn configure<I: I2c, D: DelayNs>(
    i2c: &mut I,
    delay: &mut D,
    width: u16,
    height: u16,
    more: &[Register],
) -> Result<(), I::Error> {
    write(i2c, Sensor(0x12, 0x80)).await?;
    delay.delay_ms(10).await;
    let [width, height] = [width, height].map(|pixels| pixels / 4);
    let registers = [
        // COM7: 800 x 600; CLKRC: the clock as it comes.
        Sensor(0x12, 0x40),
        Sensor(0x11, 0x00),
        // The window in this mode: HREFST, HREFEND, REG32, VSTRT, VEND, COM1.
        Sensor(0x17, 0x11),
        Sensor(0x18, 0x43),
        Sensor(0x32, 0x09),
        Sensor(0x19, 0x00),
        Sensor(0x1a, 0x4b),
        Sensor(0x03, 0x0a),
        // RESET: hold the picture output while it is changed.
        Processor(0xe0, 0x04),
        // HSIZE8, VSIZE8: 800 x 600 in, in units of 8.
        Processor(0xc0, 0x64),
        Processor(0xc1, 0x4b),
        // CTRL2: scaler, colours and their averaging on.
        Processor(0x86, 0x3d),
        // CTRLI; HSIZE, VSIZE in units of 4, offsets 0.
        Processor(0x50, 0x80),
        Processor(0x51, 0xc8),
        Processor(0x52, 0x96),
        Processor(0x53, 0x00),
        Processor(0x54, 0x00),
        Processor(0x55, 0x00),
        Processor(0x57, 0x00),
        // ZMOW, ZMOH, ZMHH: the size that comes out, in units of 4.
        Processor(0x5a, width as u8),
        Processor(0x5b, height as u8),
        Processor(0x5c, (height >> 6 & 0x04 | width >> 8 & 0x03) as u8),
        // R_DVP_SP: a pixel clock that the FIFO can take.
        Processor(0xd3, 0x04),
        // IMAGE_MODE: YUV422, Y U Y V.
        Processor(0xda, 0x00),
        // R_BYPASS: the picture processor is used; RESET: go.
        Processor(0x05, 0x00),
        Processor(0xe0, 0x00),
    ];
    for &register in registers.iter().chain(more) {
        write(i2c, register).await?;
    }
    Ok(())
}

async fn write<I: I2c>(i2c: &mut I, register: Register) -> Result<(), I::Error> {
    let (bank, address, value) = match register {
        Processor(address, value) => (0, address, value),
        Sensor(address, value) => (1, address, value),
    };
    i2c.write(ADDRESS, &[BANK, bank]).await?;
    i2c.write(ADDRESS, &[address, value]).await
}
