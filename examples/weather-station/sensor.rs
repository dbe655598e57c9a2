//! Weather station, sensor driver: reads a TMP102-like thermometer on the I2C bus ten times a second and publishes what
//! it shows, in 1/100 degree with the milliseconds since the start. Without one it
//! makes up weather: a day lasts twelve seconds, and now and then the wire picks up a spike.
#![no_std]
#![crate_type = "cdylib"]
mod sensor_things;
use sensor_things::Sample;
use thingspire::*;

/// Writes the register number, then reads what the buffer holds.
const SENSOR: &str = "/dev/i2c/0/72";
const PERIOD_MS: u32 = 100;
const DAY_MS: i32 = 12_000;

static SAMPLE: State<Sample> = State::new(Sample::ZERO);
static WIRED: State<bool> = State::new(true);

/// From the register: 1/256 degree in 16 bits.
fn measure() -> Option<i32> {
    let mut bytes = [0u8; 2];
    let reply = post(SENSOR, &[0], &mut bytes);
    if reply.ok() && reply.length() == 2 { Some(i16::from_be_bytes(bytes) as i32 * 100 / 256) } else { None }
}

/// 15 degrees at night, 31 in the afternoon, 1/10 degree of noise, every 30th sample far off.
fn make_up(time: u32) -> i32 {
    let hour = (time as i32) % DAY_MS;
    let from_noon = (hour - DAY_MS / 2).abs();
    let spike = if (time / PERIOD_MS) % 30 == 29 { 2000 } else { 0 };
    3100 - from_noon * 1600 / (DAY_MS / 2) + (random() % 21) as i32 - 10 + spike
}

handler! {
    fn get_temperature(_request, response) -> Reply {
        let sample = *SAMPLE.borrow();
        if sample.time == 0 { Reply::code_only(Code::SERVICE_UNAVAILABLE) } else { response.record(&sample) }
    }
}

on_start! {
    if measure().is_none() {
        *WIRED.borrow_mut() = false;
        log("no thermometer on the bus, weather is made up");
    }
    timer(0, PERIOD_MS, PERIOD_MS);
}

on_timer! { |_| {
    let time = (now() / 1000) as u32;
    let wired = *WIRED.borrow();
    let temperature = if wired { measure() } else { Some(make_up(time)) };
    if let Some(temperature) = temperature {
        *SAMPLE.borrow_mut() = Sample { time, temperature };
        notify("sensor/temperature");
    }
} }
