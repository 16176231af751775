//! A report for scripts. Its fields are those of [`Report`], documented in
//! `docs/backtest.md`: new ones may be added, and none is renamed or taken away within a format.

use super::report::Report;

/// The report as one JSON document.
///
/// # Errors
/// Never for a report; the type is that of the serialiser.
pub fn render(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report)
}
