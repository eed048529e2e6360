//! The sizes of the components. Each host that starts them compiles every byte.

use crate::harness::*;

/// Bounds a little above the sizes. A change that needs more gives the reason, and raises them.
const MOST: [(&str, u64); 2] = [(PROVIDER, 3_050_000), (OFFICE, 6_060_000)];

#[test]
fn the_components_do_not_grow_unseen() {
    for (file, most) in MOST {
        let bytes = std::fs::metadata(built().join(file)).unwrap().len();
        println!("{file}: {bytes} bytes");
        assert!(
            bytes <= most,
            "{file}: {bytes} bytes, {} too many",
            bytes - most
        );
        assert!(
            bytes > most * 9 / 10,
            "{file}: {bytes} bytes: lower the bound, so that it stays near"
        );
    }
}
