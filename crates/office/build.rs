//! Compresses the description of the API: most of it is repetition, and the component carries it.

use std::{env, fs, path::Path};

const DOCUMENT: &str = "openapi.json";

fn main() {
    println!("cargo::rerun-if-changed={DOCUMENT}");
    let document = fs::read(DOCUMENT).expect("the description of the API");
    let compressed = miniz_oxide::deflate::compress_to_vec(&document, 9);
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&folder).join("openapi.deflate"), compressed).expect("a writable OUT_DIR");
}
