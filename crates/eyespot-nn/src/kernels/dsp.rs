//! The dual multiply-accumulate of Cortex-M with DSP (Armv7E-M and Armv8-M with the extension). The only unsafe code of
//! the crate: stable Rust has no other way to these instructions, and the compiler does not find them by itself.

#![allow(unsafe_code, reason = "instructions that neither touch memory nor trap")]

use core::arch::asm;

/// Bytes 0 and 2 as two signed halves.
#[inline(always)]
pub(super) fn even(bytes: u32) -> u32 {
    let halves;
    // SAFETY: SXTB16 reads and writes registers only.
    unsafe {
        asm!(
            "sxtb16 {}, {}",
            out(reg) halves,
            in(reg) bytes,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    halves
}

/// Bytes 1 and 3 as two signed halves.
#[inline(always)]
pub(super) fn odd(bytes: u32) -> u32 {
    let halves;
    // SAFETY: SXTB16 reads and writes registers only.
    unsafe {
        asm!(
            "sxtb16 {}, {}, ror #8",
            out(reg) halves,
            in(reg) bytes,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    halves
}

/// `sum + low(a) * low(b) + high(a) * high(b)` of signed halves; wraps.
#[inline(always)]
pub(super) fn dual(a: u32, b: u32, mut sum: i32) -> i32 {
    // SAFETY: SMLAD reads and writes registers and the Q flag, which is declared by leaving out `preserves_flags`.
    unsafe {
        asm!(
            "smlad {2}, {0}, {1}, {2}",
            in(reg) a,
            in(reg) b,
            inlateout(reg) sum,
            options(pure, nomem, nostack),
        );
    }
    sum
}
