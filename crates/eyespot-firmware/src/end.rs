//! How a firmware in the emulator is asked for something, and how it ends.

use core::panic::PanicInfo;

use defmt_semihosting as _;

/// Exit code of a panic, the one of Rust programs on a computer.
const PANIC: i32 = 101;

/// Calls `take` with the argument of this number, from 0, if the firmware got one that long.
pub fn argument<R>(number: usize, take: impl FnOnce(&str) -> R) -> Option<R> {
    let arguments = semihosting::experimental::env::args::<128>().ok()?;
    // The first one is the name of the program.
    (&arguments).into_iter().nth(number + 1)?.ok().map(take)
}

/// Ends the emulator with an exit code.
pub fn exit(code: u8) -> ! {
    semihosting::process::exit(code.into())
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    semihosting::process::exit(PANIC)
}

/// Ends on purpose, to see that it is told: `panic`, `fault` (reads where nothing is), or `overflow` (of the stack).
/// Any other name does nothing.
pub fn provoke(how: &str) {
    match how {
        "panic" => out_of_bounds(&[1, 2, 3]),
        "fault" => {
            let nowhere = 0xf000_0000 as *const u32;
            // SAFETY: a read that the bus refuses, which is what is asked for; the fault handler does not return.
            #[allow(unsafe_code)]
            let value = unsafe { nowhere.read_volatile() };
            defmt::info!("read {}", value);
        }
        "overflow" => defmt::info!("{}", deeper(1)),
        _ => {}
    }
}

fn out_of_bounds(numbers: &[u32]) {
    let index = core::hint::black_box(5);
    defmt::info!("{}", numbers[index]);
}

/// Calls itself until the stack ends.
#[allow(unconditional_recursion, reason = "that is the purpose")]
fn deeper(depth: u32) -> u32 {
    let room = core::hint::black_box([depth; 64]);
    deeper(depth + 1) + room[depth as usize % 64]
}
