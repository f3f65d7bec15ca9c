//! Who can read what is encrypted.

use std::{fmt, io::Cursor, sync::Arc};

use age::{Identity, IdentityFile, Recipient, x25519};
use secrecy::{ExposeSecret, SecretString};

/// Public keys to which backups are encrypted. They are no secrets.
#[derive(Clone, Default)]
pub struct Recipients {
    keys: Vec<x25519::Recipient>,
}

/// Secret keys that open what is encrypted. They are never shown.
#[derive(Clone, Default)]
pub struct Keyring {
    identities: Vec<Arc<dyn Identity + Send + Sync>>,
}

impl Recipients {
    /// Takes public keys as `age-keygen` prints them (`age1…`).
    ///
    /// # Errors
    /// The reason, in words, with the key that is none.
    pub fn parse<T: AsRef<str>>(keys: &[T]) -> Result<Self, String> {
        let parse = |key: &T| {
            let key = key.as_ref().trim();
            key.parse().map_err(|why| format!("`{key}` is no recipient of age (age1…): {why}"))
        };
        Ok(Self { keys: keys.iter().map(parse).collect::<Result<_, _>>()? })
    }

    /// Tells whether there are none, so that nothing is encrypted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns them as text.
    #[must_use]
    pub fn to_text(&self) -> Vec<String> {
        self.keys.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn as_dyn(&self) -> impl Iterator<Item = &dyn Recipient> {
        self.keys.iter().map(|key| key as &dyn Recipient)
    }
}

impl Keyring {
    /// Takes what is in a file of identities, as `age-keygen` writes it (`AGE-SECRET-KEY-1…`, and comments).
    ///
    /// # Errors
    /// The reason, in words, without anything of what is in the file.
    pub fn parse(text: &SecretString) -> Result<Self, String> {
        let file = IdentityFile::from_buffer(Cursor::new(text.expose_secret().as_bytes()))
            .map_err(|_| "it is no file of identities of age (AGE-SECRET-KEY-1…)".to_owned())?;
        let identities = file.into_identities().map_err(|_| "its identities cannot be used".to_owned())?;
        if identities.is_empty() {
            return Err("there is no identity in it (AGE-SECRET-KEY-1…)".to_owned());
        }
        let shared = |identity: Box<dyn Identity + Send + Sync>| Arc::from(identity);
        Ok(Self { identities: identities.into_iter().map(shared).collect() })
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    pub(crate) fn as_dyn(&self) -> impl Iterator<Item = &dyn Identity> {
        self.identities.iter().map(|identity| &**identity as &dyn Identity)
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recipients").field(&self.to_text()).finish()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} identities)", self.identities.len())
    }
}
