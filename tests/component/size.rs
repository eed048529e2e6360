//! How large the component is. Every byte is compiled by each host that starts it.

use crate::harness::*;

/// A little above what it is. Whoever needs more says for what, and raises it.
const MOST: u64 = 3_100_000;

#[test]
fn the_component_does_not_grow_unseen() {
    let bytes = std::fs::metadata(built()).unwrap().len();
    println!("{bytes} bytes");
    assert!(bytes <= MOST, "{bytes} bytes, {} too many", bytes - MOST);
    assert!(
        bytes > MOST * 9 / 10,
        "{bytes} bytes: lower the bound, so that it stays near"
    );
}
