// What module "store" of weather-station provides and requires. Made by `wasm-aot stubs`: do not edit.
#![allow(dead_code)]

use thingspire::{Plain, Reply, call};

// GET /store/{n}: `handler! { fn get_sample(request, response) -> Reply { ... } }`
//   takes nothing, gives `Sample`
// GET /store: `handler! { fn get_since(request, response) -> Reply { ... } }`
//   takes nothing, gives up to 64 `Sample`
// GET /ring: `handler! { fn get_ring(request, response) -> Reply { ... } }`
//   takes nothing, gives `Ring`

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

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Ring {
    pub window: u32,
    /// 1 to 64
    pub count: u32,
    /// 0 to 63
    pub newest: u32,
}
impl Ring {
    pub const ZERO: Ring = Ring { window: 0, count: 0, newest: 0 };
}
const _: [u8; 12] = [0; core::mem::size_of::<Ring>()];
unsafe impl Plain for Ring {}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Weather {
    pub time: u32,
    /// -5500 to 15000
    pub temperature: i32,
    pub trend: i32,
}
impl Weather {
    pub const ZERO: Weather = Weather { time: 0, temperature: 0, trend: 0 };
}
const _: [u8; 12] = [0; core::mem::size_of::<Weather>()];
unsafe impl Plain for Weather {}

pub const REQUIRE_WEATHER: u32 = 0;

/// GET /weather
pub fn call_weather_get(response: &mut Weather) -> Reply {
    call(REQUIRE_WEATHER, &[], unsafe { core::slice::from_raw_parts_mut(response as *mut Weather as *mut u8, core::mem::size_of::<Weather>()) })
}
