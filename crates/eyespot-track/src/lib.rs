//! Tracking.
#![no_std]
