//! How much is done without a word from the operator, and what is never done.

use anyhow::{Context, ensure};
use larder_test_support::{Fate, on_every_server};

use super::{Before, Seeded, count};

const KEYS: u64 = 6_000;

/// A policy under which a tenth of the keys get a TTL, and a tenth are removed.
fn policy(limits: &str) -> String {
    format!("{}\n[limits]\n{limits}\n", larder_keyspace::Policy::guide_text().replace("[limits]", "[former]"))
}

#[tokio::test]
async fn past_a_limit_nothing_is_done_without_a_word_from_the_operator() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        let before = Before::of(&cache)?;
        let planned = count(KEYS, Fate::MissingTtl) + count(KEYS, Fate::Orphan);
        for (number, limits, words, name) in [
            (
                0,
                "max_keys = 100",
                format!("{planned} keys would be changed, and limits.max_keys allows 100"),
                "keys",
            ),
            (1, "max_share = \"5%\"", "and limits.max_share allows 5.0 %".to_owned(), "share"),
        ] {
            cache.larder.write("p.toml", &policy(limits));
            let plan = cache.larder.ends(0, &["--output", "json", "clean", "--policy", "p.toml"])?.json()?;
            ensure!(plan["limits_exceeded"][0]["limit"] == name, "{plan:#}");
            cache.larder.ends(0, &["clean", "--policy", "p.toml"])?.says("over a limit: ")?;

            let file = format!("{number}.rdb");
            let apply = ["--output", "json", "clean", "--policy", "p.toml", "--apply", "--undo-file", &file];
            let run = cache.larder.ends(1, &apply)?;
            run.says(&words)?;
            run.says("--over-limits lets it go past the limits")?;
            let refused = run.json()?;
            ensure!(refused["changed_keys"] == 0 && refused["refused"].is_string(), "{refused:#}");
            ensure!(!cache.file(&file).exists(), "a refused run leaves no undo file");
            before.is_again(&cache)?;

            let done = cache.larder.ends(0, &[apply.as_slice(), &["--over-limits"]].concat())?.json()?;
            ensure!(done["changed_keys"] == planned, "{done:#}");
            cache.undoes(&file, &before)?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_rate_past_the_limit_is_refused_and_the_limit_is_kept() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        cache.larder.configure("");
        cache.larder.write("p.toml", &policy("max_rate = 5000"));
        for rate in ["5001", "max"] {
            let run = cache.larder.ends(2, &["clean", "--policy", "p.toml", "--rate", rate])?;
            run.says("limits.max_rate of the policy allows 5000 keys a second; --over-limits goes past it")?;
        }
        let begun = std::time::Instant::now();
        cache.larder.ends(0, &["clean", "--policy", "p.toml", "--rate", "5000"])?;
        let elapsed = begun.elapsed().as_secs_f64();
        ensure!(elapsed > 1.0, "6,000 keys in {elapsed} s are more than 5,000 a second");
        cache.larder.ends(0, &["clean", "--policy", "p.toml", "--rate", "max", "--over-limits"])?;
        Ok(())
    })
    .await;
}

const PROTECTED: &str = r#"
[[family]]
name = "search"
prefix = "codebase_rag:search:"
ttl = { required = true, default = "30m" }
protected = true

[[family]]
name = "old"
prefix = "codebase_rag:old:"
protected = true
max_bytes = 1

[[family]]
name = "file"
prefix = "codebase_rag:file:"
ttl = { required = true, default = "30m" }

[orphans]
within = ["codebase_rag:draft:"]
"#;

#[tokio::test]
async fn protected_families_are_judged_and_never_touched() {
    on_every_server(async |program| {
        let cache = Seeded::start(program, KEYS)?;
        let before = Before::of(&cache)?;
        cache.larder.write("p.toml", PROTECTED);
        let apply = ["--output", "json", "clean", "--policy", "p.toml", "--apply", "--undo-file", "u.rdb"];
        let done = cache.larder.ends(0, &apply)?.json()?;
        let changed = before.changed(&cache)?;
        ensure!(done["changed_keys"] == changed.len() && !changed.is_empty(), "{done:#}");
        let touched = |prefix: &str| changed.iter().filter(|name| name.starts_with(prefix)).count();
        ensure!(
            touched("codebase_rag:file:") + touched("codebase_rag:draft:") == changed.len(),
            "{changed:?}"
        );
        ensure!(touched("codebase_rag:file:") > 0 && touched("codebase_rag:draft:") > 0, "{changed:?}");
        let lines =
            done["tasks"].as_array().into_iter().flatten().filter_map(|task| task["lines"].as_array());
        let lines: Vec<_> = lines.flatten().collect();
        for (family, reason) in [("search", "missing_ttl"), ("old", "over_size_limit")] {
            let line = lines.iter().find(|line| line["family"] == family && line["reason"] == reason);
            let line = line.with_context(|| format!("{family} is not judged: {done:#}"))?;
            ensure!(line["protected"] == true && line["action"] == "report", "{line:#}");
            ensure!(line["keys"].as_u64() > Some(0), "{line:#}");
        }
        cache.undoes("u.rdb", &before)
    })
    .await;
}
