//! A host in memory, for tests of the use cases.

use super::memory::ResultKey;
use super::port::{Host, Lease, NoRows, Rows, Told, Unreachable};
use crate::call::{DataCall, OptionsFound, PageCall};
use crate::model::filter::Choice;
use crate::model::protection::Protection;
use crate::model::tally::{Admission, Entry, Tally};
use crate::model::token::RecordKey;
use crate::replica::{self, Record};
use crate::time::Millis;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A host in memory that counts what it is asked and can fail.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) now: Cell<i64>,
    pub(crate) kv: RefCell<Option<Vec<u8>>>,
    pub(crate) gate: RefCell<Option<Record>>,
    pub(crate) database: RefCell<Option<Record>>,
    pub(crate) kv_down: Cell<bool>,
    pub(crate) gate_down: Cell<bool>,
    pub(crate) gate_hangs: Cell<bool>,
    pub(crate) origin: RefCell<Option<NoRows>>,
    /// A record that the database knows of, and that reaches the gate during the next wait.
    pub(crate) on_its_way: RefCell<Option<Record>>,
    pub(crate) uncacheable: Cell<bool>,
    pub(crate) calls: RefCell<Vec<&'static str>>,
    pub(crate) tally: RefCell<Tally>,
}

impl Fake {
    pub(crate) fn serving(record: Record) -> Self {
        Self {
            kv: RefCell::new(Some(record.to_json())),
            gate: RefCell::new(Some(record.clone())),
            database: RefCell::new(Some(record)),
            ..Self::default()
        }
    }

    pub(crate) fn later(&self, duration: Duration) {
        self.now.set(self.now.get() + i64::try_from(duration.as_millis()).unwrap());
    }

    pub(crate) fn asked(&self) -> Vec<&'static str> {
        self.calls.take()
    }

    fn count(&self, call: &'static str) {
        self.calls.borrow_mut().push(call);
    }

    fn protection(&self) -> Protection {
        let gate = self.gate.borrow();
        gate.as_ref().and_then(|record| Some(record.live.as_ref()?.protection.clone())).unwrap_or_default()
    }

    fn gate_answer<T>(&self, answer: T) -> Result<T, Unreachable> {
        if self.gate_down.get() { Err(Unreachable("gate down".into())) } else { Ok(answer) }
    }

    fn origin_answer<T>(&self, answer: T) -> Result<T, NoRows> {
        self.origin.borrow().clone().map_or(Ok(answer), Err)
    }
}

impl Host for Fake {
    fn now(&self) -> Millis {
        Millis(self.now.get())
    }

    async fn read_record(&self, _: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable> {
        self.count("kv");
        if self.kv_down.get() { Err(Unreachable("kv down".into())) } else { Ok(self.kv.borrow().clone()) }
    }

    async fn lease(&self, _: &RecordKey, told: Told) -> Result<Option<Lease>, Unreachable> {
        self.count("lease");
        if self.gate_hangs.get() {
            std::future::pending::<()>().await;
        }
        let spent = !self.protection().allows_another(self.tally.borrow().usage.accesses);
        let gate = self.gate.borrow();
        let answer = self.gate_answer(gate.as_ref().map(|record| Lease {
            revision: record.revision,
            digest: replica::digest(&record.to_json()),
            spent,
            tiles_today: self.tally.borrow().tiles.today(self.now()) + told.tiles.tiles,
        }))?;
        self.tally.borrow_mut().opened(told.opens, self.now());
        self.tally.borrow_mut().metered((told.id, told.tiles), || "epoch".to_owned(), self.now());
        Ok(answer)
    }

    async fn read_gate(&self, _: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable> {
        self.count("gate");
        self.gate_answer(self.gate.borrow().as_ref().map(Record::to_json))
    }

    async fn read_origin(&self, _: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable> {
        self.count("origin");
        if self.origin.borrow().is_some() {
            return Err(Unreachable("origin down".into()));
        }
        Ok(self.database.borrow().as_ref().map(Record::to_json))
    }

    async fn attempt(&self, _: &RecordKey, network: &str) -> Result<Admission, Unreachable> {
        self.count("attempt");
        self.gate_answer(())?;
        Ok(self.tally.borrow_mut().attempt(&self.protection(), network, self.now()))
    }

    async fn give_back(&self, _: &RecordKey, attempt: u64) -> Result<(), Unreachable> {
        self.count("give back");
        self.tally.borrow_mut().give_back(attempt);
        self.gate_answer(())
    }

    async fn enter(&self, _: &RecordKey, revision: u64, attempt: Option<u64>) -> Result<Entry, Unreachable> {
        self.count("enter");
        self.gate_answer(())?;
        if self.gate.borrow().as_ref().is_none_or(|record| record.revision != revision) {
            return Ok(Entry::Changed);
        }
        Ok(self.tally.borrow_mut().enter(&self.protection(), attempt, self.now()))
    }

    async fn wait(&self, duration: Duration) {
        self.count("wait");
        self.later(duration);
        if let Some(record) = self.on_its_way.take() {
            *self.gate.borrow_mut() = Some(record);
            *self.origin.borrow_mut() = None;
        }
    }

    async fn execute(&self, _: &ResultKey, call: &DataCall) -> Result<Rows, NoRows> {
        self.count("execute");
        let json = format!("{{\"revision\":{}}}", call.revision).into_bytes();
        self.origin_answer(Rows { json, cacheable: !self.uncacheable.get() })
    }

    async fn page(&self, _: &ResultKey, call: &PageCall) -> Result<Vec<u8>, NoRows> {
        self.count("page");
        self.origin_answer(format!("{{\"revision\":{}}}", call.revision).into_bytes())
    }

    async fn options(&self, _: &ResultKey, _: &DataCall) -> Result<OptionsFound, NoRows> {
        self.count("options");
        self.origin_answer(OptionsFound { options: vec![Choice { label: "A".into(), value: json!("a") }] })
    }
}

/// Runs a future whose host never waits.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the host in memory never waits"),
    }
}

pub(crate) fn key() -> RecordKey {
    RecordKey::parse(&"a".repeat(32)).unwrap()
}
