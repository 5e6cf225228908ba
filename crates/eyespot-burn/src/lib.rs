//! Burn backend.
