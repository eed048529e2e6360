//! No bytes make the parser panic, and what it lets through is as small as it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsse::{Document, Element, Envelope};

fuzz_target!(|bytes: &[u8]| {
    let _ = Envelope::parse(bytes);
    let Ok(document) = Document::parse(bytes) else {
        return;
    };
    walk(document.root(), 1);
});

/// Reads all that can be read.
fn walk(element: Element<'_>, depth: usize) {
    assert!(depth <= 100);
    assert!(!element.local_name().contains(':'));
    let _ = (
        element.namespace(),
        element.text(),
        element.has_mixed_content(),
    );
    for child in element.children() {
        walk(child, depth + 1);
    }
}
