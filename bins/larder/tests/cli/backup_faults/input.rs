//! What is given wrong is answered with what, where, and what to do.

use anyhow::{Result, ensure};

use super::{Kept, one_program};
use crate::larder::Larder;

/// The commands that look at one backup.
const LOOKING: [&[&str]; 5] = [
    &["backup", "show"],
    &["backup", "verify"],
    &["drill"],
    &["restore", "--to", "redis://127.0.0.1:1"],
    &["restore", "--to-folder", "data"],
];

#[test]
fn a_repository_that_is_none() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.write("file", "no folder");
    let commands = LOOKING.into_iter().chain([&["backup", "list"][..], &["backup", "prune"]]);
    for command in commands {
        let at = |place| [command, &["--repository", place]].concat();
        larder.ends(2, command)?.says("no repository is named: give --repository")?;
        larder.ends(2, &at("file"))?.says("error: the repository file is a file; name a folder")?;
        larder.ends(2, &at("none"))?.says("error: there is no repository none: is the path right")?;
        larder.ends(2, &at("ftp://host/x"))?.says("`ftp://host/x` names no repository: known are")?;
        let run = larder.ends(2, &at("s3://key:hunter2@bucket/x"))?;
        run.says("credentials belong in the options")?;
        run.hides("hunter2")?;
    }
    let create = ["backup", "create", "--repository"];
    larder.ends(2, &create[..2])?.says("no repository is named")?;
    larder.ends(2, &[create.as_slice(), &["file"]].concat())?.says("the repository file is a file")?;
    for place in ["file", "none"] {
        larder.ends(3, &["backup", "check", "--repository", place])?.says(place)?;
    }
    ensure!(!larder.folder().join("none").exists(), "looking makes nothing");
    Ok(())
}

#[test]
fn a_backup_that_is_not_there() -> Result<()> {
    let kept = Kept::start(&one_program(), 10)?;
    let larder = &kept.larder;
    let empty = larder.folder().join("kept");
    std::fs::create_dir(&empty)?;
    for command in LOOKING {
        larder.ends(2, command)?.says("there is no backup at all")?;
    }
    kept.create()?;
    for command in LOOKING {
        let of = |wanted| [command, &[wanted]].concat();
        let unknown = larder.ends(2, &of("20261124_165256-0001"))?;
        unknown.says("error: repository kept: there is no backup 20261124_165256-0001")?;
        unknown.says("`larder backup list` names what is there")?;
        larder.ends(2, &of("2001-01-01"))?.says("there is no backup of 2001-01-01 23:59:59")?;
        for wrong in ["2026-13-01", "yesterday", "2026-11-24 25:00"] {
            larder
                .ends(2, &of(wrong))?
                .says(&format!("`{wrong}`: a backup is named by its id, by `latest`"))?;
        }
    }
    Ok(())
}

#[test]
fn a_wrong_argument() -> Result<()> {
    let kept = Kept::start(&one_program(), 10)?;
    let larder = &kept.larder;
    larder
        .ends(2, &["backup", "create", "--recipient", "age1x"])?
        .says("`age1x` is no recipient of age (age1…)")?;
    ensure!(!kept.repository().exists(), "nothing was begun");
    kept.create()?;
    for (words, reason) in [
        (&["backup", "create", "--level", "20"][..], "1..=19"),
        (&["backup", "create", "--source", "magic"], "replication, save, keys"),
        (&["backup", "create", "--rate", "fast"], "--rate"),
        (&["backup", "prune", "--keep-within", "soon"], "--keep-within"),
        (&["backup", "prune", "--keep-within", "1day", "--keep-days", "1"], "cannot be used with"),
        (&["restore"], "--to <URL>|--to-folder <FOLDER>"),
        (&["restore", "--to", "redis://h", "--to-folder", "f"], "cannot be used with"),
        (&["restore", "--to", "http://h"], "it begins with redis://"),
        (&["restore", "--to-folder", "f", "--overwrite"], "cannot be used with"),
        (&["restore", "--to-folder", "f", "--force"], "cannot be used with"),
        (&["restore", "--to", "redis://h", "--swap"], "cannot be used with"),
        (&["restore", "--to-folder", "f", "--prefix", "a:"], "cannot be used with"),
        (&["restore", "--to-folder", "f", "--ttl", "drop"], "cannot be used with"),
        (
            &["backup", "verify", "--identity-file", "none"],
            "the identity file none cannot be read: No such file",
        ),
    ] {
        larder.ends(2, words)?.says(reason)?;
    }
    let url = kept.server.url();
    let rename = ["restore", "--to", &url, "--rename", "from-to", "--apply"];
    larder.ends(2, &rename)?.says("--rename takes FROM=TO, and `from-to` has no `=`")?;
    larder.write("identity", "no identity");
    larder
        .ends(2, &["backup", "verify", "--identity-file", "identity"])?
        .says("the identity of backups: it is no file of identities of age")?;
    larder.write("empty", "\n");
    larder
        .ends(2, &["backup", "verify", "--identity-file", "empty"])?
        .says("the identity file empty is empty")?;
    for (place, command) in [("/nowhere", "backup verify --level load"), ("empty", "drill")] {
        let words: Vec<&str> = command.split(' ').chain(["--server", place]).collect();
        larder.ends(2, &words)?.says(&format!("{place} is no server program, and no folder with one"))?;
    }
    Ok(())
}

