//! The configuration.

use std::fs;

use anyhow::Result;

use crate::larder::Larder;

#[test]
fn a_configuration_is_begun_checked_and_shown() -> Result<()> {
    let larder = Larder::bare();
    larder.ends(0, &["config", "init", "larder.toml"])?;
    larder.ends(2, &["config", "init", "larder.toml"])?.says("exists")?;
    larder.ends(0, &["config", "check"])?.says("larder.toml: ok")?;
    let shown = larder.ends(0, &["config", "show"])?.json()?;
    assert_eq!(shown["cache"], "redis://127.0.0.1:6379");
    assert_eq!(shown["timeout"], "2s");
    Ok(())
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_name() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.configure("cache = \"memory:sample\"\n[metrics]\nfoldr = \"m\"\n");
    for (code, command) in [(3, ["health"].as_slice()), (2, &["collect"]), (2, &["config", "check"])] {
        let run = larder.ends(code, command)?;
        run.says("larder.toml:3:1: unknown key `foldr`; is `folder` meant?")?;
    }
    Ok(())
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() -> Result<()> {
    let larder = Larder::new().with("LARDER_TIMEOUT", "3s");
    larder.write("other.toml", "timeout = \"4s\"\nretries = 7\n");
    let shown = |words: &[&str]| -> Result<serde_json::Value> { larder.ends(0, words)?.json() };
    let with_file = ["--config", "other.toml", "config", "show"];
    assert_eq!(shown(&with_file)?["timeout"], "3s");
    assert_eq!(shown(&with_file)?["retries"], 7);
    assert_eq!(shown(&["--timeout", "5s", "--config", "other.toml", "config", "show"])?["timeout"], "5s");
    Ok(())
}

#[test]
fn a_file_that_is_named_has_to_be_there() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(2, &["--config", "missing.toml", "collect"])?.says("missing.toml")?;
    larder.configure("password_file = \"p\"\npassword_command = \"c\"\n");
    larder.ends(2, &["collect"])?.says("exclude each other")?;
    larder.configure("[metrics]\ndaily_files = false\nseries = false\n");
    larder.ends(2, &["collect"])?.says("there is no history")?;
    Ok(())
}

#[test]
fn the_history_is_where_the_configuration_says() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.configure("[metrics]\nfolder = \"elsewhere\"\nseries = false\n");
    larder.ends(0, &["collect"])?;
    let names: Vec<String> = fs::read_dir(larder.folder().join("elsewhere"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    assert!(names.iter().any(|name| name.starts_with("cache_metrics_")), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("sqlite")), "{names:?}");
    Ok(())
}
