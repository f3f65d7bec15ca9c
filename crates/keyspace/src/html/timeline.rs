//! The chart of keys that are due.

use plotters::{
    prelude::{ChartBuilder, IntoDrawingArea, Rectangle, SVGBackend},
    style::{Color, IntoFont, TextStyle},
};

use super::{
    bars::{BAR, BURST, TEXT, WIDTH, inlined},
    words,
};
use crate::{Burst, Timeline};

/// What keeps a chart from being drawn.
pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;

const HEIGHT: u32 = 240;
const FONT: f64 = 15.0;
const MINUTE_MS: i64 = 60_000;

/// Draws how many keys are due when; steps with a burst in them stand out.
pub(super) fn timeline(timeline: &Timeline, bursts: &[Burst]) -> Result<String, Fault> {
    let steps = u32::try_from(timeline.keys.len())?;
    let most = precise(timeline.keys.iter().copied().max().unwrap_or(0)).max(1.0);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin_top(8)
            .margin_right(16)
            .x_label_area_size(32)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..f64::from(steps.max(1)), 0.0..most * 1.05)?;
        let style = TextStyle::from(("sans-serif", FONT).into_font()).color(&TEXT);
        let step_s = f64::from(timeline.step_minutes) * 60.0;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(4)
            .y_labels(4)
            .x_label_formatter(&|step| format!("in {}", words::time(step * step_s)))
            .y_label_formatter(&|keys| short(*keys))
            .label_style(style)
            .axis_style(TEXT)
            .light_line_style(TEXT.mix(0.0))
            .bold_line_style(TEXT.mix(0.15))
            .draw()?;
        for (step, keys) in (0..steps).zip(&timeline.keys).filter(|(_, keys)| **keys > 0) {
            let colour = if has_burst(timeline, step, bursts) { BURST } else { BAR };
            let corners = [(f64::from(step), 0.0), (f64::from(step) + 1.0, precise(*keys))];
            chart.draw_series([Rectangle::new(corners, colour.filled())])?;
        }
        area.present()?;
    }
    Ok(inlined(&svg))
}

fn has_burst(timeline: &Timeline, step: u32, bursts: &[Burst]) -> bool {
    let length = i64::from(timeline.step_minutes) * MINUTE_MS;
    let begins = timeline.begins_at_ms.saturating_add(i64::from(step) * length);
    bursts.iter().any(|burst| {
        let burst_ends = burst.begins_at_ms.saturating_add(i64::from(burst.minutes) * MINUTE_MS);
        burst.begins_at_ms < begins.saturating_add(length) && burst_ends > begins
    })
}

fn short(keys: f64) -> String {
    match keys {
        _ if keys >= 1e6 => format!("{:.1} M", keys / 1e6),
        _ if keys >= 1e4 => format!("{:.0} k", keys / 1e3),
        _ => format!("{keys:.0}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is drawn needs no more than 53 bits")]
fn precise(count: u64) -> f64 {
    count as f64
}
