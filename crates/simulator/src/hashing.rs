//! Maps of the standard library, in one order for ever.
//!
//! A `HashMap` is ordered by numbers that its thread has drawn from the system once, and the
//! provider asks the store for keys in the order of such maps in some places. The standard library
//! draws them by the function `getrandom` of the C library, and looks that up as a weak symbol, "to
//! allow interposition" (`library/std/src/sys/random/linux.rs`). So this one is found first, and
//! each thread's numbers are the same.
//!
//! Nothing in a simulation needs numbers that nobody can guess.

/// In place of the C library's.
///
/// # Safety
/// As its own: `buffer` has room for `length` bytes.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller says that there is so much room.
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
