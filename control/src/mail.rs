//! Mail out: rows of the outbox become messages, and messages go to a mail server by SMTP, or into a folder for whoever tries Postern
//! out. What is mailed is enqueued in the transaction of what it is about; a mail server that is down or slow holds nobody up.

mod message;
mod transport;

use crate::clock::Clock;
use crate::manage;
use crate::random;
use crate::service::Service;
use crate::store;
use crate::store::mail::{Kind, Mail};
use futures_util::future::join_all;
use message::Content;
use shared::Result;
use shared::model::code::{Code, Subject};
use shared::time::Millis;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use transport::Failure;
pub(crate) use transport::Transport;

/// How often the loop looks by itself.
const POLL: Duration = Duration::from_secs(1);
/// Mails that are sent at once.
const AT_ONCE: u32 = 8;
/// First pause after a mail that could not be sent; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The way out for mail.
pub(crate) struct Post {
    transport: Option<Transport>,
    wake: Notify,
}

impl Post {
    /// Mails nothing without a transport.
    pub(crate) fn new(transport: Option<Transport>) -> Self {
        Self { transport, wake: Notify::new() }
    }

    /// Can mail go out?
    pub(crate) const fn is_configured(&self) -> bool {
        self.transport.is_some()
    }

    /// There is something to do.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Gives codes to those who asked, and sends what is to be mailed, until `stop` says so.
pub(crate) async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = service.mail.wake.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        if let Err(error) = round(&service).await {
            tracing::warn!(%error, "mail waits");
        }
    }
}

/// Does all that is due.
pub(crate) async fn round(service: &Service) -> Result<()> {
    if is_idle(service).await? {
        return Ok(());
    }
    while manage::portal::issue_code(service).await? {}
    let Some(transport) = &service.mail.transport else { return Ok(()) };
    loop {
        let mut session = service.store.write().await?;
        let mails = store::mail::claim(&mut session, AT_ONCE, service.clock.now()).await?;
        session.commit().await?;
        if mails.is_empty() {
            return Ok(());
        }
        let sent = join_all(mails.iter().map(|mail| send(service, transport, mail))).await;
        sent.into_iter().collect::<Result<Vec<()>>>()?;
    }
}

/// Is there nothing to do? Found out without a writer's turn.
async fn is_idle(service: &Service) -> Result<bool> {
    let mut session = service.store.read().await?;
    let (waiting, mails) =
        (store::portal::waiting(&mut session).await?, store::mail::backlog(&mut session).await?);
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!("postern_mail_backlog").set(mails as f64);
    Ok(waiting == 0 && mails == 0)
}

/// Sends one mail and settles its row, or postpones it.
async fn send(service: &Service, transport: &Transport, mail: &Mail) -> Result<()> {
    let now = service.clock.now();
    let content = if now < mail.expires_at { content(service, mail, now).await? } else { None };
    let outcome = match content {
        // Nobody has use for it any more.
        None => Ok("dropped"),
        Some(content) => match message::build(service, transport, mail, &content) {
            // What cannot be built now can never be.
            Err(error) => {
                tracing::error!(mail = %mail.id, kind = mail.kind.name(), %error, "a mail cannot be written");
                Ok("dropped")
            }
            Ok(message) => match transport.send(message).await {
                Ok(()) => Ok("sent"),
                Err(Failure::Refused) => Ok("refused"),
                Err(Failure::Later(reason)) => Err(reason),
            },
        },
    };
    let mut session = service.store.write().await?;
    match outcome {
        Ok(outcome) => {
            metrics::counter!("postern_mails_total", "outcome" => outcome).increment(1);
            store::mail::settle(&mut session, mail.id).await?;
        }
        Err(reason) => {
            metrics::counter!("postern_mails_total", "outcome" => "failed").increment(1);
            tracing::warn!(mail = %mail.id, kind = mail.kind.name(), %reason, "a mail was not sent");
            store::mail::postpone(&mut session, mail.id, next_try(&service.clock, mail.attempts)?).await?;
        }
    }
    session.commit().await
}

/// When to try again: each pause is twice as long as the one before, less up to a quarter, so that not all come at once.
fn next_try(clock: &Clock, attempts: u64) -> Result<Millis> {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.min(8)).min(LONGEST_PAUSE);
    let [share] = random::bytes::<1>()?;
    Ok(clock.now().plus(doubled.saturating_sub(doubled / 4 * u32::from(share) / 255)))
}

/// What a mail says; `None` when that is out of date.
async fn content(service: &Service, mail: &Mail, now: Millis) -> Result<Option<Content>> {
    let mut session = service.store.read().await?;
    match mail.kind {
        Kind::Code => {
            let found = store::portal::code_for_mail(&mut session, mail.subject, now).await?;
            let Some((issued, organization)) = found else { return Ok(None) };
            let organization = store::organization::find(&mut session, organization).await?;
            let subject = Subject { organization: organization.id, address: &mail.address };
            let code = Code::derive(&service.ring.current, issued.id, &issued.nonce, subject);
            Ok(Some(Content::code(&code, &organization, &service.public_url)))
        }
        Kind::FirstOpening => {
            let Some(share) = store::share::any(&mut session, mail.subject).await? else { return Ok(None) };
            let organization = store::organization::find(&mut session, share.organization_id).await?;
            Ok(Some(Content::first_opening(&share.name, &organization)))
        }
    }
}

/// A mail server's URL or a folder, as the operator gave them.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn transport(
    smtp_url: Option<&str>,
    folder: Option<&std::path::Path>,
    from: &str,
) -> Result<Option<Transport>, String> {
    match (smtp_url, folder) {
        (None, None) => Ok(None),
        (Some(url), None) => Transport::smtp(url, from).map(Some),
        (None, Some(folder)) => Transport::folder(folder, from).map(Some),
        (Some(_), Some(_)) => Err("POSTERN_SMTP_URL and POSTERN_MAIL_DIR exclude one another".to_owned()),
    }
}

impl From<lettre::error::Error> for message::Unwritable {
    fn from(error: lettre::error::Error) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let clock = Clock::System;
        for (attempts, longest) in [(0, 1_000), (1, 2_000), (4, 16_000), (5, 30_000), (400, 30_000)] {
            let before = clock.now();
            let pause = next_try(&clock, attempts).unwrap().0 - before.0;
            assert!((longest * 3 / 4 - 1..=longest + 100).contains(&pause), "{attempts}: {pause}");
        }
    }

    #[test]
    fn a_mail_server_and_a_folder_exclude_one_another() {
        let folder = std::path::Path::new("/");
        assert!(transport(Some("smtp://localhost"), Some(folder), "a@b.com").is_err());
        assert!(transport(None, None, "a@b.com").unwrap().is_none());
    }
}
