//! A hash that is the same in every build: blocking keys are stored.

/// FNV-1a over bytes, its bits mixed at the end.
#[derive(Clone, Copy)]
pub struct Hash(u64);

impl Hash {
    /// Of nothing yet; the tag keeps kinds of keys apart.
    pub fn new(tag: u8) -> Self {
        Self(0xcbf2_9ce4_8422_2325).byte(tag)
    }
    /// With a byte more.
    pub fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
    /// With bytes more, and an end of them.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |hash, byte| hash.byte(*byte)).byte(0xff)
    }
    /// The hash.
    pub fn finish(self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_the_same() {
        assert_eq!(Hash::new(1).bytes(b"sekisho").finish(), Hash::new(1).bytes(b"sekisho").finish());
        assert_ne!(
            Hash::new(1).bytes(b"ab").bytes(b"c").finish(),
            Hash::new(1).bytes(b"a").bytes(b"bc").finish()
        );
    }
}
