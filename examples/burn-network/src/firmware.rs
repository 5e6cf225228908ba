//! The firmware: it runs the network once and logs what it gave and took.

use burn_network::Network;
use cortex_m::Peripherals;
use cortex_m_rt::entry;
use eyespot_firmware::{Clock as _, SysTickClock, exit, stack};
use network::made_up::image;
use static_cell::ConstStaticCell;

use crate::heap;

/// Length of a tick of the board's clock in nanoseconds, each of which is an instruction in QEMU.
const TICK: u32 = 40;

/// Nearly all the RAM of the board.
static MEMORY: ConstStaticCell<[u64; 3_500_000 / 8]> = ConstStaticCell::new([0; _]);

#[entry]
fn main() -> ! {
    let Some(core) = Peripherals::take() else { exit(1) };
    let clock = SysTickClock::new(core.SYST, TICK);
    heap::lend(&mut MEMORY.take()[..]);
    let network = Network::new();
    let weights = heap::peak();
    let image = image(0).collect();
    let start = clock.now();
    let Ok(outputs) = network.run(image) else { exit(1) };
    let instructions = clock.since(start);
    for (index, value) in outputs.iter().enumerate() {
        // Thousandths: formatting floats takes 20 KiB of flash.
        defmt::debug!("{}: {}", index, (value * 1000.0) as i32);
    }
    let sum: f32 = outputs.iter().map(|value| value * value).sum();
    defmt::info!("outputs: {}", (sum * 1000.0) as i32);
    let (used, _) = stack();
    defmt::info!(
        "instructions, weights, heap, stack: {} {} {} {}",
        instructions,
        weights,
        heap::peak(),
        used
    );
    exit(0)
}
