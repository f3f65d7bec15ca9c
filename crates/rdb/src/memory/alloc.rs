//! What the allocator makes of a request.

/// The allocator that a server was built with: how finely it rounds small requests up.
///
/// `INFO memory` names the version, but not this; `MEMORY MALLOC-STATS` lists the sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Allocator {
    /// The jemalloc in the server's own source, in steps of 8 bytes up to 64 (`deps/Makefile`,
    /// `--with-lg-quantum=3`).
    #[default]
    Bundled,
    /// The jemalloc of a distribution, in steps of 16 bytes up to 128.
    System,
}

impl Allocator {
    /// Bytes that a request of `bytes` really takes: jemalloc's size classes, four to a doubling.
    #[must_use]
    pub fn rounded(self, bytes: u64) -> u64 {
        if bytes <= 8 {
            return 8;
        }
        let quantum = match self {
            Self::Bundled => 8,
            Self::System => 16,
        };
        let doubling = (bytes - 1).ilog2();
        let spacing = (1u64 << doubling.saturating_sub(2)).max(quantum);
        bytes.saturating_add(spacing - 1) / spacing * spacing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_rounded_up_to_jemallocs_classes() {
        for (bytes, bundled, system) in [
            (0, 8, 8),
            (8, 8, 8),
            (9, 16, 16),
            (17, 24, 32),
            (33, 40, 48),
            (49, 56, 64),
            (64, 64, 64),
            (65, 80, 80),
            (128, 128, 128),
            (129, 160, 160),
            (257, 320, 320),
            (1025, 1280, 1280),
            (17_006, 20_480, 20_480),
        ] {
            assert_eq!(Allocator::Bundled.rounded(bytes), bundled, "{bytes}");
            assert_eq!(Allocator::System.rounded(bytes), system, "{bytes}");
        }
    }
}
