//! The workloads' random numbers: xorshift64, the same numbers in every runtime.

pub struct Random(u64);

impl Random {
    /// For task or connection `i`. Never 0, from which xorshift would not move.
    pub fn new(seed: u64, i: u64) -> Random {
        Random((seed ^ (i + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn resume(state: u64) -> Random {
        Random(state)
    }

    pub fn state(&self) -> u64 {
        self.0
    }

    /// Steps; the new state is the number.
    pub fn step(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn pick(&mut self, n: usize) -> usize {
        (self.step() % n as u64) as usize
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_exact_mut(8) {
            word.copy_from_slice(&self.step().to_le_bytes());
        }
    }
}
