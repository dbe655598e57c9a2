//! A `no_std`-free Rust library: a small expression calculator, driven through linear memory.
//! Exports: `input()` gives the address of a 256-byte buffer, `evaluate(len)` the value of the text in it.
#![crate_type = "cdylib"]

static mut INPUT: [u8; 256] = [0; 256];

#[no_mangle]
pub extern "C" fn input() -> *mut u8 {
    unsafe { std::ptr::addr_of_mut!(INPUT) as *mut u8 }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn factor(&mut self) -> Option<i32> {
        match self.peek()? {
            b'(' => {
                self.at += 1;
                let value = self.sum()?;
                if self.peek()? != b')' {
                    return None;
                }
                self.at += 1;
                Some(value)
            }
            b'-' => {
                self.at += 1;
                Some(self.factor()?.wrapping_neg())
            }
            b'0'..=b'9' => {
                let mut value = 0i32;
                while let Some(digit @ b'0'..=b'9') = self.peek() {
                    value = value.checked_mul(10)?.checked_add((digit - b'0') as i32)?;
                    self.at += 1;
                }
                Some(value)
            }
            _ => None,
        }
    }

    fn product(&mut self) -> Option<i32> {
        let mut value = self.factor()?;
        while let Some(operator @ (b'*' | b'/')) = self.peek() {
            self.at += 1;
            let right = self.factor()?;
            value = if operator == b'*' { value.checked_mul(right)? } else { value.checked_div(right)? };
        }
        Some(value)
    }

    fn sum(&mut self) -> Option<i32> {
        let mut value = self.product()?;
        while let Some(operator @ (b'+' | b'-')) = self.peek() {
            self.at += 1;
            let right = self.product()?;
            value = if operator == b'+' { value.checked_add(right)? } else { value.checked_sub(right)? };
        }
        Some(value)
    }
}

/// Value of the expression in the first `len` bytes of the input buffer; `i32::MIN` if it is not one.
#[no_mangle]
pub extern "C" fn evaluate(len: usize) -> i32 {
    let text = unsafe { std::slice::from_raw_parts(std::ptr::addr_of!(INPUT) as *const u8, len.min(256)) };
    let mut parser = Parser { text, at: 0 };
    match parser.sum() {
        Some(value) if parser.at == text.len() => value,
        _ => i32::MIN,
    }
}

/// Value of a fixed expression, with `x` multiplied in: shows the parser without a host that writes memory.
#[no_mangle]
pub extern "C" fn demo(x: i32) -> i32 {
    let mut parser = Parser { text: b"2*(3+4)-10/3", at: 0 };
    parser.sum().map_or(i32::MIN, |value| value.wrapping_mul(x))
}
