//! A histogram of latencies with the buckets of bench/latency.h: 128 linear ones in each power of two, so that a
//! percentile is off by less than 0.8 %. Recording is one increment.

use crate::json;

const SUB_BITS: u32 = 7;
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) << SUB_BITS;
const PERCENTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

#[derive(Clone)]
pub struct Latency {
    count: u64,
    max_ns: u64,
    buckets: Box<[u64]>,
}

impl Default for Latency {
    fn default() -> Self {
        Latency { count: 0, max_ns: 0, buckets: vec![0; BUCKETS].into_boxed_slice() }
    }
}

impl Latency {
    pub fn record(&mut self, ns: u64) {
        self.buckets[bucket_of(ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    pub fn add(&mut self, other: &Latency) {
        for (sum, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += more;
        }
        self.count += other.count;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn clear(&mut self) {
        self.buckets.fill(0);
        (self.count, self.max_ns) = (0, 0);
    }

    /// The least value that at least `share` of all do not exceed, rounded up to its bucket's end; 0 of an empty one.
    pub fn percentile(&self, share: f64) -> u64 {
        let wanted = ((share * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.buckets.iter().position(|n| {
            seen += n;
            seen >= wanted
        });
        found.map_or(self.max_ns, |bucket| bucket_end(bucket).min(self.max_ns))
    }

    /// The percentiles that every report has.
    pub fn percentiles(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        PERCENTILES.iter().map(|&(name, share)| (name, self.percentile(share)))
    }

    pub fn to_json(&self) -> String {
        if self.count == 0 {
            return "null".into();
        }
        json::object([("count", self.count), ("max", self.max_ns)].into_iter().chain(self.percentiles()))
    }
}

fn bucket_of(ns: u64) -> usize {
    if ns >> SUB_BITS == 0 {
        return ns as usize;
    }
    let shift = 63 - ns.leading_zeros() - SUB_BITS;
    ((shift as usize + 1) << SUB_BITS) + (ns >> shift) as usize - (1 << SUB_BITS)
}

/// The largest value that goes into a bucket.
fn bucket_end(bucket: usize) -> u64 {
    if bucket < 1 << SUB_BITS {
        return bucket as u64;
    }
    let shift = (bucket >> SUB_BITS) - 1;
    let within = ((bucket & ((1 << SUB_BITS) - 1)) + (1 << SUB_BITS)) as u64;
    // In 128 bits: the last bucket's end is the last number there is.
    (((u128::from(within) + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_within_its_bucket() {
        for power in 0..64 {
            for value in [1u64 << power, (1u64 << power) - 1, (1u64 << power) | ((1u64 << power) / 3)] {
                let bucket = bucket_of(value);
                assert!(value <= bucket_end(bucket), "{value}");
                assert!(bucket == 0 || value > bucket_end(bucket - 1), "{value}");
            }
        }
        assert_eq!(bucket_end(bucket_of(u64::MAX)), u64::MAX);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_off_by_less_than_a_bucket() {
        let mut latency = Latency::default();
        (1..=100_000).for_each(|ns| latency.record(ns));
        for (share, wanted) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.9999, 99_990.0)] {
            let found = latency.percentile(share) as f64;
            assert!(found >= wanted && found < wanted * 1.008, "{share}: {found}");
        }
        assert_eq!(latency.percentile(1.0), 100_000);
        assert_eq!(Latency::default().percentile(0.99), 0);
    }
}
