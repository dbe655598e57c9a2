//! A line of text under construction, for the console. Takes texts and numbers; allocates nothing. `core::fmt` writes to
//! it as well, at the price of its code (some 10 KiB).
use crate::Code;

/// At most 96 bytes; what does not fit is cut off.
pub struct Line {
    length: usize,
    text: [u8; 96],
}

impl Line {
    /// An empty line.
    pub const fn new() -> Line {
        Line { length: 0, text: [0; 96] }
    }

    /// Adds bytes of text.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Line {
        let room = &mut self.text[self.length.min(96)..];
        let fitting = bytes.len().min(room.len());
        room[..fitting].copy_from_slice(&bytes[..fitting]);
        self.length += fitting;
        self
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Line {
        self.bytes(text.as_bytes())
    }

    /// Adds a number with `decimals` digits after the point: (2350, 2) is 23.50.
    pub fn fixed(&mut self, value: i32, decimals: u32) -> &mut Line {
        let mut digits = [0u8; 24];
        let mut at = digits.len();
        let mut put = |byte| {
            at -= 1;
            digits[at] = byte;
        };
        let decimals = decimals.min(9);
        let mut rest = value.unsigned_abs();
        let mut written = 0;
        while rest != 0 || written <= decimals {
            if written == decimals && decimals != 0 {
                put(b'.');
            }
            put(b'0' + (rest % 10) as u8);
            rest /= 10;
            written += 1;
        }
        if value < 0 {
            put(b'-');
        }
        self.bytes(&digits[at..])
    }

    /// Adds a number.
    pub fn number(&mut self, value: i32) -> &mut Line {
        self.fixed(value, 0)
    }

    /// Adds a response code as people write it: 2.05.
    pub fn code(&mut self, code: Code) -> &mut Line {
        let detail = code.0 & 31;
        self.bytes(&[b'0' + (code.0 >> 5), b'.', b'0' + detail / 10, b'0' + detail % 10])
    }

    /// The line so far. A text that was cut off within a character ends before that character.
    pub fn as_str(&self) -> &str {
        let bytes = &self.text[..self.length];
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }

    /// Prints the line, with the module's name before it, and empties it.
    pub fn log(&mut self) {
        crate::log_bytes(&self.text[..self.length]);
        self.length = 0;
    }
}

impl Default for Line {
    fn default() -> Line {
        Line::new()
    }
}

impl core::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.text(text);
        Ok(())
    }
}
