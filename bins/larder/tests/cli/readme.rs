//! The README's commands work.

use anyhow::{Context, Result, ensure};

use crate::larder::Larder;

const README: &str = include_str!("../../../../README.md");

/// The lines of the README's shell blocks that run `larder`.
fn commands() -> Vec<&'static str> {
    let blocks = README.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    blocks
        .flat_map(str::lines)
        .filter(|line| line.starts_with("larder ") || line.contains("cargo run"))
        .collect()
}

#[test]
fn every_command_of_the_readme_works() -> Result<()> {
    let commands = commands();
    ensure!(commands.len() >= 6, "{commands:?}");
    // The README's own `config init` writes the configuration, so there is none; how busy the machine is may be said.
    let larder = Larder::bare().with("LARDER_CACHE", "memory:sample");
    larder.ends(0, &["collect"])?;
    for command in commands {
        let words = command.trim_start_matches("cargo run --release -- ").trim_start_matches("larder ");
        let words = words.split(" > ").next().context("a command")?;
        // Servers of the examples are not there; the data set that is built in stands for them.
        let words = words.replace("redis://127.0.0.1:6379", "memory:sample");
        let words: Vec<&str> = words.split_whitespace().collect();
        let most = if words.contains(&"health") { 2 } else { 0 };
        let run = larder.run(&words)?;
        ensure!(run.code <= most, "{command}: {run:#?}");
    }
    Ok(())
}
