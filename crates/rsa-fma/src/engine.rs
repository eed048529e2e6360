//! Which arithmetic computes.

use std::fmt;
use std::sync::OnceLock;

use crate::self_test;

/// An implementation of the arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Engine {
    /// Fused multiply-add of floats; in Wasm by relaxed SIMD.
    Fma,
    /// Whole numbers of 27 bits.
    Integer,
    /// The crate `rsa`.
    Rsa,
}

impl Engine {
    /// The engines of this build, the fastest first.
    pub const ALL: &[Engine] = if cfg!(target_arch = "wasm32") {
        if cfg!(feature = "relaxed-simd") {
            &[Engine::Fma, Engine::Integer, Engine::Rsa]
        } else {
            &[Engine::Integer, Engine::Rsa]
        }
    } else if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        &[Engine::Fma, Engine::Rsa, Engine::Integer]
    } else {
        // Without the instruction a fused multiply-add is a slow call.
        &[Engine::Rsa, Engine::Integer, Engine::Fma]
    };

    /// The fastest engine that passes its known-answer test on this host. The tests are run once, at
    /// the first use, and take less than a signature.
    ///
    /// They are needed where the host decides what an instruction does: relaxed SIMD lets it round
    /// twice where the engine needs one rounding.
    pub fn best() -> Engine {
        #[cfg(any(test, feature = "contract"))]
        if let Some(engine) = crate::contract::preferred() {
            return engine;
        }
        static BEST: OnceLock<Engine> = OnceLock::new();
        *BEST.get_or_init(|| {
            let right = |engine: &&Engine| self_test::passes(**engine);
            Engine::ALL
                .iter()
                .find(right)
                .copied()
                .unwrap_or(Engine::Rsa)
        })
    }

    /// `fma`, `integer` or `rsa`.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Fma => "fma",
            Engine::Integer => "integer",
            Engine::Rsa => "rsa",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
