//! Synthetic scenes.
#![no_std]
