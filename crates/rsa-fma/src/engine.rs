//! The engine: the arithmetic that computes.

use std::fmt;

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
