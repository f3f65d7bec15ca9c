//! From the keys that were read to all keys, with how sure that is.
//!
//! Counts: Wilson's interval (E. B. Wilson, JASA 22, 1927, p. 209) with the size of the sample corrected for the finite
//! number of keys. Sums: the mean of a simple random sample drawn without replacement (W. G. Cochran, Sampling
//! Techniques, 3rd edition, 2.27), with quantiles of Student's distribution by its expansion from the normal one
//! (M. Abramowitz, I. Stegun, 26.7.5). A sum over few keys has a wide interval; over one key, none.

use super::{
    certainty::{Coverage, Interval},
    family_tally::Sizes,
    number::{precise, precise_wide, rounded},
};

/// The quantile of the normal distribution that leaves 2.5 % on either side.
const Z: f64 = 1.959_964;

/// Makes estimates from what was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimator {
    coverage: Coverage,
    /// Keys whose names were read.
    seen: u64,
}

/// A figure, and how sure it is; without an interval it is exact, or cannot be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Estimate {
    pub(super) value: Option<u64>,
    pub(super) interval: Option<Interval>,
}

impl Estimator {
    pub(super) fn new(coverage: Coverage, seen: u64) -> Self {
        Self { coverage, seen }
    }

    pub(super) fn coverage(self) -> Coverage {
        self.coverage
    }

    /// All keys there are.
    pub(super) fn population(self) -> u64 {
        match self.coverage {
            Coverage::FirstKeys { of } => of.max(self.seen),
            _ => self.seen,
        }
    }

    /// Keys of a part of the keyspace, of which so many were seen.
    pub(super) fn keys(self, seen: u64) -> Estimate {
        match self.coverage {
            Coverage::FirstKeys { .. } => proportion(seen, self.seen, self.population()),
            _ => exactly(seen),
        }
    }

    /// Keys of a part with something that is known of `known` of the `seen` ones, and that `hits` of these have.
    pub(super) fn count(self, hits: u64, known: u64, seen: u64) -> Estimate {
        if known == 0 && seen > 0 {
            return Estimate::default();
        }
        match self.coverage {
            Coverage::FirstKeys { .. } => proportion(hits, self.seen, self.population()),
            Coverage::ChosenByName if known < seen => proportion(hits, known, seen),
            _ => exactly(hits),
        }
    }

    /// Bytes of a part of the keyspace, of which so many keys were seen.
    pub(super) fn bytes(self, sizes: Sizes, seen: u64) -> Estimate {
        if sizes.keys == 0 && seen > 0 {
            return Estimate::default();
        }
        match self.coverage {
            Coverage::FirstKeys { .. } => total(sizes, self.seen, self.population()),
            Coverage::ChosenByName if sizes.keys < seen => total(sizes, sizes.keys, seen),
            _ => exactly(sizes.bytes),
        }
    }
}

impl Estimator {
    /// Bytes of what some keys have in common that is only known of those that were read, such as their type: of `read`
    /// keys among all that were seen, those in `sizes` have it.
    pub(super) fn bytes_of_some(self, sizes: Sizes, read: u64) -> Estimate {
        match self.coverage {
            Coverage::FirstKeys { .. } => total(sizes, self.seen, self.population()),
            Coverage::ChosenByName => total(sizes, read, self.seen),
            Coverage::Whole => exactly(sizes.bytes),
        }
    }
}

fn exactly(value: u64) -> Estimate {
    Estimate { value: Some(value), interval: None }
}

/// How many of all keys have what `hits` of the `read` ones have.
fn proportion(hits: u64, read: u64, all: u64) -> Estimate {
    if read == 0 || read >= all {
        return exactly(hits);
    }
    let (n, whole) = (precise(read), precise(all));
    let share = precise(hits) / n;
    // As many keys drawn with replacement would tell as much as these drawn without.
    let n = n * (whole - 1.0) / (whole - n);
    let width = Z * Z / n;
    let middle = (share + width / 2.0) / (1.0 + width);
    let half = Z * (share * (1.0 - share) / n + width / (4.0 * n)).sqrt() / (1.0 + width);
    // What was read is there for certain.
    let low = rounded((middle - half).max(0.0) * whole).max(hits);
    let high = rounded((middle + half).min(1.0) * whole).min(all - (read - hits));
    Estimate { value: Some(rounded(share * whole)), interval: Some(Interval { low, high: high.max(low) }) }
}

