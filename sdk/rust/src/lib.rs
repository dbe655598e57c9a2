//! What a module in Rust sees of ThingSpire: requests, handlers, grants, observing, timers and the console, without
//! allocation and without dependencies. Knows no kernel. The header for C and the module for AssemblyScript offer the
//! same under the same names.
#![no_std]

mod codes;
mod imports;
mod line;
mod state;

pub use codes::{Code, Method, Reply, Right};
pub use line::Line;
pub use state::{Buffer, State};

/// Types of which every bit pattern is a value: what payloads can be read as and written from.
///
/// # Safety
/// Implement it for `#[repr(C)]` structs of such types without padding, and for arrays of them.
pub unsafe trait Plain: Copy {}
macro_rules! plain {
    ($($t:ty)*) => { $(unsafe impl Plain for $t {})* };
}
plain!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The bytes of a value.
pub fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    unsafe { core::slice::from_raw_parts(value as *const T as *const u8, core::mem::size_of::<T>()) }
}

/// The value that starts `bytes`, or `None` if they are too few.
pub fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < core::mem::size_of::<T>() {
        return None;
    }
    Some(unsafe { core::ptr::read_unaligned(bytes.as_ptr() as *const T) })
}

/// The number that a decimal text with optional sign is.
pub fn parse_number(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0i32, |number, digit| {
        let digit = if digit.is_ascii_digit() { (digit - b'0') as i32 } else { return None };
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(digit) } else { number.checked_add(digit) }
    })
}

// ---- Handlers ----

/// What a handler was asked.
pub struct Request {
    payload: *const u8,
    bytes: usize,
}

impl Request {
    /// For `handler!`.
    ///
    /// # Safety
    /// `payload` must be readable for `bytes` as long as the request is used.
    pub unsafe fn new(payload: *const u8, bytes: usize) -> Request {
        Request { payload, bytes }
    }

    /// The payload: a window into the caller's memory, read where it is.
    pub fn payload(&self) -> &[u8] {
        if self.bytes == 0 {
            return &[];
        }
        unsafe { core::slice::from_raw_parts(self.payload, self.bytes) }
    }

    /// The payload as a record, or `None` if it is too short.
    pub fn read<T: Plain>(&self) -> Option<T> {
        read(self.payload())
    }

    /// The text of the index-th `{}` of the path, written to `buffer`. `None` if there is none or it does not fit.
    pub fn parameter<'b>(&self, index: u32, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let length = unsafe { imports::parameter(index, buffer.as_mut_ptr(), buffer.len()) };
        buffer.get(..usize::try_from(length).ok()?)
    }

    /// The index-th `{}` of the path as a number.
    pub fn parameter_number(&self, index: u32) -> Option<i32> {
        parse_number(self.parameter(index, &mut [0; 12])?)
    }

    /// The value of a query parameter, written to `buffer`. `None` if there is none or it does not fit.
    pub fn query<'b>(&self, key: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let length = unsafe { imports::query(key.as_ptr(), key.len(), buffer.as_mut_ptr(), buffer.len()) };
        buffer.get(..usize::try_from(length).ok()?)
    }

    /// A query parameter as a number.
    pub fn query_number(&self, key: &str) -> Option<i32> {
        parse_number(self.query(key, &mut [0; 12])?)
    }

    /// The name of the module that calls, written to `buffer`. `None` if it does not fit.
    pub fn caller<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let length = unsafe { imports::caller(buffer.as_mut_ptr(), buffer.len()) };
        buffer.get(..usize::try_from(length).ok()?)
    }

    /// Opens a window for the module that calls; see `grant`.
    pub fn grant_caller<M>(&self, memory: &'static M, rights: Right, milliseconds: u32) -> Option<Window>
    where
        M: Memory + ?Sized,
    {
        let (address, bytes) = memory.area();
        Window::made(unsafe { imports::grant_caller(address, bytes, rights.0, milliseconds) })
    }
}

/// Where a handler puts its answer.
pub struct Response {
    buffer: *mut u8,
    capacity: usize,
}

impl Response {
    /// For `handler!`.
    ///
    /// # Safety
    /// `buffer` must be writable for `capacity` bytes as long as the response is used.
    pub unsafe fn new(buffer: *mut u8, capacity: usize) -> Response {
        Response { buffer, capacity }
    }

