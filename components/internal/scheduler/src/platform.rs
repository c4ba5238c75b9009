//! The engine's clock, as the platform has it.

use windlass_core::Timestamp;
use windlass_core::outbound::Clock;
pub use windlass_core::outbound::Network;

/// The platform's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[cfg(target_arch = "wasm32")]
    async fn sleep(&self, millis: i64) {
        let nanos = u64::try_from(millis).unwrap_or(0).saturating_mul(1_000_000);
        windlass_core::wasip3::clocks::monotonic_clock::wait_for(nanos).await;
    }

    /// Native tests have no work that would be waited for.
    #[cfg(not(target_arch = "wasm32"))]
    async fn sleep(&self, _millis: i64) {}
}
