//! Motion predictors.
#![no_std]
