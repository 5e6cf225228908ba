//! Sliding window.
#![no_std]
