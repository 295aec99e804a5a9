//! Visitors of links, who go on while something else is done to those links.

use crate::installation::{Installation, Made};
use crate::load::{Connection, Request, path};
use crate::seed;
use anyhow::{Result, anyhow, bail};
use shared::model::grant::{self, Grant};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

/// Connections that visit at once.
const VISITORS: usize = 6;

const LIVE: u8 = 0;
const REVOKING: u8 = 1;
const DEAD: u8 = 2;

/// A link that is visited until it is dead.
pub struct Link {
    /// The share.
    pub id: String,
    visit: Request,
    state: AtomicU8,
}

impl Link {
    /// One that opens for anybody.
    pub fn public(made: &Made) -> Self {
        Self::new(made, "")
    }

    /// One with a password, and a visitor who has typed it already: an isolate compares but two a second.
    pub fn unlocked(made: &Made) -> Result<Self> {
        let grant = Grant { share: made.id.parse()?, generation: 1, version: 1 };
        let grant =
            grant::issue(&seed::ring()?, grant, tests::signed::now()).ok_or_else(|| anyhow!("a grant"))?;
        Ok(Self::new(made, &format!("authorization: Bearer {grant}\r\n")))
    }

    fn new(made: &Made, headers: &str) -> Self {
        let visit = Request::get(&path(&made.token, "resolve"), headers);
        Self { id: made.id.clone(), visit, state: AtomicU8::new(LIVE) }
    }

    /// Visits it, and tells whether there is anything to visit.
    ///
    /// # Errors
    /// When it opens after it was said to be dead, or does not before.
    fn visit(&self, connection: &mut Connection) -> Result<bool> {
        let before = self.state.load(Ordering::SeqCst);
        if before == DEAD {
            return Ok(false);
        }
        let (status, body) = connection.call(&self.visit)?;
        let after = self.state.load(Ordering::SeqCst);
        match status {
            200 => Ok(true),
            401 if after != LIVE => Ok(true),
            _ => bail!("status {status} of a live link: {}", String::from_utf8_lossy(&body)),
        }
    }

    /// Revokes it by `revoke`, which returns when it is said to be dead, and visits it once more.
    ///
    /// # Errors
    /// When it still opens.
    pub fn revoke<T>(&self, edge: &mut Connection, revoke: impl FnOnce() -> Result<T>) -> Result<T> {
        self.state.store(REVOKING, Ordering::SeqCst);
        let told = revoke()?;
        self.state.store(DEAD, Ordering::SeqCst);
        match edge.call(&self.visit)? {
            (401, _) => Ok(told),
            (status, _) => bail!("status {status} of a link whose revocation was acknowledged"),
        }
    }
}

/// Does `work` while visitors go round these links, of which some must stay live; tells how many visits that were.
pub fn visited<T>(
    installation: &Installation,
    links: &[&Link],
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, usize)> {
    let (stop, address) = (AtomicBool::new(false), installation.edge.address());
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..VISITORS)
            .map(|visitor| {
                let (stop, address) = (&stop, &address);
                scope.spawn(move || -> Result<usize> {
                    let mut connection = Connection::open(address)?;
                    let mut visits = 0;
                    for link in links.iter().cycle().skip(visitor * links.len() / VISITORS) {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        visits += usize::from(link.visit(&mut connection)?);
                    }
                    Ok(visits)
                })
            })
            .collect();
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let mut visits = 0;
        for visitor in visitors {
            visits += visitor.join().map_err(|_| anyhow!("a visitor's thread ended"))??;
        }
        Ok((done?, visits))
    })
}
