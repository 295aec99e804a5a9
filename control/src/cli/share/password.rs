//! `postern share password`

use super::{Printer, Whose, print_one};
use crate::manage::password as manage;
use crate::service::Service;
use clap::Subcommand;
use shared::face::dashboard::manage::PasswordIn;
use shared::model::password::Typed;
use shared::model::share::TargetKind;
use shared::{Error, Result};
use std::io::{BufRead, stdin};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set it: viewers must give it, also those who gave another one before.
    Set {
        #[command(flatten)]
        whose: Whose,
        /// The share's id.
        id: Uuid,
        /// Read it from standard input, one line. There is no other way: arguments are seen by other users of the machine.
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Remove it.
    Remove {
        #[command(flatten)]
        whose: Whose,
        /// The share's id.
        id: Uuid,
    },
    /// Count the guesses anew: a lock ends.
    ResetAttempts {
        #[command(flatten)]
        whose: Whose,
        /// The share's id.
        id: Uuid,
    },
}

pub(super) async fn run(service: &Service, command: Command, printer: &Printer) -> Result<()> {
    let done = match command {
        Command::Set { whose, id, password_stdin: _ } => {
            let input = PasswordIn { password: from_stdin()? };
            manage::set(service, &whose.actor(service).await?, TargetKind::SHARED, id, input).await?
        }
        Command::Remove { whose, id } => {
            manage::remove(service, &whose.actor(service).await?, TargetKind::SHARED, id).await?
        }
        Command::ResetAttempts { whose, id } => {
            manage::reset_attempts(service, &whose.actor(service).await?, TargetKind::SHARED, id).await?
        }
    };
    print_one(service, printer, &done.body);
    Ok(())
}

/// The first line of standard input.
pub(super) fn from_stdin() -> Result<Typed> {
    read(stdin().lock())
}

/// One line without its end; nothing else is trimmed.
fn read(mut input: impl BufRead) -> Result<Typed> {
    let mut line = String::new();
    input
        .read_line(&mut line)
        .map_err(|error| Error::invalid("/password", format!("cannot be read: {error}")))?;
    let line = line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Typed(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_without_its_end() {
        let check = |input: &[u8], expected: &str| {
            assert_eq!(read(input).unwrap(), Typed(expected.to_owned()), "{input:?}");
        };
        check(b"correct horse\n", "correct horse");
        check(b" correct horse \r\nbattery\n", " correct horse ");
        check(b"correct horse", "correct horse");
        check(b"", "");
        assert!(read(&b"\xff\n"[..]).is_err());
    }
}
