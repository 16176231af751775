//! How long something took: on the clock and on the processor.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

pub struct Meter {
    wall: Instant,
    cpu: Duration,
}

/// What `process.py` reads from the last line of a measuring command.
#[derive(Debug, Default, Serialize)]
pub struct Measured {
    pub records: u64,
    pub bytes: u64,
    pub matches: u64,
    wall: f64,
    cpu: f64,
}

impl Meter {
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: processor_time() }
    }
}

impl Measured {
    /// Stops the meter and prints everything.
    pub fn print(&mut self, meter: &Meter) -> Result<()> {
        self.wall = meter.wall.elapsed().as_secs_f64();
        self.cpu = (processor_time().checked_sub(meter.cpu)).context("the processor's clock ran back")?.as_secs_f64();
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// What all threads of this process have used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
