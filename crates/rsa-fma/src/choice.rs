//! The choice of an engine on this host.

use std::sync::OnceLock;

use crate::engine::Engine;
use crate::self_test;

impl Engine {
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
}
