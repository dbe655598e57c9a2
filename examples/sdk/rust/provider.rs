//! The provider of examples/sdk in Rust: a counter, a text service and a window on a table. The same in C and
//! AssemblyScript, with the same transcript.
#![no_std]
#![crate_type = "cdylib"]
use thingspire::*;

#[derive(Clone, Copy)]
#[repr(C)]
struct Counter {
    value: i32,
    changes: u32,
}
unsafe impl Plain for Counter {}

static COUNTER: State<Counter> = State::new(Counter { value: 0, changes: 0 });
static TABLE: Buffer<16> = Buffer::new();

handler! {
    fn get_counter(_request, response) -> Reply {
        response.record(&*COUNTER.borrow())
    }
}

handler! {
    fn put_counter(request, _response) -> Reply {
        match request.read::<i32>() {
            Some(value) => {
                let mut counter = COUNTER.borrow_mut();
                counter.value = value;
                counter.changes += 1;
            }
            None => return Reply::code_only(Code::BAD_REQUEST),
        }
        notify("counter");
        Reply::code_only(Code::CHANGED)
    }
}

handler! {
    /// POST greeting/{name}/{times}: the payload, the name from the path and who asked.
    fn greet(request, response) -> Reply {
        let (mut name, mut caller) = ([0; 16], [0; 16]);
        let name = match request.parameter(0, &mut name) {
            Some(name) => name,
            None => return Reply::code_only(Code::BAD_REQUEST),
        };
        let times = match request.parameter_number(1) {
            Some(times) => times,
            None => return Reply::code_only(Code::BAD_REQUEST),
        };
        let caller = request.caller(&mut caller).unwrap_or(b"?");
        let mut line = Line::new();
        line.bytes(request.payload()).text(" ").bytes(name).text(" x").number(times).text(" for ").bytes(caller);
        if let Some(since) = request.query_number("since") {
            line.text(" since ").number(since);
        }
        line.log();
        let mut answer = [0; 32];
        let length = request.payload().len().min(32);
        answer[..length].copy_from_slice(&request.payload()[..length]);
        answer[..length].make_ascii_uppercase();
        response.content(&answer[..length])
    }
}

handler! {
    /// GET table: the address of a window that the caller may read and write.
    fn get_table(request, response) -> Reply {
        for i in 0..4 {
            TABLE.write(4 * i, &(100 * i as i32));
        }
        match request.grant_caller(&TABLE, Right::READ_WRITE, 0) {
            Some(window) => response.record(&window.address()),
            None => Reply::code_only(Code::SERVICE_UNAVAILABLE),
        }
    }
}

handler! {
    /// DELETE table: closes the window again; says what the caller has written.
    fn delete_table(request, _response) -> Reply {
        let closed = match request.query_number("window") {
            Some(window) => Window::from_address(window as u32).revoke(),
            None => false,
        };
        let mut line = Line::new();
        line.text("table[3] is ").number(TABLE.read::<i32>(12).unwrap_or(0));
        line.text(if closed { ", closed" } else { ", not closed" }).log();
        Reply::code_only(Code::DELETED)
    }
}

handler! {
    /// POST sum: adds up numbers that the caller has opened a window on.
    fn sum(request, response) -> Reply {
        let [address, count] = match request.read::<[u32; 2]>() {
            Some(fields) => fields,
            None => return Reply::code_only(Code::BAD_REQUEST),
        };
        let numbers = unsafe { window(address, 4 * count as usize) };
        let total: i32 = numbers.chunks_exact(4).filter_map(read::<i32>).sum();
        response.record(&total)
    }
}

on_start! {
    Line::new().text("provider up, ").fixed(-1205, 2).log();
}
