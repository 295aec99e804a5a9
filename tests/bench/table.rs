//! The result: a table for people, JSON for programs.

use crate::load::Latencies;
use anyhow::{Context, Result};
use serde_json::json;
use std::time::Duration;

/// One line of it.
pub struct Row {
    what: String,
    own: f64,
    unit: &'static str,
    beside: Option<Beside>,
    goal: &'static str,
}

struct Beside {
    name: &'static str,
    figure: f64,
    ratio: f64,
    spread: (f64, f64),
}

impl Row {
    /// A figure on its own.
    pub fn figure(what: impl Into<String>, own: f64, unit: &'static str, goal: &'static str) -> Self {
        Self { what: what.into(), own, unit, beside: None, goal }
    }

    /// Two percentiles of latencies, with the goal for the upper one.
    pub fn latencies(what: &str, latencies: &Latencies, goal: &'static str) -> [Self; 2] {
        let millis = |permille| latencies.permille(permille).as_secs_f64() * 1e3;
        [
            Self::figure(format!("{what}, p50"), millis(500), "ms", ""),
            Self::figure(format!("{what}, p99"), millis(990), "ms", goal),
        ]
    }

    /// Times of ours beside times of another, a pair for each round.
    pub fn ratio(
        what: impl Into<String>,
        name: &'static str,
        pairs: &[(Duration, Duration)],
        goal: &'static str,
    ) -> Self {
        let micros = |duration: &Duration| duration.as_secs_f64() * 1e6;
        let pairs: Vec<_> = pairs.iter().map(|(own, other)| (micros(own), micros(other))).collect();
        Self::figures(what, name, "us", &pairs, goal)
    }

    /// Figures of ours beside figures of another, a pair for each round.
    pub fn figures(
        what: impl Into<String>,
        name: &'static str,
        unit: &'static str,
        pairs: &[(f64, f64)],
        goal: &'static str,
    ) -> Self {
        let ratios: Vec<f64> = pairs.iter().map(|(own, other)| own / other).collect();
        let beside = Beside {
            name,
            figure: median(pairs.iter().map(|(_, other)| *other).collect()),
            ratio: median(ratios.clone()),
            spread: ratios
                .iter()
                .fold((f64::MAX, f64::MIN), |(least, most), ratio| (least.min(*ratio), most.max(*ratio))),
        };
        let own = median(pairs.iter().map(|(own, _)| *own).collect());
        Self { what: what.into(), own, unit, beside: Some(beside), goal }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Prints Markdown, so that it can stand in a document.
pub fn print(rows: &[Row]) {
    println!("\n| what | Postern | beside | | ratio (least-most) | goal |\n|---|---|---|---|---|---|");
    for Row { what, own, unit, beside, goal } in rows {
        let (name, figure, ratio) = match beside {
            None => ("", String::new(), String::new()),
            Some(Beside { name, figure, ratio, spread: (least, most) }) => {
                (*name, shown(*figure, unit), format!("{ratio:.2} ({least:.2}-{most:.2})"))
            }
        };
        println!("| {what} | {} | {name} | {figure} | {ratio} | {goal} |", shown(*own, unit));
    }
}

/// Small figures with a decimal.
fn shown(figure: f64, unit: &str) -> String {
    if figure < 20.0 { format!("{figure:.1} {unit}") } else { format!("{figure:.0} {unit}") }
}

/// Writes the same to `target/bench.json`.
pub fn write_json(rows: &[Row]) -> Result<()> {
    let rows: Vec<_> = rows
        .iter()
        .map(|Row { what, own, unit, beside, goal }| {
            let beside = beside.as_ref().map(|Beside { name, figure, ratio, spread: (least, most) }| {
                json!({ "name": name, "figure": figure, "ratio": ratio, "least": least, "most": most })
            });
            json!({ "what": what, "figure": own, "unit": unit, "beside": beside, "goal": goal })
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench.json");
    std::fs::write(path, format!("{:#}\n", json!({ "rows": rows }))).context(path)
}
