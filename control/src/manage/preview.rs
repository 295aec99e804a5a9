//! What the visitors of a share would see, before there is one: the same rules, the same queries, nothing saved.

use super::Actor;
use crate::data;
use crate::service::Service;
use crate::store;
use serde_json::{Map, Value};
use shared::Result;
use shared::call::Executed;
use shared::face::dashboard::manage::{PreviewIn, PreviewOut, PreviewWidget, Unnarrowed};
use shared::face::dashboard::public::filters;
use shared::model::dashboard::View;
use shared::model::filter::Typed;
use shared::model::policy::{self, Parameters, Rules};
use shared::model::share::check_rules;

/// What a preview found; [`Previewed::out`] renders it.
pub(crate) struct Previewed {
    view: View,
    rules: Rules,
    parameters: Parameters,
    executed: Executed,
    not_narrowed: Vec<Unnarrowed>,
}

/// Runs a dashboard's queries under rules that no share has yet.
pub(crate) async fn preview(service: &Service, actor: &Actor, input: PreviewIn) -> Result<Previewed> {
    let (id, rules, asked) = input.into_parts();
    let mut session = service.store.read().await?;
    let dashboard = store::dashboard::find(&mut session, actor.organization.id, id).await?;
    let definition = dashboard.definition;
    let view = definition.view(id, dashboard.version);
    check_rules(&rules, &view.filters)?;
    let parameters = policy::apply(&view.filters, &rules, &asked)?;
    let source =
        store::data_source::find(&mut session, actor.organization.id, definition.data_source_id).await?;
    drop(session);
    // There is no share whose place it could take; previews of one dashboard wait for one another.
    let executed = service.data.execute(id, &source, &definition, &parameters, service.clock.now()).await;
    let not_narrowed = data::unnarrowed(&source, &definition, &view.filters, &rules);
    Ok(Previewed { view, rules, parameters, executed, not_narrowed })
}

impl Previewed {
    /// As its owner sees it.
    pub(crate) fn out(&self) -> PreviewOut<'_> {
        let widgets = self.view.layout.iter().zip(&self.executed.panels);
        PreviewOut {
            filters: filters(&self.view, &self.rules),
            parameters: shown(&self.parameters),
            widgets: widgets
                .map(|(widget, panel)| PreviewWidget {
                    id: &widget.id,
                    title: &widget.title,
                    row_count: panel.rows.len() as u64,
                    truncated: panel.truncated,
                    error: panel.error.as_ref(),
                })
                .collect(),
            not_narrowed: &self.not_narrowed,
        }
    }
}

/// All parameters, also those of hidden filters: it is their owner who asks.
fn shown(parameters: &Parameters) -> Map<String, Value> {
    let json = |value: Option<&Typed>| value.map_or(Value::Null, Typed::to_json);
    parameters.iter().map(|(slug, value)| (slug.to_owned(), json(value))).collect()
}
