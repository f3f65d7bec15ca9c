//! Encrypted backups on a command line: who opens them, and what nobody gets to see.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use age::x25519::Identity;
use anyhow::{Context, Result, ensure};
use secrecy::ExposeSecret;

use super::{Kept, at_the_moment, files, one_program, press_ctrl_c, started};
use crate::larder::Larder;

/// A cache whose backups are encrypted, and the identity that opens them.
struct Sealed {
    kept: Kept,
    secret: String,
}

impl Sealed {
    fn start(keys: u64) -> Result<Self> {
        let identity = Identity::generate();
        let kept = Kept::start(&one_program(), keys)?;
        kept.larder.configure(&format!("[backup]\nrecipients = [\"{}\"]\n", identity.to_public()));
        Ok(Self { kept, secret: identity.to_string().expose_secret().to_owned() })
    }

    fn larder(&self) -> &Larder {
        &self.kept.larder
    }
}

fn rights(path: &Path) -> Result<u32> {
    Ok(path.metadata()?.permissions().mode() & 0o777)
}

/// Nobody else may look into any of these.
fn are_private(folder: &Path) -> Result<()> {
    // What comes out of an archive keeps its rights, in a folder that nobody else can enter.
    let (unpacked, own): (Vec<_>, Vec<_>) =
        files(folder)?.into_iter().partition(|file| file.to_string_lossy().contains("/restored-"));
    for top in unpacked
        .iter()
        .filter_map(|file| file.ancestors().find(|above| above.parent().is_some_and(|above| above == folder)))
    {
        ensure!(rights(top)? == 0o700, "{} is {:o}", top.display(), rights(top)?);
    }
    for file in own {
        ensure!(rights(&file)? == 0o600, "{} is {:o}", file.display(), rights(&file)?);
        let above = file.parent().context("a folder")?;
        ensure!(rights(above)? == 0o700, "{} is {:o}", above.display(), rights(above)?);
    }
    Ok(())
}

#[test]
fn without_the_identity_nothing_is_opened() -> Result<()> {
    let sealed = Sealed::start(500)?;
    let id = sealed.kept.create()?;
    let url = sealed.kept.server.url();
    let stranger = sealed.larder().write("stranger", Identity::generate().to_string().expose_secret());
    let stranger = stranger.display().to_string();
    for command in [
        &["backup", "verify", "latest"][..],
        &["drill"],
        &["restore", "--to", &url],
        &["restore", "--to", &url, "--apply"],
        &["restore", "--to-folder", "data"],
        &["restore", "--to-folder", "data", "--apply"],
    ] {
        let run = sealed.larder().ends(1, command)?;
        run.says("is encrypted: no identity was given")?;
        run.says("hint: the identity comes from --identity-file")?;
        let run = sealed.larder().ends(1, &[command, &["--identity-file", &stranger]].concat())?;
        run.says("is encrypted: none of the identities given opens it")?;
    }
    ensure!(files(&sealed.larder().folder().join("data"))?.is_empty(), "something was left in the folder");
    sealed.larder().ends(0, &["backup", "verify", &id, "--level", "checksum"])?;
    let shown = sealed.larder().ends(0, &["--output", "json", "backup", "show"])?;
    shown.hides("codebase_rag")?;
    ensure!(shown.json()?["encryption"]["recipients"].is_array(), "{shown:#?}");
    Ok(())
}

#[test]
fn the_identity_is_shown_nowhere() -> Result<()> {
    let sealed = Sealed::start(500)?;
    sealed.kept.create()?;
    let text = format!("# created: 2026-11-24\n{}\n", sealed.secret);
    let file = sealed.larder().write("identity", &text).display().to_string();
    let words = ["-vv", "backup", "verify", "--rate", "max"];
    let by_file = sealed.larder().ends(0, &[words.as_slice(), &["--identity-file", &file]].concat())?;
    by_file.hides(&sealed.secret)?;

    let by_environment = sealed.kept.larder.command(&words).env("LARDER_BACKUP_IDENTITY", &text).output()?;
    let by_environment = crate::larder::Run::try_from(by_environment)?;
    ensure!(by_environment.code == 0, "{by_environment:#?}");
    by_environment.hides(&sealed.secret)?;

    // A command prints what age-keygen writes: comments first.
    let public = sealed.secret.parse::<Identity>().map_err(anyhow::Error::msg)?.to_public();
    sealed.larder().configure(&format!(
        "[backup]\nrecipients = [\"{public}\"]\nidentity_command = \"cat identity\"\nreport_folder = \"reports\"\n"
    ));
    let (url, folder) = (sealed.kept.server.url(), "data");
    for command in [
        &words[..],
        &["-vv", "restore", "--to", &url, "--apply"],
        &["-vv", "restore", "--to-folder", folder, "--apply"],
        &["-vv", "config", "show"],
    ] {
        sealed.larder().ends(0, command)?.hides(&sealed.secret)?;
    }
    for place in ["kept", "data", "reports"] {
        let place = sealed.larder().folder().join(place);
        ensure!(!files(&place)?.is_empty(), "there is nothing in {}", place.display());
        are_private(&place)?;
        for path in files(&place)? {
            let bytes = fs::read(&path)?;
            let secret = sealed.secret.as_bytes();
            ensure!(!bytes.windows(secret.len()).any(|part| part == secret), "it is in {}", path.display());
        }
    }
    Ok(())
}

#[test]
fn the_identity_is_in_no_list_of_processes() -> Result<()> {
    let sealed = Sealed::start(20_000)?;
    sealed.kept.create()?;
    let file = sealed.larder().write("identity", &sealed.secret).display().to_string();
    let staging = sealed.larder().folder().join("data/.larder-restore/shard-0.rdb");
    let words = ["restore", "--to-folder", "data", "--apply", "--identity-file", &file];
    let process = started(sealed.larder(), &words)?;
    let mut line = Vec::new();
    at_the_moment(
        process,
        "the copy",
        || Ok(staging.exists()),
        |child| {
            line = fs::read(format!("/proc/{}/cmdline", child.id()))?;
            press_ctrl_c(child)
        },
    )?;
    let line = String::from_utf8_lossy(&line).into_owned();
    ensure!(line.contains("identity") && !line.contains("AGE-SECRET-KEY"), "{line}");
    Ok(())
}
