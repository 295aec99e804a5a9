//! `postern share preview`

use super::{Printer, RuleArgs, from_json};
use crate::manage::{Actor, preview as manage};
use crate::service::Service;
use clap::Args;
use serde_json::json;
use shared::Result;
use shared::face::dashboard::manage::{PreviewIn, PreviewOut, Unnarrowed};
use shared::model::policy::Mode;
use std::fmt::Write;
use uuid::Uuid;

/// What is previewed.
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The dashboard's id.
    #[arg(long)]
    dashboard: Uuid,
    #[command(flatten)]
    rules: RuleArgs,
    /// What a viewer asks: a JSON object, as `parameters` of an execute.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    parameters: String,
}

pub(super) async fn run(
    service: &Service,
    actor: &Actor,
    preview: PreviewArgs,
    printer: &Printer,
) -> Result<()> {
    let (share_filter_policies, default_mode) = preview.rules.read()?;
    let input = PreviewIn {
        dashboard_id: preview.dashboard,
        share_filter_policies,
        default_mode,
        parameters: from_json("/parameters", &preview.parameters)?,
    };
    let previewed = manage::preview(service, actor, input).await?;
    let out = previewed.out();
    printer.print(&json!(out), || text(&out));
    Ok(())
}

fn text(out: &PreviewOut<'_>) -> String {
    let mode = |slug: &str| {
        let shown = out.filters.iter().find(|filter| filter.slug == slug);
        shown.map_or("hidden", |filter| words(filter.mode)).to_owned()
    };
    let filters = out.parameters.iter().map(|(slug, value)| [slug.clone(), mode(slug), value.to_string()]);
    let widgets = out.widgets.iter().map(|widget| {
        let beyond = if widget.truncated { "+" } else { "" };
        let rows = match widget.error {
            Some(error) => error.error.clone(),
            None => format!("{}{beyond}", widget.row_count),
        };
        [widget.id.to_owned(), widget.title.to_owned(), rows]
    });
    let filters = table(["FILTER", "VIEWERS", "VALUE"], filters.collect());
    let widgets = table(["WIDGET", "TITLE", "ROWS"], widgets.collect());
    let warnings = out.not_narrowed.iter().map(|Unnarrowed { at, filter_slug }| {
        format!("Not narrowed by {filter_slug}, which it does not use: {at}")
    });
    let warnings = warnings.collect::<Vec<_>>().join("\n");
    format!("{filters}\n{widgets}\n{warnings}").trim_end().to_owned()
}

const fn words(mode: Mode) -> &'static str {
    match mode {
        Mode::Open => "open",
        Mode::Locked => "locked",
        Mode::Selectable => "selectable",
        Mode::Disabled => "disabled",
    }
}

/// Rows under a head, in columns of equal width.
fn table(head: [&str; 3], rows: Vec<[String; 3]>) -> String {
    let rows: Vec<[String; 3]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: fn(&[String; 3]) -> &str| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default()
    };
    let (first, second) = (width(|[cell, ..]| cell), width(|[_, cell, _]| cell));
    rows.iter().fold(String::new(), |mut text, [one, two, three]| {
        // Nothing is in the way of writing to a text.
        let _ = writeln!(text, "{one:first$}  {two:second$}  {three}");
        text
    })
}
