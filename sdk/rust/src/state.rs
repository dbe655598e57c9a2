//! Statics of a module. A module runs one invocation at a time, so no lock is needed; but it can be called back while
//! it waits for a request of its own, which `State` notices. Knows nothing of requests.
use crate::Plain;
use core::cell::{Ref, RefCell, RefMut, UnsafeCell};

/// A static value that handlers and events change. Panics when it is borrowed again by a call back into the module.
pub struct State<T>(RefCell<T>);

// There is one thread, and an event never preempts its own module.
unsafe impl<T> Sync for State<T> {}

impl<T> State<T> {
    pub const fn new(value: T) -> State<T> {
        State(RefCell::new(value))
    }

    /// The value, to be read. Let go of it before requests that may come back to this module.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.0.borrow()
    }

    /// The value, to be changed. Let go of it before requests that may come back to this module.
    pub fn borrow_mut(&self) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }
}

/// Memory that others write to: the buffer of a subscription, or what is granted for writing. Read by copying.
#[repr(C, align(8))]
pub struct Buffer<const N: usize>(UnsafeCell<[u8; N]>);

unsafe impl<const N: usize> Sync for Buffer<N> {}

impl<const N: usize> Buffer<N> {
    pub const fn new() -> Buffer<N> {
        Buffer(UnsafeCell::new([0; N]))
    }

    /// A copy of the record at `offset`, or `None` beyond the end.
    pub fn read<T: Plain>(&self, offset: usize) -> Option<T> {
        if offset > N || N - offset < core::mem::size_of::<T>() {
            return None;
        }
        Some(unsafe { core::ptr::read_unaligned(self.as_ptr().add(offset) as *const T) })
    }

    /// Writes a record at `offset`; false beyond the end.
    pub fn write<T: Plain>(&self, offset: usize, value: &T) -> bool {
        let bytes = crate::bytes_of(value);
        if offset > N || N - offset < bytes.len() {
            return false;
        }
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.as_ptr().add(offset), bytes.len()) };
        true
    }

    /// Where the memory is.
    pub fn as_ptr(&self) -> *mut u8 {
        self.0.get() as *mut u8
    }
}

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Buffer<N> {
        Buffer::new()
    }
}
