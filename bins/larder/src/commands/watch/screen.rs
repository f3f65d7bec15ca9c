//! The live numbers on a terminal.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use larder_maintenance::{LiveFigures, Watch};
use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout},
    style::{Modifier, Style, Stylize},
    text::{Line, Text},
    widgets::{Row, Table},
};
use tokio::sync::Notify;

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
    let keys = Keys::read();
    let mut looks = 0;
    loop {
        let look = tokio::select! {
            look = watch.look(now()) => look,
            () = keys.end() => return Ok(()),
        };
        terminal.draw(|frame| view(frame, &settings.url.name(), args.interval, &look))?;
        looks += 1;
        if args.count.is_some_and(|count| looks >= count.get()) {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(args.interval) => {}
            () = keys.end() => return Ok(()),
        }
    }
}

/// Reads the keyboard in a thread of its own, so that an end is seen while a node is waited for.
struct Keys {
    end: Arc<Notify>,
    dropped: Arc<AtomicBool>,
}

const LOOKS_FOR_KEYS_EVERY: Duration = Duration::from_millis(100);

impl Keys {
    fn read() -> Self {
        let keys = Self { end: Arc::default(), dropped: Arc::default() };
        let (end, dropped) = (Arc::clone(&keys.end), Arc::clone(&keys.dropped));
        std::thread::spawn(move || {
            while !dropped.load(Ordering::Relaxed) {
                // A terminal that is gone ends it as well.
                let is_over = match event::poll(LOOKS_FOR_KEYS_EVERY) {
                    Ok(true) => event::read().map_or(true, |event| is_end(&event)),
                    Ok(false) => false,
                    Err(_) => true,
                };
                if is_over {
                    end.notify_one();
                    return;
                }
            }
        });
        keys
    }

    async fn end(&self) {
        self.end.notified().await;
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}

fn is_end(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

/// The columns, each with its width; the node gets the rest.
const COLUMNS: [(&str, u16); 10] = [
    ("node", 0),
    ("role", 7),
    ("hit rate", 8),
    ("ops/s", 7),
    ("evicted/s", 9),
    ("memory", 9),
    ("limit", 9),
    ("clients", 7),
    ("keys", 9),
    ("ping", 8),
];
const NODE_WIDTH: u16 = 16;

fn view(frame: &mut Frame<'_>, cache: &str, interval: Duration, look: &Result<Vec<LiveFigures>, String>) {
    let failures = failures(look);
    let failed_lines = u16::try_from(failures.len()).unwrap_or(u16::MAX);
    let [head, body, failed, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(failed_lines),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(
        Line::from(format!("larder watch  {cache}  {}", now().format("%H:%M:%S"))).bold(),
        head,
    );
    if let Ok(figures) = look {
        frame.render_widget(table(figures), body);
    }
    frame.render_widget(Text::from(failures).red().bold(), failed);
    let every = humantime::format_duration(interval);
    frame.render_widget(Line::from(format!("every {every}; rates since the last look; q ends")).dim(), foot);
}

/// What did not answer, a line each.
fn failures(look: &Result<Vec<LiveFigures>, String>) -> Vec<Line<'_>> {
    match look {
        Ok(figures) => {
            let failed = figures.iter().filter_map(|figures| Some((&figures.node, figures.error.as_ref()?)));
            failed.map(|(node, error)| Line::from(format!("{node}: {error}"))).collect()
        }
        Err(reason) => vec![Line::from(reason.as_str())],
    }
}

fn table(figures: &[LiveFigures]) -> Table<'_> {
    let widths = COLUMNS.map(|(_, width)| match width {
        0 => Constraint::Min(NODE_WIDTH),
        width => Constraint::Length(width),
    });
    let header =
        Row::new(COLUMNS.map(|(heading, _)| heading)).style(Style::new().add_modifier(Modifier::BOLD));
    let answered = figures.iter().filter(|figures| figures.error.is_none());
    Table::new(answered.map(row), widths).header(header)
}

fn row(figures: &LiveFigures) -> Row<'_> {
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
