//! The imports of "thingspire" as they are in compiler/abi/os-imports.ts. Knows nothing of their safe wrappers.

#[link(wasm_import_module = "thingspire")]
extern "C" {
    pub fn call(requirement: u32, payload: *const u8, bytes: usize, response: *mut u8, capacity: usize) -> u32;
    pub fn request(
        method: u32,
        uri: *const u8,
        uri_bytes: usize,
        payload: *const u8,
        bytes: usize,
        response: *mut u8,
        capacity: usize,
    ) -> u32;
    pub fn parameter(index: u32, buffer: *mut u8, capacity: usize) -> i32;
    pub fn query(key: *const u8, key_bytes: usize, buffer: *mut u8, capacity: usize) -> i32;
    pub fn caller(buffer: *mut u8, capacity: usize) -> i32;
    pub fn grant(requirement: u32, address: *const u8, bytes: usize, rights: u32, milliseconds: u32) -> u32;
    pub fn grant_caller(address: *const u8, bytes: usize, rights: u32, milliseconds: u32) -> u32;
    pub fn revoke(window: u32) -> u32;
    pub fn observe(uri: *const u8, uri_bytes: usize, buffer: *mut u8, capacity: usize) -> i32;
    pub fn unobserve(subscription: i32) -> u32;
    pub fn notify(path: *const u8, path_bytes: usize) -> u32;
    pub fn timer(timer: u32, first_ms: u32, period_ms: u32) -> u32;
    pub fn now() -> u64;
    pub fn random() -> u32;
    pub fn log(text: *const u8, bytes: usize);
    pub fn time_left() -> i32;
}
