//! Numbers that look random and are the same on every machine and in every version.
//!
//! SplitMix64, written out: a crate's generator may change between versions, and the corpus
//! with it. Not for secrets.

const HEX: &[u8; 16] = b"0123456789abcdef";
const ID: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub struct Random(u64);

impl Random {
    /// A sequence of its own for each pair, so that one file's records do not depend on
    /// another's.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0xA076_1D64_78BD_642F) ^ stream.wrapping_mul(0xE703_7ED1_A0B4_28DB));
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// One of a list that is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let place = usize::try_from(self.below(list.len() as u64)).unwrap_or(0);
        list.get(place)
    }

    pub fn hex(&mut self, length: usize, into: &mut String) {
        self.letters(HEX, 4, length, into);
    }

    /// The letters that AWS makes unique ids of.
    pub fn id(&mut self, length: usize, into: &mut String) {
        self.letters(ID, 5, length, into);
    }

    pub fn base64(&mut self, length: usize, into: &mut String) {
        self.letters(BASE64, 6, length, into);
    }

    pub fn uuid(&mut self, into: &mut String) {
        for (place, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
            if place > 0 {
                into.push('-');
            }
            self.hex(length, into);
        }
    }

    fn letters(&mut self, alphabet: &[u8], bits: u32, length: usize, into: &mut String) {
        let (mut pool, mut left) = (0_u64, 0_u32);
        for _ in 0..length {
            if left < bits {
                (pool, left) = (self.next(), 64);
            }
            let place = usize::try_from(pool & ((1 << bits) - 1)).unwrap_or(0);
            into.extend(alphabet.get(place).map(|letter| char::from(*letter)));
            (pool, left) = (pool >> bits, left - bits);
        }
    }
}
