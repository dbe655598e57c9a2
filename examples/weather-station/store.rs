//! Weather station, store: the last 64 filtered samples. GET store/{n} gives the n-th newest, GET store?since=ms those
//! after a time, GET ring a window on all of them where they are.
#![no_std]
#![crate_type = "cdylib"]
mod store_things;
use store_things::{Ring, Sample};
use thingspire::*;

const CAPACITY: usize = 64;
const SAMPLE_BYTES: usize = core::mem::size_of::<Sample>();
/// As long as a reader may keep the window open.
const WINDOW_MS: u32 = 500;

static SAMPLES: Buffer<{ CAPACITY * SAMPLE_BYTES }> = Buffer::new();
/// How many samples have ever been stored.
static STORED: State<usize> = State::new(0);
static OBSERVED: Buffer<12> = Buffer::new();

fn count(stored: usize) -> usize {
    stored.min(CAPACITY)
}

/// The n-th newest sample; 0 is the newest.
fn sample(stored: usize, n: usize) -> Option<Sample> {
    if n >= count(stored) {
        return None;
    }
    SAMPLES.read((stored - 1 - n) % CAPACITY * SAMPLE_BYTES)
}

handler! {
    fn get_sample(request, response) -> Reply {
        let n = match request.parameter_number(0) {
            Some(n) if n >= 0 => n as usize,
            _ => return Reply::code_only(Code::BAD_REQUEST),
        };
        match sample(*STORED.borrow(), n) {
            Some(sample) => response.record(&sample),
            None => Reply::code_only(Code::NOT_FOUND),
        }
    }
}

handler! {
    /// Oldest first, as many as fit.
    fn get_since(request, response) -> Reply {
        let since = request.query_number("since").unwrap_or(-1);
        let stored = *STORED.borrow();
        let buffer = response.buffer();
        let mut used = 0;
        for n in (0..count(stored)).rev() {
            match sample(stored, n) {
                Some(sample) if sample.time as i32 > since && used + SAMPLE_BYTES <= buffer.len() => {
                    buffer[used..used + SAMPLE_BYTES].copy_from_slice(bytes_of(&sample));
                    used += SAMPLE_BYTES;
                }
                _ => {}
            }
        }
        Reply::new(Code::CONTENT, used)
    }
}

handler! {
    fn get_ring(request, response) -> Reply {
        let stored = *STORED.borrow();
        if stored == 0 {
            return Reply::code_only(Code::NOT_FOUND);
        }
        match request.grant_caller(&SAMPLES, Right::READ, WINDOW_MS) {
            Some(window) => response.record(&Ring {
                window: window.address(),
                count: count(stored) as u32,
                newest: ((stored - 1) % CAPACITY) as u32,
            }),
            None => Reply::code_only(Code::SERVICE_UNAVAILABLE),
        }
    }
}

on_start! {
    if observe("/weather", &OBSERVED).is_none() {
        log("no weather to observe");
    }
}

on_notify! { |_, reply| {
    if let (true, Some(weather)) = (reply.ok(), OBSERVED.read::<Sample>(0)) {
        let mut stored = STORED.borrow_mut();
        SAMPLES.write(*stored % CAPACITY * SAMPLE_BYTES, &weather);
        *stored += 1;
    }
} }
