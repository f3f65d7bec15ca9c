//! The live numbers on a terminal.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use larder_maintenance::{LiveFigures, Watch};
use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout},
    style::{Modifier, Style, Stylize},
    text::{Line, Text},
    widgets::{Cell, Row, Table},
};

use super::WatchArgs;
use crate::{config::Settings, context::now, output::format};

/// Draws until q, Ctrl-C or the last look; the terminal is given back as it was, whatever happens.
pub(super) async fn run(args: &WatchArgs, settings: &Settings, watch: &mut Watch) -> Result<ExitCode> {
    let mut terminal = ratatui::try_init()?;
    let ended = draw(&mut terminal, args, settings, watch).await;
    ratatui::try_restore()?;
    ended?;
    Ok(ExitCode::SUCCESS)
}

async fn draw(
    terminal: &mut ratatui::DefaultTerminal,
    args: &WatchArgs,
    settings: &Settings,
    watch: &mut Watch,
) -> Result<()> {
    let mut looks = 0;
    loop {
        let look = watch.look(now()).await;
        terminal.draw(|frame| view(frame, &settings.url.name(), args.interval, &look))?;
        looks += 1;
        if args.count.is_some_and(|count| looks >= count.get()) || asked_to_end(args.interval).await? {
            return Ok(());
        }
    }
}

/// Waits until the next look is due, or someone asks to end.
async fn asked_to_end(interval: Duration) -> Result<bool> {
    let wait = move || -> std::io::Result<bool> {
        let due = std::time::Instant::now() + interval;
        while let Some(left) =
            due.checked_duration_since(std::time::Instant::now()).filter(|left| !left.is_zero())
        {
            if event::poll(left)? && is_end(&event::read()?) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    Ok(tokio::task::spawn_blocking(wait).await??)
}

fn is_end(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

const HEADINGS: [&str; 10] =
    ["node", "role", "hit rate", "ops/s", "evicted/s", "memory", "limit", "clients", "keys", "ping"];

fn view(frame: &mut Frame<'_>, cache: &str, interval: Duration, look: &Result<Vec<LiveFigures>, String>) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(
        Line::from(format!("larder watch  {cache}  {}", now().format("%H:%M:%S"))).bold(),
        head,
    );
    match look {
        Ok(figures) => frame.render_widget(table(figures), body),
        Err(reason) => frame.render_widget(Text::from(reason.as_str()).bold(), body),
    }
    let every = humantime::format_duration(interval);
    frame.render_widget(Line::from(format!("every {every}; rates since the last look; q ends")).dim(), foot);
}

fn table(figures: &[LiveFigures]) -> Table<'_> {
    let mut widths = [Constraint::Length(11); HEADINGS.len()];
    widths[0] = Constraint::Fill(1);
    let header = Row::new(HEADINGS).style(Style::new().add_modifier(Modifier::BOLD));
    Table::new(figures.iter().map(row), widths).header(header)
}

fn row(figures: &LiveFigures) -> Row<'_> {
    if let Some(error) = &figures.error {
        return Row::new([Cell::from(error.as_str()).bold()]);
    }
    let rate = |value: Option<f64>| format::or_dash(value, |value| format!("{value:.0}"));
    let limit = figures
        .maxmemory_bytes
        .map(|bytes| if bytes == 0 { "none".to_owned() } else { format::bytes(bytes) });
    let broken = if figures.breaks.is_empty() { String::new() } else { format!(" {:?}", figures.breaks) };
    Row::new([
        format!("{}{broken}", figures.node),
        figures.role.map_or_else(|| "-".to_owned(), |role| format!("{role:?}").to_lowercase()),
        format::or_dash(figures.hit_rate, format::percent),
        rate(figures.operations_per_second),
        rate(figures.evictions_per_second),
        format::or_dash(figures.used_memory_bytes, format::bytes),
        limit.unwrap_or_else(|| "-".to_owned()),
        format::or_dash(figures.clients, |clients| clients.to_string()),
        format::or_dash(figures.keys, |keys| keys.to_string()),
        format::or_dash(figures.ping_ms, |ping| format!("{ping:.2} ms")),
    ])
}
