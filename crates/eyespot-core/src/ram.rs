//! A RAM budget that the compiler checks.

/// Fails the build when the listed types together take more bytes than the budget.
///
/// ```
/// use eyespot_core::{Predictions, ram_budget};
/// ram_budget!(8 * 1024; Predictions<64>, Predictions<32, 1024>);
/// ```
///
/// ```compile_fail
/// use eyespot_core::{Predictions, ram_budget};
/// ram_budget!(1024; Predictions<64>);
/// ```
#[macro_export]
macro_rules! ram_budget {
    ($bytes:expr; $($storage:ty),+ $(,)?) => {
        const _: () = assert!(
            0 $(+ ::core::mem::size_of::<$storage>())+ <= $bytes,
            concat!(
                "RAM budget exceeded: ",
                stringify!($($storage),+),
                " together take more than ",
                stringify!($bytes),
                " bytes. Use smaller capacities or raise the budget.",
            ),
        );
    };
}
