//! Offers a value that can be observed; in Rust. PUT /value sets it and says how many observe it; POST /value/trap traps.
#![no_std]
#![crate_type = "cdylib"]
use thingspire::*;

static VALUE: State<i32> = State::new(5);

handler! { fn get(request, response) -> Reply {
    let mut text = [0u8; 4];
    let scale = match request.query("scale", &mut text) {
        Some(text) => parse_number(text).unwrap_or(0),
        None => 1,
    };
    response.content(bytes_of(&(*VALUE.borrow() * scale)))
} }

handler! { fn put(request, response) -> Reply {
    if let Some(value) = request.read::<i32>() {
        *VALUE.borrow_mut() = value;
    }
    Line::new().text("observers ").number(notify("/value") as i32).text(" ").number(notify("/valu") as i32).log();
    Reply::new(Code::CHANGED, 0)
} }

handler! { fn trap(request, response) -> Reply {
    panic!()
} }
