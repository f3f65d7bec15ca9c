//! A report as one page that needs nothing but itself.

mod bars;
mod page;
mod timeline;
mod words;

use minijinja::{Environment, value::Serde};

use self::page::Page;
use crate::{Error, KeyReport, Result};

const TEMPLATE: &str = include_str!("page.html");
/// The name tells the template engine that what is put in is to be escaped.
const NAME: &str = "page.html";

impl KeyReport {
    /// Makes one HTML page of the report, with charts. It loads nothing, runs nothing, follows the reader's choice of a
    /// light or a dark screen, and can be read on a telephone. Names of keys come from outside, and are escaped.
    ///
    /// # Errors
    /// [`Error::Page`] where a chart or the page cannot be put together.
    pub fn to_html(&self) -> Result<String> {
        let page = || -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
            let mut environment = Environment::new();
            environment.add_template(NAME, TEMPLATE)?;
            Ok(environment.get_template(NAME)?.render(Serde(Page::of(self)?))?)
        };
        page().map_err(|source| Error::Page { source })
    }
}
