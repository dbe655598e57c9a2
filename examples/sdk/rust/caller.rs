//! The caller of examples/sdk in Rust: uses every service of the provider. The same in C and AssemblyScript, with the
//! same transcript.
#![no_std]
#![crate_type = "cdylib"]
use thingspire::*;

/// Indices of the manifest's `requires`.
const GET_COUNTER: u32 = 0;
const PUT_COUNTER: u32 = 1;
const SUM: u32 = 2;

#[derive(Clone, Copy)]
#[repr(C)]
struct Counter {
    value: i32,
    changes: u32,
}
unsafe impl Plain for Counter {}

static OBSERVED: Buffer<8> = Buffer::new();
static NUMBERS: Buffer<400> = Buffer::new();
static TABLE_WINDOW: State<u32> = State::new(0);

fn show(what: &str, counter: Option<Counter>) {
    if let Some(Counter { value, changes }) = counter {
        Line::new().text(what).text(" ").number(value).text(", changed ").number(changes as i32).text("x").log();
    }
}

fn show_code(what: &str, reply: Reply) {
    Line::new().text(what).text(" ").code(reply.code()).text(", ").number(reply.length() as i32).text(" bytes").log();
}

fn use_table() {
    let mut answer = [0; 4];
    if !get("/table", &mut answer).ok() {
        return log("no table");
    }
    let address = u32::from_le_bytes(answer);
    let table = unsafe { window(address, 16) };
    let third = read::<i32>(&table[8..]).unwrap_or(0);
    table[12..16].copy_from_slice(&(third + 33).to_le_bytes());
    *TABLE_WINDOW.borrow_mut() = address;
}

/// Has the provider close the window: later, since that would end the invocation that has used it.
fn delete_table() {
    let address = *TABLE_WINDOW.borrow();
    let mut uri = Line::new();
    uri.text("/table?window=").number(address as i32);
    show_code("delete table", request(Method::DELETE, uri.as_str(), &[], &mut []));
}

/// Lets the provider add up numbers where they are: in this module's memory.
fn use_sum() {
    for i in 0..100 {
        NUMBERS.write(4 * i, &(i as i32));
    }
    let window = match grant(SUM, &NUMBERS, Right::READ, 0) {
        Some(window) => window,
        None => return log("no window"),
    };
    let mut total = [0; 4];
    show_code("sum", call(SUM, bytes_of(&[window.address(), 100]), &mut total));
    let mut line = Line::new();
    line.text("total ").number(i32::from_le_bytes(total));
    line.text(if window.revoke() { ", revoked" } else { ", not revoked" });
    line.text(if window.revoke() { " again" } else { " once" }).log();
}

/// Time passes, but the deadline is not over; random bits are 32.
fn clocks_run() -> bool {
    now() > 0 && time_left() > 0 && random() as u64 >> 32 == 0
}

on_start! {
    let subscription = observe("/counter", &OBSERVED);
    show_code("put", call(PUT_COUNTER, bytes_of(&-7i32), &mut []));
    let mut bytes = [0; 8];
    let reply = call(GET_COUNTER, &[], &mut bytes);
    show_code("get", reply);
    show("counter", read(&bytes));
    let mut text = [0; 32];
    let reply = post("/greeting/ada/3?since=-20", b"hello", &mut text);
    show_code("post", reply);
    Line::new().text("answer ").bytes(&text[..reply.length()]).log();
    show_code("post", post("/greeting/ada/many", b"hello", &mut text));
    show_code("get", get("/nowhere", &mut text));
    use_table();
    use_sum();
    Line::new().text("observing ").number(if subscription.is_some() { 1 } else { 0 }).log();
    timer(1, 5, 0);
}

on_timer! { |timer| {
    delete_table();
    show_code(if timer == 1 { "timer put" } else { "wrong timer" }, put("/counter", bytes_of(&41i32)));
} }

on_notify! { |subscription, reply| {
    show_code("notified", reply);
    show("observed", OBSERVED.read(0));
    if OBSERVED.read(0) == Some(41) && unobserve(subscription) && !unobserve(subscription) && clocks_run() {
        log("done");
    }
} }
