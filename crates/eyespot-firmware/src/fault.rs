//! What a hard fault says.

#![allow(unsafe_code)]

use core::arch::naked_asm;

use cortex_m::peripheral::SCB;

/// Exit code of a hard fault.
const HARD_FAULT: i32 = 102;

/// What the processor pushes on the stack for an exception.
const FRAME_WORDS: usize = 8;

/// Goes to the start of the stack, which may have overflowed, and reports from there.
#[unsafe(naked)]
// SAFETY: the name is the one that cortex-m-rt's vector table wants; the processor calls it with any stack.
#[unsafe(no_mangle)]
unsafe extern "C" fn HardFault() -> ! {
    naked_asm!(
        "mrs r0, msp",
        "ldr r1, =_stack_start",
        "msr msp, r1",
        "b {report}",
        report = sym report,
    )
}

unsafe extern "C" fn report(stack_pointer: *const u32) -> ! {
    // SAFETY: reading the register has no effect, and nothing else runs any more.
    let cause = unsafe { (*SCB::PTR).cfsr.read() };
    let stack = cortex_m_stack::stack_rev();
    let (lowest, highest) = (stack.start.cast_const(), stack.end.cast_const());
    // STKOF of Armv8-M, or a stack pointer outside of the stack.
    if cause & 1 << 20 != 0 || stack_pointer < lowest {
        defmt::error!("hard fault: stack overflow, {} bytes are too few", cortex_m_stack::stack_size());
    } else if stack_pointer.wrapping_add(FRAME_WORDS) <= highest {
        // SAFETY: the whole frame lies in the stack; it may have been written over by this handler, whose few words
        // start at the other end, only where the stack was all but empty.
        let address = unsafe { stack_pointer.add(6).read() };
        defmt::error!("hard fault at {=u32:#010x}, cause {=u32:#x}", address, cause);
    } else {
        defmt::error!("hard fault, cause {=u32:#x}", cause);
    }
    semihosting::process::exit(HARD_FAULT)
}
