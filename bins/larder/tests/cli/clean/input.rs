//! Policies, arguments and undo files that are wrong.

use std::fs;

use anyhow::{Result, ensure};
use larder_test_support::on_every_server;

use super::{Before, Seeded};
use crate::larder::Larder;

const FAMILY: &str = "[[family]]\nprefix = \"app:\"\n";

#[test]
fn a_policy_that_is_wrong_is_refused_with_place_and_reason() -> Result<()> {
    let larder = Larder::of("memory:sample");
    for (text, place, words) in [
        (format!("{FAMILY}\n[[family]]\nprefix = \"app:search:\"\n"), "5:", "overlap"),
        (format!("{FAMILY}ttl = {{ default = \"30 min.\" }}\n"), "3:", "30 min."),
        (format!("{FAMILY}max_bytes = \"3 parsecs\"\n"), "3:", "3 parsecs"),
        (format!("{FAMILY}ownr = \"me\"\n"), "3:1: ", "`owner`"),
        ("[[family]]\npattern = \"*\"\n".to_owned(), "2:", "every key"),
        ("[[family]]\nprefix = \"\"\n".to_owned(), "2:", "empty"),
        ("[[family]]\nprefix = \"a\n".to_owned(), "2:", ""),
        (String::new(), "1:", "family"),
    ] {
        larder.write("p.toml", &text);
        for command in
            [["clean", "--policy", "p.toml"].as_slice(), &["clean", "--policy", "p.toml", "--apply"]]
        {
            let run = larder.ends(2, command)?;
            ensure!(run.stdout.is_empty() && run.stderr.lines().count() == 1, "one line: {run:#?}");
            run.says(&format!("error: p.toml:{place}"))?;
            run.says(words)?;
        }
    }
    ensure!(!larder.folder().join("undo").exists());
    Ok(())
}

#[test]
fn a_policy_that_is_not_there() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder
        .ends(2, &["clean", "--policy", "none.toml"])?
        .says("the policy none.toml cannot be read: No such file")?;
    larder.ends(2, &["clean"])?.says("no policy: name a file or `guide` with --policy")?;
    larder.configure("[clean]\npolicy = \"none.toml\"\n");
    larder.ends(2, &["clean"])?.says("the policy none.toml cannot be read")?;
    // What lies here, what is configured, what is named: each goes before the one that was mentioned earlier.
    larder.configure("");
    larder.write("policy.toml", FAMILY);
    larder.ends(0, &["clean"])?.says("by policy.toml:")?;
    larder.configure("[clean]\npolicy = \"guide\"\n");
    larder.ends(0, &["clean"])?.says("guide")?;
    larder.ends(0, &["clean", "--policy", "policy.toml"])?.says("by policy.toml:")
}

#[test]
fn a_wrong_argument() -> Result<()> {
    let larder = Larder::of("memory:sample");
    for (words, reason) in [
        (["--rate", "0"], "keys a second, from 1 on"),
        (["--rate", "fast"], "keys a second, from 1 on"),
        (["--task", "nonsense"], "the tasks are ttl, orphans, memory, history, integrity"),
        (["--values", "200%"], "it is a share from 0% to 100%"),
        (["--examples", "many"], "--examples"),
    ] {
        let run = larder.ends(2, &[["clean", "--policy", "guide"].as_slice(), &words].concat())?;
        run.says(reason)?;
    }
    larder.ends(2, &["undo"])?.says("<FILE>")?;
    larder.ends(2, &["undo", "u.rdb", "--rate", "0"])?.says("keys a second, from 1 on")?;
    larder.configure("[clean]\nrate = \"fast\"\n");
    larder.ends(2, &["clean", "--policy", "guide"])?.says("clean.rate is `fast`")?;
    larder.configure("[clean]\ntasks = [\"nonsense\"]\n");
    larder.ends(2, &["clean", "--policy", "guide"])?.says("larder.toml:2:")
}

#[test]
fn a_file_that_is_no_undo_file() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(2, &["undo", "none.rdb"])?.says("none.rdb cannot be opened: No such file")?;
    larder.write("text.rdb", "this is no undo file");
    larder.write("empty.rdb", "");
    larder.write("begun.rdb", "REDIS00");
    fs::create_dir(larder.folder().join("folder.rdb"))?;
    for (name, words) in [
        ("text.rdb", "text.rdb is refused: not an RDB file"),
        ("empty.rdb", "empty.rdb ends before its first key: whoever wrote it had changed nothing by then"),
        ("begun.rdb", "begun.rdb ends before its first key"),
        ("folder.rdb", "folder.rdb"),
    ] {
        for apply in [["undo", name].as_slice(), &["undo", name, "--apply"]] {
            larder.ends(1, apply)?.says(words)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_undo_file_of_something_else() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, 1_000)?;
        let before = Before::of(&cache)?;
        cache.server.run::<()>(&["SAVE"])?;
        fs::copy(cache.server.folder().join("dump.rdb"), cache.file("dump.rdb"))?;
        let run = cache.larder.ends(1, &["undo", "dump.rdb", "--apply"])?;
        run.says("dump.rdb is no undo file of this version of Larder")?;

        cache.larder.ends(0, &["clean", "--policy", "guide", "--apply", "--undo-file", "u.rdb"])?;
        let other = Seeded::start(program, 0)?;
        fs::copy(cache.file("u.rdb"), other.file("u.rdb"))?;
        let of_another = format!("u.rdb is of {}, not of {}", cache.server.url(), other.server.url());
        other.larder.ends(2, &["undo", "u.rdb"])?.says(&of_another)?;
        other
            .larder
            .ends(2, &["undo", "u.rdb", "--apply"])?
            .says("--any-cache gives its keys to this one")?;
        ensure!(other.keys()? == 0, "nothing was given to another cache");
        let given = other.larder.ends(0, &["--output", "json", "undo", "u.rdb", "--apply", "--any-cache"])?;
        ensure!(given.json()?["restored"] == other.keys()? && other.keys()? > 0, "{given:#?}");
        cache.undoes("u.rdb", &before)
    })
    .await;
}
