//! A ZIP archive of a few small files, stored as they are (PKWARE APPNOTE 6.3.10, sections 4.3.6
//! to 4.3.16).

/// The first day that the format knows, 1 January 1980: the same files give the same bytes.
const DATE: u16 = 1 << 5 | 1;
/// Names are UTF-8 (bit 11).
const FLAGS: u16 = 1 << 11;
/// The version of the format that is needed: 1.0, with nothing but stored files.
const VERSION: u16 = 10;

/// The archive of files given by name and content. `None` if it is beyond what the format holds
/// without its extensions: 4 GB and 65,535 files.
pub fn archive(files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let offset = u32::try_from(archive.len()).ok()?;
        let size = u32::try_from(content.len()).ok()?;
        let mut common = Vec::new();
        for field in [VERSION, FLAGS, 0, 0, DATE] {
            common.extend(field.to_le_bytes());
        }
        for field in [crc32(content), size, size] {
            common.extend(field.to_le_bytes());
        }
        common.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        // No extra field.
        common.extend(0u16.to_le_bytes());

        archive.extend(*b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(*content);

        directory.extend(*b"PK\x01\x02");
        directory.extend(VERSION.to_le_bytes());
        directory.extend(&common);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len()).ok()?;
    let start = u32::try_from(archive.len()).ok()?;
    let size = u32::try_from(directory.len()).ok()?;
    archive.extend(directory);
    archive.extend(*b"PK\x05\x06");
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    // No comment.
    archive.extend([0; 2]);
    Some(archive)
}

/// CRC-32 of ISO 3309 (APPNOTE, section 4.4.7).
fn crc32(content: &[u8]) -> u32 {
    !content.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn an_archive_of_nothing_is_its_end_record() {
        let archive = archive(&[]).unwrap();
        assert_eq!(archive.len(), 22);
        assert!(archive.starts_with(b"PK\x05\x06"));
    }
}
