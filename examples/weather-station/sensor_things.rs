// What module "sensor" of weather-station provides and requires. Made by `wasm-aot stubs`: do not edit.
#![allow(dead_code)]

use thingspire::{Plain};

// GET /sensor/temperature: `handler! { fn get_temperature(request, response) -> Reply { ... } }`
//   takes nothing, gives `Sample`

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Sample {
    pub time: u32,
    /// -5500 to 15000
    pub temperature: i32,
}
impl Sample {
    pub const ZERO: Sample = Sample { time: 0, temperature: 0 };
}
const _: [u8; 8] = [0; core::mem::size_of::<Sample>()];
unsafe impl Plain for Sample {}
