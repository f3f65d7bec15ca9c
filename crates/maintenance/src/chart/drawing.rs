//! Putting a chart on paper.

use larder_analysis::Forecast;
use plotters::{
    coord::Shift,
    element::{Circle, PathElement, Polygon, Rectangle},
    prelude::{DrawingArea, IntoDrawingArea, SVGBackend},
    style::{
        Color, IntoFont, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    Chart, description,
    ink::{ANOMALY, BREAK, CHANGE, FAINT, FORECAST, GRID, LIMIT, PAPER, SERIES, TEXT, TREND},
    layout::{APART, Layout, MARGIN, Plot, ROW, SMALL, TITLE},
    legend::{BEHIND_PIECE, LegendEntry, PIECE, Swatch},
    line::{bands, stretches},
    mark::{BESIDE, MarkKind, PlacedMark},
    text::{cut, width},
};

/// What keeps a chart from being drawn.
pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;

type Paper<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Point = (i32, i32);

const BAND: f64 = 0.22;
const SHADE: f64 = 0.14;
const RING: i32 = 5;
/// A mark without a word.
const SHORT: i32 = 10;
/// Plotters writes letters smaller than they were asked for.
const LETTERS: f64 = 1.24;

/// Draws what lies within the frame of an SVG document.
pub(super) fn draw(chart: &Chart, layout: &Layout) -> Result<String, Fault> {
    let mut svg = String::new();
    {
        let size = (u32::try_from(layout.width)?, u32::try_from(layout.height)?);
        let paper = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        paper.draw(&Rectangle::new([(0, 0), (layout.width, layout.height)], PAPER.filled()))?;
        head(&paper, chart, layout)?;
        grid(&paper, layout)?;
        if layout.plot.times.is_none() {
            nothing(&paper, layout)?;
        }
        shades(&paper, chart, &layout.plot)?;
        marks(&paper, layout)?;
        foretold(&paper, chart, &layout.plot)?;
        measured(&paper, chart, &layout.plot)?;
        limit(&paper, chart, &layout.plot)?;
        trend(&paper, chart, &layout.plot)?;
        rings(&paper, chart, &layout.plot)?;
        legend(&paper, layout)?;
        paper.present()?;
    }
    let inside = svg.split_once('>').map_or("", |(_, inside)| inside).trim_start();
    Ok(inside.strip_suffix("</svg>\n").unwrap_or(inside).to_owned())
}

fn head(paper: &Paper<'_>, chart: &Chart, layout: &Layout) -> Result<(), Fault> {
    let room = layout.width - 2 * MARGIN;
    let title = Letters { height: TITLE, ink: TEXT, at: HPos::Left };
    write(paper, &cut(&chart.title, TITLE, room), title, (MARGIN, MARGIN))?;
    let parts = [description::span(chart), chart.subtitle.clone()];
    let words = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    write(paper, &cut(&words, SMALL, room), small(FAINT, HPos::Left), (MARGIN, MARGIN + TITLE + 7))
}

fn grid(paper: &Paper<'_>, layout: &Layout) -> Result<(), Fault> {
    let plot = &layout.plot;
    for (value, words) in &layout.value_ticks {
        let y = plot.y(*value);
        path(paper, vec![(plot.left, y), (plot.right, y)], GRID.stroke_width(1))?;
        let at = (plot.left - APART, y - SMALL / 2);
        write(paper, words, small(TEXT, HPos::Right), at)?;
    }
    path(paper, vec![(plot.left, plot.bottom), (plot.right, plot.bottom)], FAINT.stroke_width(1))?;
    let mut free_from = 0;
    for (place, words) in &layout.time_ticks {
        let x = plot.across(*place);
        path(paper, vec![(x, plot.bottom), (x, plot.bottom + 4)], FAINT.stroke_width(1))?;
        let half = width(words, SMALL) / 2;
        if x - half >= free_from && x + half <= layout.width {
            write(paper, words, small(TEXT, HPos::Center), (x, plot.bottom + APART + 1))?;
            free_from = x + half + APART;
        }
    }
    Ok(())
}

fn nothing(paper: &Paper<'_>, layout: &Layout) -> Result<(), Fault> {
    let plot = &layout.plot;
    let middle = (i32::midpoint(plot.left, plot.right), i32::midpoint(plot.top, plot.bottom));
    write(paper, "nothing was measured", Letters { height: TITLE, ink: FAINT, at: HPos::Center }, middle)
}

fn shades(paper: &Paper<'_>, chart: &Chart, plot: &Plot) -> Result<(), Fault> {
    for anomaly in &chart.anomalies {
        let (from, until) = (plot.x(anomaly.from), plot.x(anomaly.until));
        if until > from {
            let corners = [(from, plot.top), (until, plot.bottom)];
            paper.draw(&Rectangle::new(corners, ANOMALY.mix(SHADE).filled()))?;
        }
    }
    Ok(())
}

fn marks(paper: &Paper<'_>, layout: &Layout) -> Result<(), Fault> {
    let rows = layout.marks.iter().filter_map(|mark| mark.label.as_ref()).map(|word| word.row + 1).max();
    let first_row = layout.plot.top - i32::try_from(rows.unwrap_or(0))? * ROW;
    for PlacedMark { x, kind, label } in &layout.marks {
        let ink = if *kind == MarkKind::Change { CHANGE } else { BREAK };
        // So many that their words find no room would hide everything else.
        let mut top = layout.plot.bottom - SHORT;
        if let Some(placed) = label {
            top = first_row + i32::try_from(placed.row)? * ROW;
            let (side, beside) = if placed.is_left { (HPos::Right, -BESIDE) } else { (HPos::Left, BESIDE) };
            write(paper, &placed.word, small(TEXT, side), (x + beside, top))?;
        }
        path(paper, vec![(*x, top), (*x, layout.plot.bottom)], ink.stroke_width(1))?;
    }
    Ok(())
}

fn measured(paper: &Paper<'_>, chart: &Chart, plot: &Plot) -> Result<(), Fault> {
    if let Some(extremes) = &chart.extremes {
        for columns in bands(extremes, |it| plot.x(it.at)) {
            band(paper, plot, &columns, SERIES)?;
        }
    }
    for stretch in stretches(&chart.series, |it| plot.x(it.at)) {
        band(paper, plot, &stretch.band, SERIES)?;
        let thickness = if stretch.band.is_empty() { 2 } else { 1 };
        let points: Vec<Point> = stretch.line.iter().map(|(x, value)| (*x, plot.y(*value))).collect();
        match points.as_slice() {
            [alone] => paper.draw(&Circle::new(*alone, 3, SERIES.filled()))?,
            _ => path(paper, points, SERIES.stroke_width(thickness))?,
        }
    }
    Ok(())
}

fn foretold(paper: &Paper<'_>, chart: &Chart, plot: &Plot) -> Result<(), Fault> {
    let Some(forecast) = &chart.forecast else { return Ok(()) };
    let edges = forecast.lower.iter().zip(&forecast.upper).enumerate();
    let columns: Vec<_> =
        edges.map(|(step, (lower, upper))| (plot.x(middle(forecast, step)), *lower, *upper)).collect();
    band(paper, plot, &columns, FORECAST)?;
    let steps = forecast.mean.iter().enumerate();
    let mut points: Vec<Point> =
        steps.map(|(step, value)| (plot.x(middle(forecast, step)), plot.y(*value))).collect();
    points.dedup_by_key(|point| point.0);
    path(paper, points, FORECAST.stroke_width(2))
}

fn middle(forecast: &Forecast, step: usize) -> chrono::DateTime<chrono::Utc> {
    let (begins, ends) = (forecast.at(step), forecast.at(step + 1));
    begins + (ends - begins) / 2
}

fn band(paper: &Paper<'_>, plot: &Plot, columns: &[(i32, f64, f64)], ink: RGBColor) -> Result<(), Fault> {
    if columns.len() < 2 {
        return columns.first().map_or(Ok(()), |(x, low, high)| {
            path(paper, vec![(*x, plot.y(*low)), (*x, plot.y(*high))], ink.mix(BAND).stroke_width(3))
        });
    }
    let above = columns.iter().map(|(x, _, high)| (*x, plot.y(*high)));
    let below = columns.iter().rev().map(|(x, low, _)| (*x, plot.y(*low)));
    paper.draw(&Polygon::new(above.chain(below).collect::<Vec<_>>(), ink.mix(BAND).filled()))?;
    Ok(())
}

fn limit(paper: &Paper<'_>, chart: &Chart, plot: &Plot) -> Result<(), Fault> {
    let Some(limit) = chart.limit.as_ref().filter(|limit| plot.values.holds(limit.value)) else {
        return Ok(());
    };
    let y = plot.y(limit.value);
    path(paper, vec![(plot.left, y), (plot.right, y)], LIMIT.stroke_width(2))
}

fn trend(paper: &Paper<'_>, chart: &Chart, plot: &Plot) -> Result<(), Fault> {
    let Some(line) = &chart.trend else { return Ok(()) };
    let ends = [line.from, line.until].map(|(at, value)| (plot.x(at), plot.y(value)));
    path(paper, ends.into(), TREND.stroke_width(2))
}

fn rings(paper: &Paper<'_>, chart: &Chart, plot: &Plot) -> Result<(), Fault> {
    for anomaly in &chart.anomalies {
        let centre = (plot.x(anomaly.peak), plot.y(anomaly.value));
        paper.draw(&Circle::new(centre, RING, ANOMALY.stroke_width(2)))?;
    }
    Ok(())
}

fn legend(paper: &Paper<'_>, layout: &Layout) -> Result<(), Fault> {
    for (row, entries) in (0..).zip(&layout.legend) {
        let top = layout.legend_top + row * ROW;
        for LegendEntry { x, swatch, words } in entries {
            piece(paper, *swatch, (MARGIN + x, top + SMALL / 2 + 1))?;
            let at = (MARGIN + x + PIECE + BEHIND_PIECE, top);
            write(paper, words, small(TEXT, HPos::Left), at)?;
        }
    }
    Ok(())
}

/// Draws a piece of what a line looks like.
fn piece(paper: &Paper<'_>, swatch: Swatch, (x, y): Point) -> Result<(), Fault> {
    let line = |ink: RGBColor| path(paper, vec![(x, y), (x + PIECE, y)], ink.stroke_width(2));
    let area = |ink: RGBColor| -> Result<(), Fault> {
        Ok(paper.draw(&Rectangle::new([(x, y - 5), (x + PIECE, y + 5)], ink.mix(BAND).filled()))?)
    };
    match swatch {
        Swatch::Series => line(SERIES),
        Swatch::Band => area(SERIES),
        Swatch::Trend => line(TREND),
        Swatch::Forecast => area(FORECAST).and_then(|()| line(FORECAST)),
        Swatch::Anomaly => Ok(paper.draw(&Circle::new((x + PIECE / 2, y), RING, ANOMALY.stroke_width(2)))?),
        Swatch::Limit => line(LIMIT),
        Swatch::Event => line(BREAK),
        Swatch::Change => line(CHANGE),
    }
}

fn path(paper: &Paper<'_>, points: Vec<Point>, style: impl Into<ShapeStyle>) -> Result<(), Fault> {
    Ok(paper.draw(&PathElement::new(points, style))?)
}

/// How words are written.
#[derive(Clone, Copy)]
struct Letters {
    height: i32,
    ink: RGBColor,
    at: HPos,
}

fn small(ink: RGBColor, at: HPos) -> Letters {
    Letters { height: SMALL, ink, at }
}

/// Writes words below a point.
fn write(paper: &Paper<'_>, words: &str, letters: Letters, at: Point) -> Result<(), Fault> {
    let font = ("sans-serif", f64::from(letters.height) * LETTERS).into_font();
    let style = TextStyle::from(font).color(&letters.ink).pos(Pos::new(letters.at, VPos::Top));
    Ok(paper.draw_text(words, &style, at)?)
}
