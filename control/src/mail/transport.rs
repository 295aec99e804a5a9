//! Where mail goes: a mail server, or a folder of `.eml` files.

use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::path::Path;
use std::time::Duration;

/// Longest that one step of a conversation with a mail server may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest that a whole mail may take. Shorter than [`crate::store::mail::CLAIM`].
const LONGEST: Duration = Duration::from_mins(1);

/// The way that mails take, and whom they are from.
pub(crate) struct Transport {
    way: Way,
    from: Mailbox,
}

/// Why a mail was not taken.
pub(super) enum Failure {
    /// It never will be: no such mailbox, or it is not wanted.
    Refused,
    /// Trying again may help; the reason is for the log and names no recipient.
    Later(String),
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(AsyncFileTransport<Tokio1Executor>),
}

impl Transport {
    /// A mail server: `smtp://host:25`, `smtps://user:password@host:465`, `smtp://user:password@host:587?tls=required`.
    pub(super) fn smtp(url: &str, from: &str) -> Result<Self, String> {
        // The URL may hold a password: the reason must not repeat it.
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| {
            "POSTERN_SMTP_URL must be smtp://host:port or smtps://user:password@host".to_owned()
        })?;
        Ok(Self { way: Way::Smtp(builder.timeout(Some(PATIENCE)).build()), from: mailbox(from)? })
    }

    /// A folder that is there.
    pub(super) fn folder(folder: &Path, from: &str) -> Result<Self, String> {
        if !folder.is_dir() {
            return Err("POSTERN_MAIL_DIR is no folder".to_owned());
        }
        Ok(Self { way: Way::Folder(AsyncFileTransport::new(folder)), from: mailbox(from)? })
    }

    /// Whom mails are from.
    pub(super) const fn from(&self) -> &Mailbox {
        &self.from
    }

    /// Hands a mail over.
    pub(super) async fn send(&self, message: Message) -> Result<(), Failure> {
        let handed = async {
            match &self.way {
                Way::Smtp(smtp) => match smtp.send(message).await {
                    Ok(_) => Ok(()),
                    Err(error) if error.is_permanent() => Err(Failure::Refused),
                    Err(error) => Err(Failure::Later(match error.status() {
                        Some(code) => format!("the mail server answered {code}"),
                        None if error.is_timeout() => "the mail server took too long".to_owned(),
                        None => "the mail server cannot be reached".to_owned(),
                    })),
                },
                Way::Folder(folder) => {
                    folder.send(message).await.map(drop).map_err(|error| Failure::Later(error.to_string()))
                }
            }
        };
        tokio::time::timeout(LONGEST, handed)
            .await
            .unwrap_or_else(|_| Err(Failure::Later("the mail server took too long".to_owned())))
    }
}

fn mailbox(from: &str) -> Result<Mailbox, String> {
    from.parse().map_err(|error: AddressError| format!("POSTERN_MAIL_FROM is no address: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls_and_senders_are_checked_and_never_repeated() {
        for good in
            ["smtp://localhost:2525", "smtps://u:hunter2@mail.example.com", "smtp://h:587?tls=required"]
        {
            assert!(Transport::smtp(good, "Postern <postern@localhost>").is_ok(), "{good}");
        }
        for bad in ["", "localhost", "http://hunter2@h", "smtp://u:hunter2@"] {
            let refused = Transport::smtp(bad, "postern@localhost").err().unwrap();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        for bad in ["", "postern", "a@b.com\r\nBcc: c@d.com"] {
            assert!(Transport::smtp("smtp://localhost", bad).is_err(), "{bad:?}");
        }
    }
}
