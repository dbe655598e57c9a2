//! Methods, response codes, rights and result words as types; the values equal compiler/abi/os-layout.ts (tested).

/// Request methods, as in CoAP (RFC 7252).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Method(pub(crate) u32);

impl Method {
    pub const GET: Method = Method(1);
    pub const POST: Method = Method(2);
    pub const PUT: Method = Method(3);
    pub const DELETE: Method = Method(4);
}

/// Response codes, as in CoAP: class << 5 | detail, so 0x45 is 2.05.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u8);

impl Code {
    pub const CREATED: Code = Code(0x41);
    pub const DELETED: Code = Code(0x42);
    pub const VALID: Code = Code(0x43);
    pub const CHANGED: Code = Code(0x44);
    pub const CONTENT: Code = Code(0x45);
    pub const BAD_REQUEST: Code = Code(0x80);
    pub const UNAUTHORIZED: Code = Code(0x81);
    pub const BAD_OPTION: Code = Code(0x82);
    pub const FORBIDDEN: Code = Code(0x83);
    pub const NOT_FOUND: Code = Code(0x84);
    pub const METHOD_NOT_ALLOWED: Code = Code(0x85);
    pub const NOT_ACCEPTABLE: Code = Code(0x86);
    pub const CONFLICT: Code = Code(0x89);
    pub const PRECONDITION_FAILED: Code = Code(0x8c);
    pub const REQUEST_ENTITY_TOO_LARGE: Code = Code(0x8d);
    pub const UNSUPPORTED_CONTENT_FORMAT: Code = Code(0x8f);
    pub const TOO_MANY_REQUESTS: Code = Code(0x9d);
    pub const INTERNAL_SERVER_ERROR: Code = Code(0xa0);
    pub const NOT_IMPLEMENTED: Code = Code(0xa1);
    pub const BAD_GATEWAY: Code = Code(0xa2);
    pub const SERVICE_UNAVAILABLE: Code = Code(0xa3);
    pub const GATEWAY_TIMEOUT: Code = Code(0xa4);
}

/// Rights of a grant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Right(pub(crate) u32);

impl Right {
    pub const READ: Right = Right(1);
    pub const WRITE: Right = Right(2);
    pub const READ_WRITE: Right = Right(3);
}

/// Result of a handler and of a request: response code and payload bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reply(u32);

impl Reply {
    /// A response with `bytes` of payload, which the handler has put into the response buffer.
    pub fn new(code: Code, bytes: usize) -> Reply {
        Reply((code.0 as u32) << 24 | bytes as u32)
    }

    /// A response without payload.
    pub fn code_only(code: Code) -> Reply {
        Reply::new(code, 0)
    }

    /// The reply that a result word says.
    pub fn from_word(word: u32) -> Reply {
        Reply(word)
    }

    /// Response code << 24 | payload bytes.
    pub fn word(self) -> u32 {
        self.0
    }

    /// Response code.
    pub fn code(self) -> Code {
        Code((self.0 >> 24) as u8)
    }

    /// Payload bytes.
    pub fn length(self) -> usize {
        (self.0 & 0xff_ffff) as usize
    }

    /// True if the code is 2.xx.
    pub fn ok(self) -> bool {
        self.0 >> 29 == 2
    }
}
