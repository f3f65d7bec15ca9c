//! A limit as people write it.

use anyhow::Result;
use bytesize::ByteSize;
use larder_maintenance::ChartUnit;

use crate::command_error::UsageError;

/// Reads a limit of a metric of that unit: `4GiB` of bytes, `95%` of a share, a number of anything.
pub(super) fn read(text: &str, unit: ChartUnit) -> Result<f64> {
    let wrong = || {
        UsageError(format!(
            "--limit {text}: it is a number, a size such as 4GiB for bytes, or 95% for a share"
        ))
    };
    let value = match unit {
        ChartUnit::Bytes | ChartUnit::BytesPerSecond =>
        {
            #[expect(clippy::cast_precision_loss, reason = "a line on a chart")]
            text.parse::<ByteSize>().map(|size| size.as_u64() as f64).map_err(|_| wrong())?
        }
        ChartUnit::Share if text.ends_with('%') => {
            text.trim_end_matches('%').trim().parse::<f64>().map_err(|_| wrong())? / 100.0
        }
        _ => text.trim().parse::<f64>().map_err(|_| wrong())?,
    };
    if value.is_finite() { Ok(value) } else { Err(wrong().into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_in_the_unit_of_the_metric() {
        for (text, unit, value) in [
            ("4GiB", ChartUnit::Bytes, 4_294_967_296.0),
            ("1024", ChartUnit::Bytes, 1_024.0),
            ("95%", ChartUnit::Share, 0.95),
            ("0.5", ChartUnit::Share, 0.5),
            ("250", ChartUnit::OperationsPerSecond, 250.0),
        ] {
            assert!((read(text, unit).unwrap() - value).abs() < 1e-9, "{text}");
        }
        for (text, unit) in [
            ("", ChartUnit::Count),
            ("much", ChartUnit::Bytes),
            ("4GiB", ChartUnit::Count),
            ("NaN", ChartUnit::Count),
        ] {
            assert!(read(text, unit).unwrap_err().to_string().contains("--limit"), "{text}");
        }
    }
}
