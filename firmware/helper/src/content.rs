//! What a partition holds, told by its first bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::limits::BLANK_BYTES;

/// What a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An encrypted volume.
    Luks,
    /// A file system of the ext family.
    Ext,
    /// FAT of any size.
    Fat,
    /// exFAT.
    Exfat,
    /// Nothing: every byte looked at is 0, or every one is 0xff, as erased flash reads.
    Blank,
    /// Something else, which may be a file system whose beginning was damaged.
    Unknown,
}

/// Bytes that [`tell`] needs.
const HEAD_BYTES: usize = 4096;
/// Where a file system of the ext family keeps copies of its superblock, with blocks of 4096 bytes: the beginning of
/// its second and fourth group (ext4(5), `sparse_super`).
const COPIES: [u64; 2] = [32_768 * 4096, 3 * 32_768 * 4096];

/// Looks at a partition.
///
/// # Errors
/// As reading has them.
pub fn read(device: &Path) -> io::Result<Content> {
    let mut device = File::open(device)?;
    let mut head = part(&mut device, 0, HEAD_BYTES)?;
    let content = tell(&head);
    if content != Content::Blank {
        return Ok(content);
    }
    // Where a beginning was wiped, a second header or a copy of the superblock may be left: that is not blank.
    head.extend(part(&mut device, 0, BLANK_BYTES)?);
    for copy in COPIES {
        head.extend(part(&mut device, copy, HEAD_BYTES)?);
    }
    Ok(if is_blank(&head) { Content::Blank } else { Content::Unknown })
}

/// What begins like this.
pub fn tell(head: &[u8]) -> Content {
    let has = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    // LUKS On-Disk Format Specification 2, section 2.2.
    if has(0, b"LUKS\xba\xbe") {
        return Content::Luks;
    }
    // ext4(5): s_magic, at 0x38 of the superblock, which is at 1024.
    if has(1024 + 0x38, &[0x53, 0xef]) {
        return Content::Ext;
    }
    if has(3, b"EXFAT   ") {
        return Content::Exfat;
    }
    if has(510, &[0x55, 0xaa]) && (has(54, b"FAT") || has(82, b"FAT32")) {
        return Content::Fat;
    }
    if is_blank(head) { Content::Blank } else { Content::Unknown }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff)
}

/// As many bytes of a part as there are.
fn part(device: &mut File, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    device.seek(SeekFrom::Start(offset))?;
    device.take(u64::try_from(bytes).unwrap_or(u64::MAX)).read_to_end(&mut part)?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    fn head(marks: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES];
        for (offset, mark) in marks {
            head[*offset..][..mark.len()].copy_from_slice(mark);
        }
        head
    }

    #[test]
    fn each_content_has_its_mark() {
        assert_eq!(tell(&head(&[(0, b"LUKS\xba\xbe")])), Content::Luks);
        assert_eq!(tell(&head(&[(0x438, &[0x53, 0xef])])), Content::Ext);
        assert_eq!(tell(&head(&[(3, b"EXFAT   ")])), Content::Exfat);
        assert_eq!(tell(&head(&[(510, &[0x55, 0xaa]), (54, b"FAT16   ")])), Content::Fat);
        assert_eq!(tell(&head(&[(510, &[0x55, 0xaa]), (82, b"FAT32   ")])), Content::Fat);
        assert_eq!(tell(&head(&[(510, &[0x55, 0xaa])])), Content::Unknown);
        assert_eq!(tell(&head(&[])), Content::Blank);
        assert_eq!(tell(&[0xff; HEAD_BYTES]), Content::Blank);
        assert_eq!(tell(&head(&[(0, &[0xff])])), Content::Unknown);
    }

    #[test]
    fn a_wiped_beginning_is_not_blank() {
        let scratch = Scratch::new("content");
        let device = scratch.root().at("/partition");
        let file = File::create(&device).unwrap();
        file.set_len(COPIES[1] + 8192).unwrap();
        assert_eq!(read(&device).unwrap(), Content::Blank);
        for place in [0x4000, COPIES[0] + 0x38, COPIES[1] + 0x38] {
            use std::os::unix::fs::FileExt;
            file.write_all_at(&[0x53], place).unwrap();
            assert_eq!(read(&device).unwrap(), Content::Unknown, "a byte at {place}");
            file.write_all_at(&[0], place).unwrap();
        }
    }
}
