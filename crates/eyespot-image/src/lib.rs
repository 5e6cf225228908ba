//! Image operations.
#![no_std]
