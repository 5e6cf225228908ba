//! Head decoders and suppression.
#![no_std]
