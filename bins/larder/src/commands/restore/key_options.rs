//! Which keys are brought back, and how, as the command line says it.

use std::sync::Arc;

use anyhow::Result;
use larder_backup::{Existing, LiveRestoreOptions, Rename, TtlChoice};
use larder_cache_client::CacheUrl;
use larder_rdb::Kind as KeyKind;

use super::{KeyArgs, TtlName, TypeName};
use crate::{command_error::UsageError, commands::backup::family_of, config::Settings};

pub(super) fn key_options(args: &KeyArgs, url: &CacheUrl, settings: &Settings) -> Result<LiveRestoreOptions> {
    if args.exact {
        check_exact(args, url)?;
    }
    let mut options = LiveRestoreOptions::default();
    if !args.databases.is_empty() {
        options.filter.databases = Some(args.databases.iter().copied().collect());
    }
    if !args.types.is_empty() {
        options.filter.types = Some(args.types.iter().map(|name| KeyKind::from(*name)).collect());
    }
    options.filter.keys = name_filter(args, settings)?;
    options.rename = args.rename.as_deref().map(rename).transpose()?;
    options.ttl = match args.ttl {
        TtlName::Keep => TtlChoice::Keep,
        TtlName::Rebase => TtlChoice::Rebase,
        TtlName::Drop => TtlChoice::Drop,
    };
    options.exact = args.exact;
    options.existing = if args.overwrite || args.exact { Existing::Overwrite } else { Existing::Leave };
    options.databases.into_database = args.into_database;
    let is_part = !(args.families.is_empty() && args.prefixes.is_empty() && args.types.is_empty());
    options.functions = !args.no_functions && (!is_part || args.functions);
    Ok(options)
}

/// With a part of the backup, or other TTLs, it is not defined what the backup does not have.
fn check_exact(args: &KeyArgs, url: &CacheUrl) -> Result<()> {
    if !matches!(args.ttl, TtlName::Keep) {
        return Err(
            UsageError("--exact keeps TTLs as they are in the backup: leave --ttl out".to_owned()).into()
        );
    }
    let named = u64::from(url.database());
    let is_the_named_one = named > 0 && args.databases.iter().all(|database| *database == named);
    if args.databases.is_empty() || is_the_named_one {
        return Ok(());
    }
    let words = "--exact goes with --database only where the URL of the cache names the same database, as in \
                 `--to redis://HOST/3 --database 3`";
    Err(UsageError(words.to_owned()).into())
}

type Holds = dyn Fn(&[u8]) -> bool + Send + Sync;

fn name_filter(args: &KeyArgs, settings: &Settings) -> Result<Option<Arc<Holds>>> {
    if args.families.is_empty() && args.prefixes.is_empty() {
        return Ok(None);
    }
    let family_of = family_of(settings)?;
    let (families, prefixes) = (args.families.clone(), args.prefixes.clone());
    Ok(Some(Arc::new(move |key: &[u8]| {
        let of_family = families.is_empty() || families.iter().any(|family| *family == family_of(key));
        let begins_so =
            prefixes.is_empty() || prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes()));
        of_family && begins_so
    })))
}

fn rename(text: &str) -> Result<Rename> {
    let Some((from, to)) = text.split_once('=') else {
        return Err(UsageError(format!("--rename takes FROM=TO, and `{text}` has no `=`")).into());
    };
    Ok(Rename { from_prefix: from.into(), to_prefix: to.into() })
}

impl From<TypeName> for KeyKind {
    fn from(name: TypeName) -> Self {
        match name {
            TypeName::String => Self::String,
            TypeName::List => Self::List,
            TypeName::Set => Self::Set,
            TypeName::Zset => Self::SortedSet,
            TypeName::Hash => Self::Hash,
            TypeName::Stream => Self::Stream,
        }
    }
}
