//! A fixed order of the maps of the standard library.
//!
//! A `HashMap` is ordered by numbers that its thread has drawn from the system once, and in some places
//! the provider asks the store for keys in the order of such a map. The standard library draws the
//! numbers by the C library's function `getrandom`, which it looks up as a weak symbol, "to allow
//! interposition" (`library/std/src/sys/random/linux.rs`). So it finds this function first, and each
//! thread's numbers are the same.
//!
//! Nothing in a simulation needs numbers that nobody can guess.

/// Replaces the C library's function.
///
/// # Safety
/// As for the C library's function: `buffer` has room for `length` bytes.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller guarantees this much room.
    unsafe { std::ptr::write_bytes(buffer, 0x5a, length) };
    length.cast_signed()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{collections::HashMap, thread};

    #[test]
    fn maps_of_two_threads_have_one_order() {
        let order = || {
            let thread = thread::spawn(|| {
                let map: HashMap<_, _> = (0..100).map(|number| (number, ())).collect();
                map.into_keys().collect::<Vec<u32>>()
            });
            thread.join().unwrap()
        };
        assert_eq!(order(), order());
    }
}
