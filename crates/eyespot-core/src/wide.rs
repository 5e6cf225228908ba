//! Loops for the processor at hand.

/// Work whose loops are faster with more or wider vector registers, for [`wide`].
pub trait Wide {
    /// What comes of it.
    type Output;

    /// Does the work. Only what is inlined here is compiled for each kind of processor: mark it and what it calls in its loops
    /// `#[inline(always)]`.
    fn work(self) -> Self::Output;
}

/// Does `work`, with the feature `host` by code for what this processor has beyond the ones that the program was built for:
/// programs for x86-64 are built for processors of 2003. The results are the same bits.
#[cfg(feature = "host")]
pub fn wide<W: Wide>(work: W) -> W::Output {
    struct Simd<W>(W);

    impl<W: Wide> pulp::WithSimd for Simd<W> {
        type Output = W::Output;

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> W::Output {
            self.0.work()
        }
    }

    pulp::Arch::new().dispatch(Simd(work))
}

/// Does `work`, with the feature `host` by code for what this processor has beyond the ones that the program was built for:
/// programs for x86-64 are built for processors of 2003. The results are the same bits.
#[cfg(not(feature = "host"))]
#[inline(always)]
pub fn wide<W: Wide>(work: W) -> W::Output {
    work.work()
}
