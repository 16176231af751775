//! Unpacks a gzip file in one piece, several times as fast as a stream is unpacked.
//!
//! It promises nothing: what is damaged, larger than [`MOST_BYTES`] or unusual comes back as
//! `None`, and [`super::file`], which reads streams and says what is wrong, gets its turn.

use std::io::Read as _;

use flate2::bufread::MultiGzDecoder;
use libdeflater::{DecompressionError, Decompressor};
use memchr::memchr;

/// How gzip begins.
pub const MAGIC: &[u8] = &[0x1f, 0x8b];
/// The most that is unpacked in one piece; CloudTrail's files are smaller.
pub const MOST_BYTES: usize = 48 << 20;
/// A member's CRC-32 and size, at its end.
const TRAILER_BYTES: usize = 8;

/// Unpacks one file after the other into the same memory.
pub struct Gunzip {
    decompressor: Decompressor,
    /// Grows to the largest file so far: fresh memory costs more than unpacking does.
    unpacked: Vec<u8>,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self { decompressor: Decompressor::new(), unpacked: Vec::new() }
    }
}

impl Gunzip {
    /// The content of a gzip file, whole and with its checksums right.
    pub fn unpack(&mut self, packed: &[u8]) -> Option<&[u8]> {
        let (checksum, size) = trailer(packed)?;
        if size > MOST_BYTES {
            return None;
        }
        if self.unpacked.len() < size {
            self.unpacked.resize(size, 0);
        }
        // Without the library's own checksum, which is the first member's: it is silent about others.
        match self.decompressor.deflate_decompress(member(packed)?, self.unpacked.get_mut(..size)?) {
            Ok(made) if made == size && libdeflater::crc32(self.unpacked.get(..size)?) == checksum => {
                self.unpacked.get(..size)
            }
            Ok(_) | Err(DecompressionError::InsufficientSpace) => self.unpack_members(packed),
            Err(DecompressionError::BadData) => None,
        }
    }

    /// Several members, one behind the other.
    fn unpack_members(&mut self, packed: &[u8]) -> Option<&[u8]> {
        self.unpacked.clear();
        let most = u64::try_from(MOST_BYTES).ok()?;
        MultiGzDecoder::new(packed).take(most + 1).read_to_end(&mut self.unpacked).ok()?;
        (self.unpacked.len() <= MOST_BYTES).then_some(self.unpacked.as_slice())
    }
}

/// How large a gzip file says that its last member is; `None` of anything else.
#[must_use]
pub fn size(content: &[u8]) -> Option<usize> {
    let packed = content.starts_with(MAGIC).then_some(content)?;
    trailer(packed).map(|(_, size)| size)
}

/// What is packed, behind the header of the first member (RFC 1952, 2.3).
fn member(packed: &[u8]) -> Option<&[u8]> {
    const HEADER_BYTES: usize = 10;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const CHECKSUM: u8 = 2;
    let &[0x1f, 0x8b, 8, flags, ..] = packed else { return None };
    let has = |flag: u8| flags & flag != 0;
    let mut rest = packed.get(HEADER_BYTES..)?;
    if has(EXTRA) {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for _ in 0..u8::from(has(NAME)) + u8::from(has(COMMENT)) {
        rest = rest.get(memchr(0, rest)? + 1..)?;
    }
    if has(CHECKSUM) { rest.get(2..) } else { Some(rest) }
}

/// The last member's checksum and size.
fn trailer(packed: &[u8]) -> Option<(u32, usize)> {
    let trailer = packed.get(packed.len().checked_sub(TRAILER_BYTES)?..)?;
    let (checksum, size) = (trailer.first_chunk()?, trailer.last_chunk()?);
    Some((u32::from_le_bytes(*checksum), usize::try_from(u32::from_le_bytes(*size)).ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
        Gunzip::default().unpack(packed).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_file_comes_out_as_it_went_in_whatever_came_before() {
        let mut gunzip = Gunzip::default();
        for content in [b"a".repeat(70_000), b"short".to_vec(), Vec::new(), b"b".repeat(200_000)] {
            assert_eq!(gunzip.unpack(&packed(&content)), Some(content.as_slice()));
        }
    }

    #[test]
    fn all_members_come_out_though_the_first_looks_like_the_last() {
        let (first, second) = (packed(b"one "), packed(b"two "));
        assert_eq!(unpacked(&[first.clone(), second].concat()).unwrap(), b"one two ");
        assert_eq!(unpacked(&[packed(b""), first.clone()].concat()).unwrap(), b"one ");
        assert_eq!(unpacked(&[packed(b"longer than the last"), first].concat()).unwrap(), b"longer than the lastone ");
    }

    #[test]
    fn every_kind_of_header_is_passed_over() {
        let builder = || flate2::GzBuilder::new();
        for builder in [
            builder().filename("a.json"),
            builder().comment("of a trail"),
            builder().extra(vec![0, 1, 2]),
            builder().filename("a.json").comment("c").extra(vec![7; 300]),
        ] {
            let mut encoder = builder.write(Vec::new(), Compression::fast());
            encoder.write_all(b"content").unwrap();
            assert_eq!(unpacked(&encoder.finish().unwrap()).unwrap(), b"content");
        }
    }

    #[test]
    fn damage_is_never_passed_off_as_content() {
        let whole = packed(&b"{\"Records\":[]}".repeat(500));
        for at in [3, whole.len() / 2, whole.len() - 9, whole.len() - 5, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            assert!(unpacked(&damaged).is_none_or(|content| content == b"{\"Records\":[]}".repeat(500)), "byte {at}");
        }
        assert_eq!(unpacked(&whole[..whole.len() - 3]), None);
        assert_eq!(unpacked(&whole[..5]), None);
    }

    #[test]
    fn a_bomb_is_left_to_the_stream() {
        let bomb = packed(&vec![0; MOST_BYTES + 1]);
        assert_eq!(unpacked(&bomb), None);
        let mut liar = bomb;
        let end = liar.len();
        liar[end - 4..].copy_from_slice(&7_u32.to_le_bytes());
        assert_eq!(unpacked(&liar), None);
    }
}
