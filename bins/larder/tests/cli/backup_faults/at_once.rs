//! Several at once in one repository.

use anyhow::{Result, ensure};

use super::{Kept, started, two_programs};
use crate::larder::Run;

#[test]
fn two_backups_and_a_prune_at_once() -> Result<()> {
    for program in two_programs() {
        let kept = Kept::start(&program, 5_000)?;
        let first = kept.create()?;
        let create = ["--output", "json", "backup", "create", "--rate", "max"];
        let prune = ["backup", "prune", "--keep-last", "5", "--apply"];
        let children = [started(&kept.larder, &create)?, started(&kept.larder, &create)?];
        let pruning = started(&kept.larder, &prune)?;
        let mut made = vec![first];
        for child in children {
            let run = Run::try_from(child.wait_with_output()?)?;
            ensure!(run.code == 0, "{run:#?}");
            made.extend(run.json()?["id"].as_str().map(str::to_owned));
        }
        let pruned = Run::try_from(pruning.wait_with_output()?)?;
        ensure!(pruned.code == 0, "{pruned:#?}");
        let (mut listed, list) = (kept.sound()?, kept.list()?);
        ensure!(list["unfinished"] == serde_json::json!([]), "{list:#}");
        listed.sort();
        made.sort();
        ensure!(listed == made, "{listed:?} are listed, {made:?} were made");
    }
    Ok(())
}
