//! The firmware: it reads a model from a file of the computer, runs it, and logs what that took. Its arguments are the
//! file, the number of images, and instead of made-up images a file with the values of the input.

use core::ffi::CStr;

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use eyespot_core::Error as _;
use eyespot_firmware::{Clock as _, SysTickClock, argument, exit, stack};
use eyespot_nn::{Model, Network};
use semihosting::fs::File;
use semihosting::io::Read as _;
use static_cell::ConstStaticCell;

/// Length of a tick of the board's clock in nanoseconds, each of which is an instruction in QEMU.
const TICK: u32 = if cfg!(machine = "an505") { 50 } else { 40 };

/// Where the flash of a real firmware would be: the emulated boards have RAM enough for a file of any size.
static FILE: ConstStaticCell<[u64; (1 << 20) / 8]> = ConstStaticCell::new([0; _]);

/// What a microcontroller with much RAM has.
static ARENA: ConstStaticCell<[u64; (1 << 20) / 8]> = ConstStaticCell::new([0; _]);

#[entry]
fn main() -> ! {
    let Some(core) = Peripherals::take() else { exit(1) };
    let clock = SysTickClock::new(core.SYST, TICK);
    let file: &mut [u8] = bytemuck::cast_slice_mut(FILE.take());
    let Some(Some(bytes)) = argument(0, |path| read(path, file)) else {
        defmt::error!("the first argument must be a model's file that can be read, at most 1 MiB");
        exit(1)
    };
    let images = argument(1, |number| number.parse().ok()).flatten().unwrap_or(1);
    let model = match Model::load(bytes) {
        Ok(model) => model,
        Err(error) => {
            defmt::error!("the model can't be loaded: {}", error.kind());
            exit(1)
        }
    };
    let Ok(mut network) = Network::new(model, &mut ARENA.take()[..]) else {
        defmt::error!("the model needs an arena of {} bytes", model.arena_bytes());
        exit(1)
    };
    let mut instructions = 0;
    // The input of the network is where the file is read to.
    let input = argument(2, |path| {
        let values = network.input_mut(0).i8()?;
        read(path, bytemuck::cast_slice_mut(values)).map(|_| ())
    });
    let sum = match input {
        Some(Some(())) => {
            instructions = infer(&mut network, &clock);
            network::checksum(&network, 0)
        }
        Some(None) => {
            defmt::error!("the third argument must be a file that can be read, no longer than the input");
            exit(1)
        }
        None => network::outputs(&mut network, images, |network| instructions += infer(network, &clock)),
    };
    let (used, _) = stack();
    defmt::info!("outputs: {=u32:08x}", sum);
    let mean = instructions / u64::from(images.max(1));
    defmt::info!("instructions, arena, stack: {} {} {}", mean, model.arena_bytes(), used);
    exit(0)
}

/// Runs the network and counts.
#[inline(never)]
fn infer(network: &mut Network<'_, &mut [u64]>, clock: &SysTickClock) -> u64 {
    let mut instructions = 0;
    let mut start = clock.now();
    // Layer by layer: a whole run may be longer than the timer.
    network.run_with(|_, _| {
        instructions += u64::from(clock.since(start));
        start = clock.now();
    });
    instructions
}

/// Reads a whole file.
fn read<'a>(path: &str, bytes: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut name = [0; 128];
    name.get_mut(..path.len())?.copy_from_slice(path.as_bytes());
    let mut file = File::open(CStr::from_bytes_until_nul(&name).ok()?).ok()?;
    let len = usize::try_from(file.metadata().ok()?.len()).ok()?;
    let bytes = bytes.get_mut(..len)?;
    file.read_exact(bytes).ok()?;
    Some(bytes)
}
