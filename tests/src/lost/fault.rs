//! What is broken in a round, and how.

use super::{Once, Trial};
use crate::stack::Database;
use crate::wire::{From, Pass, When};
use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Longer than a writer waits for its turn before it is told to try again.
const LOCKED: Duration = Duration::from_secs(6);

/// Something to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The control plane is killed at a step of a push.
    ControlDuringPush(From, When),
    /// The Worker is killed at a step of a push.
    WorkerDuringPush(From, When),
    /// The connection breaks at a step of a push.
    PushCut(From, When),
    /// The control plane is killed at a piece to or from PostgreSQL.
    ControlDuringStatement(From, When),
    /// The connection breaks there.
    StatementCut(From, When),
    /// The kernel kills the control plane at, or fails, a system call: name and what strace does to it.
    Call(&'static str, &'static str),
    /// A system call of PostgreSQL's own processes fails, once in each of them or until its disk works again.
    ServerCall(&'static str, &'static str, Lasting),
    /// Pushes come again, late and in another order.
    Replayed,
    /// A second control plane works on the same database, while the first hangs in the middle of a change.
    Paused,
    /// Another program writes to the database for longer than anybody waits.
    Locked,
    /// A row of which no record can be made.
    Poison,
    /// KV fails for a while.
    Blackout,
}

/// Does a disk fail once, or for a while?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    Once,
    AWhile,
}

impl Fault {
    /// Those that a database has.
    pub(super) fn all(database: Database) -> Vec<Self> {
        let steps = [
            (From::Client, When::Before),
            (From::Client, When::After),
            (From::Server, When::Before),
            (From::Server, When::After),
        ];
        let mut all = Vec::new();
        for (from, when) in steps {
            all.extend([
                Self::ControlDuringPush(from, when),
                Self::WorkerDuringPush(from, when),
                Self::PushCut(from, when),
            ]);
            match database {
                Database::Postgres => all.extend([
                    Self::ControlDuringStatement(from, when),
                    Self::StatementCut(from, when),
                    Self::ControlDuringStatement(from, when),
                ]),
                Database::Sqlite => {}
            }
        }
        match database {
            Database::Sqlite => {
                // As it is built here, SQLite knows no fdatasync.
                for call in ["pwrite64", "fsync"] {
                    all.extend([
                        Self::Call(call, "signal=KILL"),
                        Self::Call(call, "error=EIO"),
                        Self::Call(call, "signal=KILL"),
                        Self::Call(call, "error=ENOSPC"),
                    ]);
                }
            }
            Database::Postgres => {
                for call in ["pwrite64", "fdatasync", "openat"] {
                    for error in ["error=EIO", "error=ENOSPC"] {
                        all.push(Self::ServerCall(call, error, Lasting::Once));
                        all.push(Self::ServerCall(call, error, Lasting::AWhile));
                    }
                }
            }
        }
        all.extend([
            Self::Replayed,
            Self::Paused,
            Self::Replayed,
            Self::Poison,
            Self::Blackout,
            Self::Locked,
        ]);
        all
    }

    /// For the report.
    pub(super) fn name(self) -> String {
        format!("{self:?}")
    }

