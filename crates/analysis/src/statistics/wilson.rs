//! How sure a share is that was counted in a sample.

/// The standard normal quantile that leaves 2.5 % above it.
const Z: f64 = 1.959_963_984_540_054;

/// The lower end of the 95 % score interval of a share, of which `found` of `all` were counted (Wilson 1927, "Probable inference, the law
/// of succession, and statistical inference", <https://doi.org/10.1080/01621459.1927.10502953>). `None` of none.
pub(crate) fn least_share(found: f64, all: f64) -> Option<f64> {
    if all <= 0.0 {
        return None;
    }
    let (share, square) = (found / all, Z * Z);
    let middle = share + square / (2.0 * all);
    let reach = Z * (share * (1.0 - share) / all + square / (4.0 * all * all)).max(0.0).sqrt();
    Some(((middle - reach) / (1.0 + square / all)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_end_is_known() {
        // Of all of n it is n / (n + z²); the others were reckoned apart.
        for (found, all, expected) in
            [(0.0, 10.0, 0.0), (10.0, 10.0, 0.722_467), (5.0, 10.0, 0.236_593), (100.0, 1_000.0, 0.082_91)]
        {
            let least = least_share(found, all).unwrap();
            assert!((least - expected).abs() < 1e-5, "{found} of {all}: {least}");
        }
        assert_eq!(least_share(0.0, 0.0), None);
    }
}
