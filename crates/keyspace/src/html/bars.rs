//! Charts of bars that lie one below the other, each with its name above it, so that they can be read on a narrow screen.

use plotters::{
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea, Rectangle, SVGBackend},
    style::{
        Color, IntoFont, RGBColor, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::timeline::Fault;

/// One bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    /// What is written at its end.
    pub(super) figure: String,
    pub(super) value: u64,
}

/// The page gives these another colour each.
pub(super) const BAR: RGBColor = RGBColor(0x33, 0x66, 0xcc);
pub(super) const BURST: RGBColor = RGBColor(0xcc, 0x33, 0x33);
pub(super) const TEXT: RGBColor = RGBColor(0, 0, 0);

pub(super) const WIDTH: u32 = 460;
const ROW: i32 = 38;
const NAME_HEIGHT: i32 = 20;
const BAR_HEIGHT: i32 = 12;
const FONT: f64 = 17.0;
/// Names that are longer are cut: the table has them whole.
const MOST_CHARACTERS: usize = 44;

/// Draws bars; the longest one takes the whole width.
pub(super) fn bars(bars: &[Bar]) -> Result<String, Fault> {
    let rows = i32::try_from(bars.len().max(1))?;
    let height = u32::try_from(rows * ROW)?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0).max(1);
        for (row, bar) in (0..).zip(bars) {
            draw(&area, row * ROW, bar, most)?;
        }
        area.present()?;
    }
    Ok(inlined(&svg))
}

fn draw(area: &DrawingArea<SVGBackend<'_>, Shift>, top: i32, bar: &Bar, most: u64) -> Result<(), Fault> {
    let style = TextStyle::from(("sans-serif", FONT).into_font()).color(&TEXT);
    area.draw_text(&cut(&bar.name), &style, (0, top + 2))?;
    let at_right = style.pos(Pos::new(HPos::Right, VPos::Top));
    area.draw_text(&bar.figure, &at_right, (i32::try_from(WIDTH)?, top + 2))?;
    let length = u128::from(bar.value) * u128::from(WIDTH) / u128::from(most);
    let length = i32::try_from(length)?.max(i32::from(bar.value > 0));
    let bar_top = top + NAME_HEIGHT;
    let corners = [(0, bar_top), (length, bar_top + BAR_HEIGHT)];
    if length > 0 {
        area.draw(&Rectangle::new(corners, BAR.filled()))?;
    }
    Ok(())
}

fn cut(name: &str) -> String {
    match name.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// A drawing inside a page needs no name space, and so the page names no address at all.
pub(super) fn inlined(svg: &str) -> String {
    svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "")
}