    /// Makes a change while it is broken; tells whether it broke.
    pub(super) fn strike(self, trial: &mut Trial) -> Result<bool> {
        match self {
            Self::ControlDuringPush(from, when) => {
                let control = Arc::clone(&trial.control);
                let once = Once::at(&trial.edge_wire, 1, (from, when), move || {
                    control.crash();
                    Pass::Cut
                });
                trial.change()?;
                trial.edge_wire.untap();
                if trial.control.has_ended() {
                    trial.control.revive()?;
                }
                Ok(once.happened())
            }
            Self::WorkerDuringPush(from, when) => {
                let edges = Arc::clone(&trial.edges);
                let once = Once::at(&trial.edge_wire, 1, (from, when), move || {
                    edges.crash(0);
                    Pass::Cut
                });
                trial.change()?;
                trial.edge_wire.untap();
                if once.happened() {
                    trial.edges.revive(0)?;
                }
                Ok(once.happened())
            }
            Self::PushCut(from, when) => {
                let once = Once::at(&trial.edge_wire, 1, (from, when), || Pass::Cut);
                trial.change()?;
                trial.edge_wire.untap();
                Ok(once.happened())
            }
            Self::ControlDuringStatement(from, when) => {
                let control = Arc::clone(&trial.control);
                Self::at_statement(trial, (from, when), move || {
                    control.crash();
                    Pass::Cut
                })
            }
            Self::StatementCut(from, when) => Self::at_statement(trial, (from, when), || Pass::Cut),
            Self::Call(call, what) => Self::at_call(trial, call, what),
            Self::ServerCall(call, error, lasting) => Self::at_server(trial, call, error, lasting),
            Self::Replayed => Self::replay(trial),
            Self::Paused => Self::pause(trial),
            Self::Locked => {
                let lock = trial.direct.lock(LOCKED)?;
                let repeated = trial.report.repeated;
                trial.change()?;
                lock.join().map_err(|_| anyhow::anyhow!("the lock's thread panicked"))??;
                Ok(trial.report.repeated > repeated)
            }
            Self::Poison => Self::poison(trial),
            Self::Blackout => {
                trial.edges.kv().blackout(Duration::from_secs(30));
                trial.change()?;
                trial.change()?;
                Ok(true)
            }
        }
    }

    fn at_statement(
        trial: &mut Trial,
        side: (From, When),
        act: impl FnMut() -> Pass + Send + 'static,
    ) -> Result<bool> {
        // A change takes fewer than that, with what the outbox's loop says in between.
        let number = trial.rng.usize(1..=24);
        let wire = trial.database_wire.as_ref().context("a wire to the database")?;
        let once = Once::at(wire, number, side, act);
        trial.change()?;
        if let Some(wire) = &trial.database_wire {
            wire.untap();
        }
        if trial.control.has_ended() {
            trial.control.revive()?;
        }
        Ok(once.happened())
    }

    /// Restarts the control plane under strace, which breaks one call of the change's.
    fn at_call(trial: &mut Trial, call: &str, what: &str) -> Result<bool> {
        let number = trial.rng.usize(1..=if call == "pwrite64" { 9 } else { 3 });
        trial.control.crash();
        let trace = trial.control.folder().join("trace");
        let arguments: Vec<OsString> = [
            "-f".into(),
            // The traced program is our child, not strace's.
            "-D".into(),
            "-qq".into(),
            // It may be told to let go.
            "-I2".into(),
            "-e".into(),
            format!("trace={call}").into(),
            "-e".into(),
            format!("inject={call}:{what}:when={number}").into(),
            "-o".into(),
            trace.clone().into_os_string(),
            "--".into(),
        ]
        .into();
        // It may be hit before it serves.
        let _ = trial.control.revive_under("strace", &arguments);
        if trial.control.has_ended() {
            trial.control.revive()?;
        }
        // strace counts in each thread, and SQLite has a new one for each new connection: without an end, the disk would fail
        // whoever tries again.
        let (control, a_while) =
            (Arc::clone(&trial.control), Duration::from_millis(trial.rng.u64(200..2_000)));
        let mending = thread::spawn(move || {
            thread::sleep(a_while);
            control.untrace();
        });
        let changed = trial.change();
        mending.join().map_err(|_| anyhow::anyhow!("the thread that mends panicked"))?;
        changed?;
        // Before it is killed once more, by us.
        let traced = std::fs::read_to_string(trace).context("strace wrote nothing: is it installed?")?;
        trial.control.crash();
        trial.control.revive()?;
        Ok(traced.contains("(INJECTED)") || traced.contains("killed by SIGKILL"))
    }

