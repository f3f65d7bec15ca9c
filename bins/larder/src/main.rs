//! Larder for operators: one-shot commands that keep a Redis or Valkey query cache healthy.

mod cli;
mod command_error;
mod commands;
mod config;
mod context;
mod global;
mod output;
mod pace;
mod stop;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command_error::usage(&error, cli::names_check(std::env::args_os())),
    };
    output::log::begin(cli.global.verbosity());
    if cli.global.quiet {
        output::message::be_quiet();
    }
    let is_check = cli.command.is_check();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => command_error::report(&error, is_check),
    }
}
