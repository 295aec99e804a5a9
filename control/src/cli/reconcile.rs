//! `postern reconcile`

use super::Printer;
use crate::StartError;
use crate::config::KvConfig;
use crate::reconcile::{self, Counts, Difference, Failure, Options, Plan, Report, Told};
use crate::service::Service;
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Command {
    /// Only tell what differs; ends with code 1 if anything does.
    #[arg(long)]
    dry_run: bool,
    /// Read every value too, 100 a call, instead of trusting the digest beside it.
    #[arg(long)]
    values: bool,
    /// Begin anew, instead of going on where an earlier run was interrupted.
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    kv: KvConfig,
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Own(error) => Self::Failed(error),
            Failure::Setting(text) => Self::Setting(text),
            other @ (Failure::Refused(_) | Failure::OutOfReach { .. }) => {
                Self::Unreconciled(other.to_string())
            }
        }
    }
}

pub(super) async fn run(service: &Service, command: Command, printer: &Printer) -> Result<(), StartError> {
    let Command { dry_run, values, restart, kv } = command;
    let options = Options { dry_run, values, restart };
    let tell = |told: Told| {
        // One object is all that a program reads.
        if !printer.json {
            match told {
                Told::Begins(plan) => println!("{}", begins(&plan)),
                Told::PartDone(part) => println!("Part {part} is done."),
            }
        }
    };
    let report = reconcile::run(service, &kv, options, tell).await?;
    printer.print(&object(&report, options), || text(&report, options));
    if report.counts.is_equal() {
        Ok(())
    } else {
        let left = if dry_run { "differ" } else { "still differ" };
        Err(StartError::Unreconciled(format!("Workers KV and the database {left}")))
    }
}

fn begins(plan: &Plan) -> String {
    let Plan { tokens, parts, parts_done, calls, calls_to_write } = *plan;
    let goes_on = if parts_done > 0 { format!(", of which {parts_done} are done") } else { String::new() };
    format!(
        "{tokens} tokens in {parts} parts{goes_on}: {calls} calls to compare them, {} at half of the API's limit; \
         at most {calls_to_write} more to write them all, {}.",
        rounded(Plan::duration(calls)),
        rounded(Plan::duration(calls_to_write))
    )
}

fn object(report: &Report, options: Options) -> Value {
    let Report { plan, counts, took } = report;
    let Counts { tokens, listed, values_read, calls, differences } = counts;
    json!({
        "dry_run": options.dry_run,
        "plan": plan,
        "tokens": tokens,
        "listed": listed,
        "values_read": values_read,
        "calls": calls,
        "seconds": took.as_secs(),
        "differences": differences,
        "equal": counts.is_equal(),
    })
}

fn text(report: &Report, options: Options) -> String {
    let Report { plan, counts, took } = report;
    let mut lines = Vec::new();
    for difference in Difference::ALL {
        let tally = counts.of(difference);
        if tally.found == 0 {
            continue;
        }
        let (name, done) = words(difference);
        let done = if options.dry_run { String::new() } else { format!(", {done}: {}", tally.repaired) };
        lines.push(format!("{name}: {}{done}", tally.found));
        // Keys that are not ours may hold anything.
        lines.extend(tally.keys.iter().map(|key| format!("  {}", key.escape_debug())));
        let more = tally.found.saturating_sub(u64::try_from(tally.keys.len()).unwrap_or_default());
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
    }
    if lines.is_empty() {
        lines.push("Workers KV and the database are equal.".to_owned());
    }
    if !options.dry_run && counts.is_mostly_foreign() {
        lines.push(
            "Most keys are no record keys, so none was deleted: is POSTERN_KV_NAMESPACE right?".to_owned(),
        );
    }
    if !options.dry_run && !plan.may_kill() && counts.of(Difference::Surplus).found > 0 {
        lines.push("The database knows no token, so none was killed: is DATABASE_URL right?".to_owned());
    }
    let Counts { tokens, listed, values_read, calls, .. } = counts;
    lines.push(format!(
        "{tokens} tokens, {listed} keys, {values_read} values read, {calls} calls, {}.",
        rounded(*took)
    ));
    lines.join("\n")
}

/// What a difference is called, and what is done about it.
const fn words(difference: Difference) -> (&'static str, &'static str) {
    match difference {
        Difference::Missing => ("Missing in KV", "written"),
        Difference::Stale => ("Older in KV", "written and pushed"),
        Difference::Altered => ("Altered in KV", "written and pushed"),
        Difference::Ahead => ("Newer in KV (was a backup restored?)", "pushed"),
        Difference::Surplus => ("Live in KV, unknown to the database", "dead now"),
        Difference::Foreign => ("No record keys", "deleted"),
        Difference::Unreadable => ("Unreadable in the database", "repaired"),
    }
}

fn rounded(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_what_was_found_and_done() {
        let mut counts = Counts { tokens: 30, listed: 9, calls: 2, ..Counts::default() };
        let plan = Plan::new(30, (0, 1), false, 1_000);
        for number in 0..21 {
            counts.found(Difference::Missing, &format!("k{number}"));
            counts.repaired(Difference::Missing);
        }
        counts.found(Difference::Foreign, "bell\u{7}");
        let report = Report { plan, counts, took: Duration::from_secs(200) };
        let told = text(&report, Options::default());
        for part in [
            "Missing in KV: 21, written: 21\n  k0\n",
            "  and 1 more\n",
            "No record keys: 1, deleted: 0\n  bell\\u{7}\n",
            "2 calls, 4 min.",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
        let object = object(&report, Options::default());
        assert_eq!(
            (&object["equal"], &object["differences"]["missing"]["repaired"]),
            (&json!(false), &json!(21))
        );
        let nothing = Report { counts: Counts::default(), ..report };
        assert!(text(&nothing, Options::default()).starts_with("Workers KV and the database are equal."));
    }
}