    /// The response buffer: a window into the caller's memory. Answer with `Reply::new(code, bytes)`.
    pub fn buffer(&mut self) -> &mut [u8] {
        if self.capacity == 0 {
            return &mut [];
        }
        unsafe { core::slice::from_raw_parts_mut(self.buffer, self.capacity) }
    }

    /// Copies bytes into the response buffer and gives 2.05 with them; 4.13 if the buffer is too small.
    pub fn content(&mut self, bytes: &[u8]) -> Reply {
        match self.buffer().get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Reply::new(Code::CONTENT, bytes.len())
            }
            None => Reply::code_only(Code::REQUEST_ENTITY_TOO_LARGE),
        }
    }

    /// `content` of a record.
    pub fn record<T: Plain>(&mut self, value: &T) -> Reply {
        self.content(bytes_of(value))
    }
}

/// Defines and exports a handler: `handler! { fn name(request, response) -> Reply { ... } }`.
#[macro_export]
macro_rules! handler {
    ($(#[$meta:meta])* fn $name:ident($request:ident, $response:ident) -> Reply $body:block) => {
        $(#[$meta])*
        #[no_mangle]
        pub extern "C" fn $name(payload: *const u8, bytes: usize, buffer: *mut u8, capacity: usize) -> u32 {
            fn handle($request: &$crate::Request, $response: &mut $crate::Response) -> $crate::Reply $body
            let (request, mut response) =
                unsafe { ($crate::Request::new(payload, bytes), $crate::Response::new(buffer, capacity)) };
            handle(&request, &mut response).word()
        }
    };
}

/// Defines what runs once after the module was instantiated, and after each restart: `on_start! { ... }`.
#[macro_export]
macro_rules! on_start {
    ($($body:tt)*) => {
        #[no_mangle]
        pub extern "C" fn on_start() { $($body)* }
    };
}

/// Defines what runs when a timer is due: `on_timer! { |timer| ... }`.
#[macro_export]
macro_rules! on_timer {
    (|$timer:pat_param| $body:expr) => {
        #[no_mangle]
        pub extern "C" fn on_timer($timer: u32) {
            $body
        }
    };
}

/// Defines what runs when an observed resource has changed; its representation is in the buffer of `observe`:
/// `on_notify! { |subscription, reply| ... }`.
#[macro_export]
macro_rules! on_notify {
    (|$subscription:pat_param, $reply:pat_param| $body:expr) => {
        #[no_mangle]
        pub extern "C" fn on_notify(subscription: i32, result: u32) {
            let ($subscription, $reply) = (subscription, $crate::Reply::from_word(result));
            $body
        }
    };
}

// ---- Requests ----

/// Requests what entry `requirement` of the manifest's `requires` names (an exact path with one method): the fast way,
/// without a URI. The payload is granted to the callee for reading, the response buffer for writing, until it returns.
/// Gives the callee's reply, or an error of the system: 4.03 not allowed, 4.04 no such service, 4.13 too large, 4.29 too
/// often, 5.00 the callee failed, 5.03 it is not running, 5.04 its deadline expired.
pub fn call(requirement: u32, payload: &[u8], response: &mut [u8]) -> Reply {
    Reply::from_word(unsafe {
        imports::call(requirement, payload.as_ptr(), payload.len(), response.as_mut_ptr(), response.len())
    })
}

/// Requests any URI that the manifest's `requires` covers, e.g. "/log/7?since=20". Errors as `call`, and 4.05.
pub fn request(method: Method, uri: &str, payload: &[u8], response: &mut [u8]) -> Reply {
    let (to, length) = (response.as_mut_ptr(), response.len());
    Reply::from_word(unsafe {
        imports::request(method.0, uri.as_ptr(), uri.len(), payload.as_ptr(), payload.len(), to, length)
    })
}

/// `request` with method GET.
pub fn get(uri: &str, response: &mut [u8]) -> Reply {
    request(Method::GET, uri, &[], response)
}

/// `request` with method PUT, for services that answer with a code alone.
pub fn put(uri: &str, payload: &[u8]) -> Reply {
    request(Method::PUT, uri, payload, &mut [])
}

/// `request` with method POST.
pub fn post(uri: &str, payload: &[u8], response: &mut [u8]) -> Reply {
    request(Method::POST, uri, payload, response)
}

/// `request` with method DELETE.
pub fn delete(uri: &str) -> Reply {
    request(Method::DELETE, uri, &[], &mut [])
}

// ---- Grants ----

/// A window that this module has opened for another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Window(u32);

impl Window {
    fn made(address: u32) -> Option<Window> {
        if address == 0 { None } else { Some(Window(address)) }
    }

    /// The window with an address that this module has sent earlier.
    pub fn from_address(address: u32) -> Window {
        Window(address)
    }

    /// The window's address as the other module sees it, to be sent to it.
    pub fn address(self) -> u32 {
        self.0
    }

    /// Closes the window. False if it is closed already.
    pub fn revoke(self) -> bool {
        unsafe { imports::revoke(self.0) != 0 }
    }
}

/// What a window can be opened on.
pub trait Memory {
    /// Address and bytes.
    fn area(&self) -> (*const u8, usize);
}

impl Memory for [u8] {
    fn area(&self) -> (*const u8, usize) {
        (self.as_ptr(), self.len())
    }
}

impl<const N: usize> Memory for Buffer<N> {
    fn area(&self) -> (*const u8, usize) {
        (self.as_ptr(), N)
    }
}

/// Opens a window on memory of this module for the provider of entry `requirement` of `requires`: on a `Buffer`, or on
/// bytes, then for reading only. It closes after `milliseconds`, or by `revoke` if that is 0. Of memory that is a window
/// itself, a grant of the same or fewer rights.
pub fn grant<M>(requirement: u32, memory: &'static M, rights: Right, milliseconds: u32) -> Option<Window>
where
    M: Memory + ?Sized,
{
    let (address, bytes) = memory.area();
    Window::made(unsafe { imports::grant(requirement, address, bytes, rights.0, milliseconds) })
}

/// The memory behind a window's address that another module has sent. An access against its rights or after its end
/// traps, so a wrong address harms only this module.
///
/// # Safety
/// The window must stay open as long as the slice is used, and nobody else may write to it meanwhile.
pub unsafe fn window<'a>(address: u32, bytes: usize) -> &'a mut [u8] {
    core::slice::from_raw_parts_mut(address as usize as *mut u8, bytes)
}

// ---- Observing ----

/// Subscribes to a GET resource: `on_notify` runs with its representation in `buffer`, once at first and then after each
/// change. Several changes may come as one. Gives a subscription number.
pub fn observe<const N: usize>(uri: &str, buffer: &'static Buffer<N>) -> Option<i32> {
    let subscription = unsafe { imports::observe(uri.as_ptr(), uri.len(), buffer.as_ptr(), N) };
    if subscription < 0 { None } else { Some(subscription) }
}

/// Ends a subscription. False if there is no such one.
pub fn unobserve(subscription: i32) -> bool {
    unsafe { imports::unobserve(subscription) != 0 }
}

/// Says that an observable service of this module has changed. Gives the number of observers.
pub fn notify(path: &str) -> u32 {
    unsafe { imports::notify(path.as_ptr(), path.len()) }
}

// ---- Time and console ----

/// Starts timer 0 to 3: `on_timer` runs after `first_ms` and then every `period_ms` milliseconds (0: only once). Both 0
/// stop it. False if there is no such timer.
pub fn timer(timer: u32, first_ms: u32, period_ms: u32) -> bool {
    unsafe { imports::timer(timer, first_ms, period_ms) != 0 }
}

/// Microseconds since the start of the device.
pub fn now() -> u64 {
    unsafe { imports::now() }
}

/// 32 random bits.
pub fn random() -> u32 {
    unsafe { imports::random() }
}

/// CPU microseconds that this invocation may still take until its deadline.
pub fn time_left() -> i32 {
    unsafe { imports::time_left() }
}

/// A line on the console, with the module's name before it.
pub fn log(text: &str) {
    log_bytes(text.as_bytes());
}

fn log_bytes(text: &[u8]) {
    unsafe { imports::log(text.as_ptr(), text.len()) }
}

/// What the module says before it traps.
#[cfg(feature = "panic-handler")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    let mut line = Line::new();
    if let Some(place) = info.location() {
        line.text(place.file()).text(":").number(place.line() as i32).text(": ");
    }
    line.text("panic").log();
    core::arch::wasm32::unreachable()
}
