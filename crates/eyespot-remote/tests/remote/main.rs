//! Models that run elsewhere. One program for all, as each links everything that a host has.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod fallback;
mod models;
mod task;
mod tls;
