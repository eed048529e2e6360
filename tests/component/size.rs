//! How large the components are. Every byte is compiled by each host that starts them.

use crate::harness::*;

/// A little above what they are. Whoever needs more says for what, and raises it.
const MOST: [(&str, u64); 2] = [(PROVIDER, 3_050_000), (OFFICE, 5_925_000)];

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