/// The sum over all keys, of which `read` were read; those that are in `sizes` have bytes, the others count as nothing.
fn total(sizes: Sizes, read: u64, all: u64) -> Estimate {
    if read == 0 || read >= all {
        return exactly(sizes.bytes);
    }
    let (n, whole, sum) = (precise(read), precise(all), precise(sizes.bytes));
    let value = Some(rounded(sum / n * whole));
    if sizes.keys < 2 {
        return Estimate { value, interval: None };
    }
    let variance = ((precise_wide(sizes.squares) - sum * sum / n) / (n - 1.0)).max(0.0);
    let half = student(precise(sizes.keys - 1)) * whole * ((1.0 - n / whole) * variance / n).sqrt();
    let low = rounded((sum / n * whole - half).max(0.0)).max(sizes.bytes);
    let high = rounded(sum / n * whole + half).max(low);
    Estimate { value, interval: Some(Interval { low, high }) }
}

/// The quantile of Student's distribution that leaves 2.5 % on either side, within 1 % from four degrees of freedom on.
fn student(degrees: f64) -> f64 {
    let (z3, z5) = (Z.powi(3), Z.powi(5));
    let first = (z3 + Z) / (4.0 * degrees);
    let second = (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / (96.0 * degrees * degrees);
    let z7 = Z.powi(7);
    let third = (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / (384.0 * degrees.powi(3));
    Z + first + second + third
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, seq::SliceRandom};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn sizes(of: impl IntoIterator<Item = u64>) -> Sizes {
        let mut sizes = Sizes::default();
        of.into_iter().for_each(|bytes| sizes.add(bytes));
        sizes
    }

    #[test]
    fn what_was_read_whole_is_exact() {
        let whole = Estimator::new(Coverage::Whole, 10);
        assert_eq!(whole.keys(3), exactly(3));
        assert_eq!(whole.count(2, 3, 3), exactly(2));
        assert_eq!(whole.bytes(sizes([5, 6]), 2), exactly(11));
        assert_eq!(whole.bytes(Sizes::default(), 2), Estimate::default(), "not fetched");
        assert_eq!(whole.bytes(Sizes::default(), 0), exactly(0), "there is nothing");
        let all = Estimator::new(Coverage::FirstKeys { of: 10 }, 10);
        assert_eq!(all.keys(3), exactly(3));
        let fewer = Estimator::new(Coverage::FirstKeys { of: 7 }, 10);
        assert_eq!((fewer.population(), fewer.keys(3)), (10, exactly(3)), "keys have come since INFO");
        let none = Estimator::new(Coverage::FirstKeys { of: 0 }, 0);
        assert_eq!(none.bytes(Sizes::default(), 0), exactly(0));
    }

    #[test]
    fn edges_have_sane_intervals() {
        let of = Estimator::new(Coverage::FirstKeys { of: 10_000 }, 100);
        let Some(Interval { low, high }) = of.keys(0).interval else { panic!("an interval") };
        assert!(low == 0 && (300..400).contains(&high), "the rule of three, and a little more: {high}");
        let Some(Interval { low, high }) = of.keys(100).interval else { panic!("an interval") };
        assert!(low > 9_600 && high == 10_000, "{low} {high}");
        assert_eq!(
            of.bytes(sizes([7]), 1),
            Estimate { value: Some(700), interval: None },
            "one tells nothing"
        );
        let same = of.bytes(sizes([7; 100]), 100);
        assert_eq!(same.interval, Some(Interval { low: 70_000, high: 70_000 }), "no spread");
        let huge = of.bytes(sizes([u64::MAX; 3]), 3);
        assert_eq!(huge.value, Some(u64::MAX));
    }

    #[test]
    fn students_quantiles_are_those_of_tables() {
        for (degrees, table) in [(4.0, 2.776), (9.0, 2.262), (29.0, 2.045), (1e6, 1.960)] {
            assert!((student(degrees) / table - 1.0_f64).abs() < 0.01, "{degrees}: {}", student(degrees));
        }
    }

    /// One key of a made keyspace.
    #[derive(Clone, Copy)]
    struct Key {
        family: usize,
        bytes: u64,
        lasts: bool,
    }

    /// Keys of families of very different shares, whose sizes are spread as those of caches are: over a factor of ten.
    fn keyspace(rng: &mut ChaCha8Rng) -> Vec<Key> {
        let key = |rng: &mut ChaCha8Rng| {
            let family = match rng.random_range(0..1000) {
                0..500 => 0,
                500..850 => 1,
                850..980 => 2,
                _ => 3,
            };
            let octaves: f64 = (0..6).map(|_| rng.random_range(-0.6..0.6)).sum();
            Key { family, bytes: rounded(300.0 * octaves.exp2()), lasts: rng.random_bool(0.2) }
        };
        (0..20_000).map(|_| key(rng)).collect()
    }

    fn of_family(keys: &[Key], family: usize) -> (u64, u64, Sizes) {
        let keys = keys.iter().filter(|key| key.family == family);
        let lasting = keys.clone().filter(|key| key.lasts).count();
        (keys.clone().count() as u64, lasting as u64, sizes(keys.map(|key| key.bytes)))
    }

    /// How often intervals of a sample hold the truth, by figure.
    fn coverage(estimates: impl Fn(&[Key], usize) -> [Estimate; 3]) -> Vec<f64> {
        const ROUNDS: u32 = 400;
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut keys = keyspace(&mut rng);
        let truths: Vec<_> = (0..4).map(|family| of_family(&keys, family)).collect();
        let mut held = vec![0_u32; 12];
        for _ in 0..ROUNDS {
            keys.shuffle(&mut rng);
            for (family, (count, lasting, sizes)) in truths.iter().enumerate() {
                let truth = [*count, *lasting, sizes.bytes];
                for (figure, (estimate, truth)) in estimates(&keys, family).iter().zip(truth).enumerate() {
                    let holds = estimate.interval.is_none_or(|it| (it.low..=it.high).contains(&truth));
                    held[family * 3 + figure] += u32::from(holds);
                }
            }
        }
        held.into_iter().map(|held| f64::from(held) / f64::from(ROUNDS)).collect()
    }

    /// 95 % within three deviations of so many rounds; sums over the forty keys of the smallest family are skewed, which
    /// takes them three points more.
    const AT_THEIR_RATE: std::ops::RangeInclusive<f64> = 0.89..=0.985;

    #[test]
    fn intervals_of_the_first_keys_hold_the_truth_at_their_rate() {
        let of = Estimator::new(Coverage::FirstKeys { of: 20_000 }, 2000);
        let rates = coverage(|keys, family| {
            let (count, lasting, sizes) = of_family(&keys[..2000], family);
            [of.keys(count), of.count(lasting, count, count), of.bytes(sizes, count)]
        });
        assert!(rates.iter().all(|rate| AT_THEIR_RATE.contains(rate)), "{rates:?}");
    }

    #[test]
    fn intervals_of_chosen_keys_hold_the_truth_at_their_rate() {
        let of = Estimator::new(Coverage::ChosenByName, 20_000);
        let rates = coverage(|keys, family| {
            let (count, lasting, sizes) = of_family(&keys[..2000], family);
            let all = of_family(keys, family).0;
            [of.keys(all), of.count(lasting, count, all), of.bytes(sizes, all)]
        });
        let estimated = rates.iter().enumerate().filter(|(index, _)| index % 3 > 0).map(|(_, rate)| rate);
        assert!(estimated.into_iter().all(|rate| AT_THEIR_RATE.contains(rate)), "{rates:?}");
    }
}
