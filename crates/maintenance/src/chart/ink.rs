//! Colours, and how the drawing looks on a dark screen.
//!
//! Lines have the colours of Okabe & Ito, "Color Universal Design" (2008), <https://jfly.uni-koeln.de/color/>, which people who
//! are colour-blind tell apart; each has a dash of its own besides.

use plotters::style::RGBColor;

/// What is behind everything.
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Titles and figures.
pub(super) const TEXT: RGBColor = RGBColor(0x1c, 0x23, 0x30);
/// What may be overlooked.
pub(super) const FAINT: RGBColor = RGBColor(0x5d, 0x67, 0x78);
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xe1, 0xe8);
pub(super) const SERIES: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(super) const TREND: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub(super) const FORECAST: RGBColor = RGBColor(0x00, 0x9e, 0x73);
/// Darker than theirs, as it is a thin ring on white.
pub(super) const ANOMALY: RGBColor = RGBColor(0xb0, 0x3d, 0x80);
pub(super) const CHANGE: RGBColor = RGBColor(0xb3, 0x7a, 0x00);
pub(super) const BREAK: RGBColor = RGBColor(0x6b, 0x4c, 0x9a);
pub(super) const LIMIT: RGBColor = RGBColor(0x11, 0x11, 0x11);

/// The drawing's own style. Every rule names the class, because a style inside a page holds for the whole page.
pub(super) const STYLE: &str = "
.larder-chart [stroke=\"#D55E00\"]{stroke-dasharray:9 5}
.larder-chart [stroke=\"#009E73\"]{stroke-dasharray:5 3}
.larder-chart [stroke=\"#B37A00\"]{stroke-dasharray:7 3 2 3}
.larder-chart [stroke=\"#6B4C9A\"]{stroke-dasharray:2 3}
.larder-chart [stroke=\"#111111\"]{stroke-dasharray:14 4}
@media (prefers-color-scheme:dark){
.larder-chart [fill=\"#FFFFFF\"]{fill:#1d232d}
.larder-chart [fill=\"#1C2330\"]{fill:#e4e8ef}
.larder-chart [fill=\"#5D6778\"]{fill:#98a3b5}
.larder-chart [stroke=\"#5D6778\"]{stroke:#98a3b5}
.larder-chart [stroke=\"#DDE1E8\"]{stroke:#323b49}
.larder-chart [stroke=\"#0072B2\"]{stroke:#56b4e9}
.larder-chart [fill=\"#0072B2\"]{fill:#56b4e9}
.larder-chart [stroke=\"#D55E00\"]{stroke:#ff9a5c}
.larder-chart [stroke=\"#009E73\"]{stroke:#2fcf9f}
.larder-chart [fill=\"#009E73\"]{fill:#2fcf9f}
.larder-chart [stroke=\"#B03D80\"]{stroke:#eba3cb}
.larder-chart [fill=\"#B03D80\"]{fill:#eba3cb}
.larder-chart [stroke=\"#B37A00\"]{stroke:#e6b93c}
.larder-chart [stroke=\"#6B4C9A\"]{stroke:#b9a2e6}
.larder-chart [stroke=\"#111111\"]{stroke:#f2f2f2}
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ink_has_another_one_for_a_dark_screen() {
        let dark = STYLE.split_once("@media").unwrap().1;
        for RGBColor(red, green, blue) in
            [PAPER, TEXT, FAINT, GRID, SERIES, TREND, FORECAST, ANOMALY, CHANGE, BREAK, LIMIT]
        {
            let name = format!("\"#{red:02X}{green:02X}{blue:02X}\"");
            assert!(dark.contains(&name), "{name}");
        }
    }
}
