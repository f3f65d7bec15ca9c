#![doc = include_str!("../README.md")]

mod body;
mod cause;
mod composite;
mod daily_files;
mod day_file;
mod error;
mod export;
mod folder;
mod history;
mod import;
mod measured;
mod moment;
mod query;
mod retention;
mod rollup;
mod sqlite;
mod store;
mod subject;

pub use composite::Histories;
pub use daily_files::{DailyFiles, DayHistory, ReportKind};
pub use error::{Error, Result};
pub use export::{Export, ExportFormat, Exported, Exporter, SamplesExporter, export};
pub use history::{Damage, History, Point, Series, SeriesName};
pub use import::{Imported, import_daily_files};
pub use query::{Query, Resolution, SeriesQuery, Take};
pub use retention::{DailyRetention, Retention, RetentionOutcome};
pub use sqlite::{Salvaged, SqliteStore};
#[cfg(feature = "mock")]
pub use store::MockMetricsStore;
pub use store::{Appended, MetricsStore};
