//! EMSA-PKCS1-v1_5 (RFC 8017 section 9.2).

use rsa::Pkcs1v15Sign;

/// `00 01 FF … FF 00 prefix digest` in `length` bytes; nothing if the digest has not the length that
/// the scheme names, or there is no room for eight bytes of padding.
pub(crate) fn encode(scheme: &Pkcs1v15Sign, digest: &[u8], length: usize) -> Option<Vec<u8>> {
    if scheme
        .hash_len
        .is_some_and(|expected| expected != digest.len())
    {
        return None;
    }
    let info = scheme.prefix.len() + digest.len();
    let padding = length
        .checked_sub(info + 3)
        .filter(|&padding| padding >= 8)?;
    let mut message = Vec::with_capacity(length);
    message.extend([0, 1]);
    message.resize(2 + padding, 0xff);
    message.push(0);
    message.extend(&*scheme.prefix);
    message.extend(digest);
    Some(message)
}
