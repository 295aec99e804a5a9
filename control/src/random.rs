//! Random bytes from the operating system.

use shared::{Error, Result};

/// `N` unpredictable bytes.
///
/// # Errors
/// [`Error::Internal`] when the operating system gives none; nothing may go on without them.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(format!("no random bytes: {error}")))?;
    Ok(bytes)
}