#[test]
fn a_newest_backup_that_is_known_to_be_bad() -> Result<()> {
    let kept = Kept::start(&one_program(), 10)?;
    let (larder, sound) = (&kept.larder, kept.create()?);
    kept.verify(&sound)?;
    let bad = kept.create()?;
    std::fs::remove_file(kept.repository().join(format!("backups/{bad}/shard-0.rdb.zst")))?;
    let url = kept.server.url();
    for target in [["--to", &url], ["--to-folder", "data"]] {
        let run = larder.ends(1, &[&["restore"][..], &target].concat())?;
        run.says(&format!("{bad} is known to be bad (backups/{bad}/shard-0.rdb.zst is not there)"))?;
        run.says(&format!("the newest that is proven is {sound}: name it by its id"))?;
        larder.ends(0, &[&["restore", sound.as_str()][..], &target].concat())?;
        larder.ends(1, &[&["restore", bad.as_str()][..], &target].concat())?;
    }
    Ok(())
}

#[test]
fn nothing_of_the_backup_is_asked_for() -> Result<()> {
    let kept = Kept::start(&one_program(), 10)?;
    kept.server.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
    kept.create()?;
    let url = kept.server.url();
    let none = kept.larder.ends(1, &restore(&url, &["--prefix", "no-such-key", "--apply"]))?;
    none.says("no key of the backup is one of those that were asked for (10: another name")?;
    none.says("nothing was changed")?;
    none.says("recovery report: ")?;
    ensure!(none.json()?["safety_backup"].is_null());
    for (more, functions) in
        [(&[][..], 1), (&["--type", "string"], 0), (&["--type", "string", "--functions"], 1)]
    {
        let plan = kept.larder.ends(0, &restore(&url, more))?.json()?;
        ensure!(plan["plan"]["functions"] == functions, "{more:?}: {plan:#}");
    }
    Ok(())
}

fn restore<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--output", "json", "restore", "--to", url][..], more].concat()
}

const LIBRARY: &str = "#!lua name=input\nredis.register_function('answer', function() return 42 end)";

#[test]
fn no_server_to_load_it_with() -> Result<()> {
    let mut kept = Kept::start(&one_program(), 10)?;
    kept.create()?;
    kept.larder = kept.larder.with("PATH", "/nowhere");
    for command in [&["backup", "verify", "--level", "load"][..], &["drill"]] {
        let run = kept.larder.ends(2, command)?;
        run.says("there is no redis-server or valkey-server to load it with: name a program or its folder with --server")?;
    }
    let list = kept.list()?;
    ensure!(list["backups"][0]["verifications"] == serde_json::json!([]), "no proof was noted: {list:#}");
    Ok(())
}

#[test]
fn a_configuration_that_is_wrong() -> Result<()> {
    let larder = Larder::of("memory:sample");
    for (text, place, words) in [
        ("[backup]\nrepositry = \"x\"\n", "larder.toml:2:", "`repository`"),
        ("[backup.keep]\ndayly = 3\n", "larder.toml:2:", "`daily`"),
        ("[backup.check]\nage_warning = \"soon\"\n", "larder.toml:2:", "soon"),
        ("[backup]\nsource = \"magic\"\n", "larder.toml:2:", "replication"),
        ("[backup.storage]\nendpont = \"x\"\n", "larder.toml:2:", "`endpoint`"),
    ] {
        larder.configure(text);
        let run = larder.ends(2, &["backup", "list"])?;
        run.says(place)?;
        run.says(words)?;
    }
    larder.configure("[backup]\nrepository = \"kept\"\nrecipients = [\"age1x\"]\n");
    larder.ends(2, &["backup", "create"])?.says("`age1x` is no recipient of age")?;
    Ok(())
}

#[test]
fn the_latest_of_several_caches_is_asked_for_by_id() -> Result<()> {
    let (one, other) = (Kept::start(&one_program(), 10)?, Kept::start(&one_program(), 10)?);
    one.create()?;
    let url = other.server.url();
    one.larder.ends(0, &["--cache", &url, "backup", "create", "--rate", "max"])?;
    for words in
        [&["backup", "show", "latest"][..], &["restore", "latest", "--to-folder", "data"], &["drill"]]
    {
        let run = one.larder.ends(1, &[&["--cache", "redis://127.0.0.1:1"], words].concat())?;
        run.says("choosing a backup is refused: there are backups of several caches: ")?;
        run.says("name the backup by its id")?;
    }
    one.larder.ends(0, &["--cache", &url, "backup", "show", "latest"])?.says(&url)
}