    /// Lets a call of PostgreSQL's processes fail during a few changes. Where it may not fail, in writing its log above all,
    /// PostgreSQL ends all connections and recovers, which may fail too, and then it ends.
    fn at_server(trial: &mut Trial, call: &str, error: &str, lasting: Lasting) -> Result<bool> {
        let server = Arc::clone(trial.server.as_ref().context("a server of PostgreSQL")?);
        if call == "openat" {
            // Connections that are in use have opened what they need: the next ones open it anew.
            trial.direct.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL",
            )?;
        }
        let number = trial.rng.usize(1..=if call == "openat" { 40 } else { 3 });
        let from_then_on = if lasting == Lasting::AWhile { "+" } else { "" };
        let failing = server.fail(call, &format!("{error}:when={number}{from_then_on}"))?;
        let a_while = Duration::from_millis(trial.rng.u64(200..2_000));
        let mending = thread::spawn(move || {
            thread::sleep(a_while);
            failing.end()
        });
        let changed = (0..3).try_for_each(|_| trial.change());
        // Whatever came of it, nobody is left behind that holds the server.
        let struck = mending.join().map_err(|_| anyhow::anyhow!("the thread that mends panicked"))??;
        changed?;
        // It may end only now, of what failed before.
        trial.change()?;
        Ok(struck)
    }

    /// Notes pushes during a few changes, and sends them again afterwards.
    fn replay(trial: &mut Trial) -> Result<bool> {
        let pushes: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let noted = Arc::clone(&pushes);
        trial.edge_wire.tap(move |from, when, piece| {
            if (from, when) == (From::Client, When::Before) && piece.starts_with(b"POST ") {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(piece.to_vec());
            }
            Pass::On
        });
        for _ in 0..3 {
            trial.change()?;
        }
        trial.edge_wire.untap();
        let mut pushes = std::mem::take(&mut *pushes.lock().unwrap_or_else(PoisonError::into_inner));
        trial.rng.shuffle(&mut pushes);
        for push in &pushes {
            trial.edge_wire.replay(push);
        }
        Ok(!pushes.is_empty())
    }

    /// The first control plane hangs somewhere in a change; a second one changes the same share; then the first wakes up.
    fn pause(trial: &mut Trial) -> Result<bool> {
        let Some(at) = trial.shares.iter().position(|share| share.token.is_some()) else { return Ok(false) };
        let second = trial.control.beside()?;
        let (owner, path) = (second.admin(), format!("/api/v1/dashboard-shares/{}", trial.shares[at].id));
        let first = Arc::clone(&trial.control);
        let begun = trial.rng.u64(..12);
        thread::scope(|scope| -> Result<()> {
            let paused = Arc::clone(&first);
            let pause = scope.spawn(move || {
                thread::sleep(Duration::from_millis(begun));
                paused.signal(Signal::SIGSTOP);
                // It may have to wait for what the first one holds.
                let meanwhile =
                    scope.spawn(move || owner.patch(&path, &json!({ "name": "Meanwhile" })).status);
                thread::sleep(Duration::from_millis(1_500));
                paused.signal(Signal::SIGCONT);
                meanwhile.join().is_ok_and(|status| matches!(status, 200 | 202 | 503))
            });
            let outcome = trial.rotate(at);
            ensure!(pause.join().is_ok_and(|good| good), "the second control plane refused");
            outcome
        })?;
        // Both push what is due from here on.
        trial.control = Arc::new(second);
        trial.change()?;
        trial.change()?;
        let second = std::mem::replace(&mut trial.control, first);
        trial.change()?;
        second.crash();
        Ok(true)
    }

    /// A share that cannot be read must hold up no other; once it can be read again, the edge learns of it.
    fn poison(trial: &mut Trial) -> Result<bool> {
        let Some(at) = trial.shares.iter().position(|share| share.token.is_some()) else { return Ok(false) };
        let id = trial.shares[at].id.clone();
        let rules = r#"{"default_mode":"open","policies":[]}"#;
        trial.direct.run(&format!(
            "UPDATE share SET rules = '{{', revision = revision + 1 WHERE id = '{id}';
             INSERT INTO outbox (record_key, revision, enqueued_at, attempts, next_attempt_at, claimed_until)
             SELECT t.record_key, s.revision, 0, 0, 0, 0 FROM share s JOIN share_token t ON t.share_id = s.id
             WHERE s.id = '{id}' AND t.retired_at IS NULL
             ON CONFLICT (record_key) DO UPDATE SET revision = excluded.revision"
        ))?;
        let before = trial.shares.len();
        trial.create()?;
        let made = &trial.shares[before];
        let token = made.token.clone().context("a token")?;
        let seen = trial.edges.at(0).get(&format!("/api/v1/public/shares/{token}/resolve"));
        ensure!(seen.status == 200, "a share beside a poisoned one: {} {}", seen.status, seen.text());
        trial.direct.run(&format!("UPDATE share SET rules = '{rules}' WHERE id = '{id}'"))?;
        Ok(true)
    }
}
