//! A page that is being written. Markup comes from the program, everything else is escaped:
//! the types leave no other way.

use super::text::visible;

/// A page so far.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Puts in markup that stands in the program.
    pub fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Puts in text, whoever wrote it.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for character in visible(text).chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// Puts in a number, as an attribute takes it.
    pub fn number(&mut self, number: f64) -> &mut Self {
        self.0.push_str(&format!("{:.1}", if number.is_finite() { number } else { 0.0 }));
        self
    }

    /// Puts in an element that holds text.
    pub fn element(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.markup("<").markup(name).markup(">").text(text).markup("</").markup(name).markup(">")
    }

    /// Begins a section.
    pub fn heading(&mut self, text: &str) {
        self.element("h2", text);
    }

    /// Puts in a table.
    pub fn table(&mut self, heads: &[&str], rows: impl FnOnce(&mut Self)) {
        self.markup(r#"<div class="wide"><table><thead><tr>"#);
        heads.iter().for_each(|head| {
            self.element("th", head);
        });
        self.markup("</tr></thead><tbody>");
        rows(self);
        self.markup("</tbody></table></div>");
    }

    /// Puts in a row of a table.
    pub fn row(&mut self, cells: &[&str]) {
        self.markup("<tr>");
        cells.iter().for_each(|cell| {
            self.element("td", cell);
        });
        self.markup("</tr>");
    }

    /// Says how many rows are not shown.
    pub fn left_out(&mut self, rows: u64) {
        if rows > 0 {
            self.element("p", &format!("{rows} more are not shown."));
        }
    }

    /// The page's text.
    pub fn finish(self) -> String {
        self.0
    }
}
