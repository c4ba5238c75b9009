//! The Wasm engine: one per process and memory limit, since it reserves much address space.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
};

/// How often computing components give way to others.
const TICK: Duration = Duration::from_millis(5);
/// Instances of a process at once. Each reserves address space, but takes memory only when used.
const MAX_INSTANCES: u32 = 600;
/// Memory of a finished instance that is kept for the next one.
const KEEP_RESIDENT: usize = 256 << 10;

/// The engine whose instances may have `max_memory` bytes each.
pub fn engine(max_memory: usize) -> Result<Engine> {
    static ENGINES: LazyLock<Mutex<HashMap<usize, Engine>>> = LazyLock::new(Mutex::default);
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = engines.get(&max_memory) {
        return Ok(engine.clone());
    }
    // Where little address space is allowed (`ulimit -v`), instances are made one by one.
    let engine = Engine::new(&config(Some(max_memory))).or_else(|_| Engine::new(&config(None)))?;
    keep_ticking(&engine);
    engines.insert(max_memory, engine.clone());
    Ok(engine)
}

fn config(pooled_memory: Option<usize>) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(None)
        .max_wasm_stack(1 << 20)
        .async_stack_size(2 << 20);
    if let Some(max_memory) = pooled_memory {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(MAX_INSTANCES)
            .total_core_instances(MAX_INSTANCES * 8)
            .total_memories(MAX_INSTANCES)
            .total_tables(MAX_INSTANCES * 4)
            .total_stacks(MAX_INSTANCES * 4)
            .max_memory_size(max_memory)
            .max_unused_warm_slots(32)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(16 << 10)
            .async_stack_keep_resident(32 << 10)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Moves the engine's clock until the engine is gone.
fn keep_ticking(engine: &Engine) {
    let engine = engine.weak();
    let clock = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    // Without the clock components run undisturbed, only less fairly.
    let _ = std::thread::Builder::new()
        .name("epoch".to_owned())
        .spawn(clock);
}
