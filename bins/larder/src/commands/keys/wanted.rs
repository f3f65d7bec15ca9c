//! Which fields of which keys are fetched.

use clap::{Args, ValueEnum};
use larder_cache_client::{FieldChoice, KeyFields};
use larder_keyspace::{Coverage, NameSample, Survey, Wanted};

use crate::command_error::UsageError;

/// A field of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Field {
    Ttl,
    Type,
    Bytes,
    Idle,
    Encoding,
    Elements,
}

#[derive(Args, Debug)]
pub(super) struct WantedArgs {
    /// What is fetched of each key; a file gives everything that it has [default: ttl,type,bytes, and idle of one key in 20]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FIELDS")]
    pub(super) fields: Option<Vec<Field>>,
    /// Read a sample: a share of the keys such as 5% or 0.05, or about so many; the report says how sure its figures are
    #[arg(long, value_parser = sample, value_name = "SHARE|N")]
    pub(super) sample: Option<Sample>,
}

/// How many keys are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sample {
    Share(f64),
    Keys(u64),
}

/// What a sweep fetches, and of which keys.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) wanted: Wanted,
    pub(super) coverage: Coverage,
    /// How many keys are enough.
    pub(super) most_keys: Option<u64>,
    /// All of it in words, by which a sweep that goes on is known again.
    pub(super) words: String,
}

/// The share of keys that are asked for their idle time where nothing else is said.
const IDLE_SHARE: f64 = 1.0 / 20.0;
/// Of every run the same, so that the same keys are asked.
const SEED: u64 = 0x6c61_7264_6572;

impl Field {
    fn of(self) -> KeyFields {
        match self {
            Self::Ttl => KeyFields::TTL,
            Self::Type => KeyFields::TYPE,
            Self::Bytes => KeyFields::BYTES,
            Self::Idle => KeyFields::IDLE,
            Self::Encoding => KeyFields::ENCODING,
            Self::Elements => KeyFields::ELEMENTS,
        }
    }
}

impl WantedArgs {
    /// Every field that may be asked for.
    pub(super) fn fields(&self) -> KeyFields {
        match &self.fields {
            Some(fields) => fields.iter().map(|field| field.of()).collect(),
            None => KeyFields::TTL | KeyFields::TYPE | KeyFields::BYTES | KeyFields::IDLE,
        }
    }

    /// Decides what is fetched of which keys, with the fields that the user may fetch.
    pub(super) fn plan(&self, survey: &Survey) -> Result<Plan, UsageError> {
        let fields = survey.fields;
        let words = format!("fields {:?} and sample {:?}", self.fields, self.sample).to_lowercase();
        let plan = |wanted, coverage, most_keys| Ok(Plan { wanted, coverage, most_keys, words });
        let idle_of_some = self.fields.is_none() && fields.contains(KeyFields::IDLE);
        let usual = if idle_of_some {
            let few = NameSample::new(IDLE_SHARE, SEED);
            Wanted::new(fields - KeyFields::IDLE).with_choice(chosen(few, KeyFields::IDLE))
        } else {
            Wanted::new(fields)
        };
        let Some(sample) = self.sample else { return plan(usual, Coverage::Whole, None) };
        if let (true, Some(of)) = (survey.has_random_order, survey.keys) {
            return plan(usual, Coverage::FirstKeys { of }, Some(sample.keys(of)));
        }
        let share = match (sample, survey.keys) {
            (Sample::Share(share), _) => share,
            (Sample::Keys(keys), Some(of)) => share_of(keys, of),
            (Sample::Keys(_), None) => {
                let words = "how many keys there are is not told by every node, so --sample takes a share, such as 5%";
                return Err(UsageError(words.to_owned()));
            }
        };
        let some = Wanted::new(KeyFields::empty()).with_choice(chosen(NameSample::new(share, SEED), fields));
        plan(some, Coverage::ChosenByName, None)
    }
}

fn chosen(sample: NameSample, fields: KeyFields) -> FieldChoice {
    FieldChoice::new(move |name| if sample.chooses(name) { fields } else { KeyFields::empty() })
}

impl Sample {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "about so many keys"
    )]
    fn keys(self, of: u64) -> u64 {
        match self {
            Self::Share(share) => ((of as f64 * share).ceil() as u64).max(1),
            Self::Keys(keys) => keys,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "about so many keys")]
fn share_of(keys: u64, of: u64) -> f64 {
    if of == 0 { 1.0 } else { (keys as f64 / of as f64).min(1.0) }
}

/// Reads `5%`, `0.05` or `100000`.
fn sample(text: &str) -> Result<Sample, String> {
    let wrong = || format!("`{text}` is neither a share such as 5% or 0.05, nor a number of keys");
    let share = |share: f64| (share > 0.0 && share <= 1.0).then_some(Sample::Share(share)).ok_or_else(wrong);
    if let Some(percent) = text.strip_suffix('%') {
        return share(percent.trim().parse::<f64>().map_err(|_| wrong())? / 100.0);
    }
    match text.parse::<u64>() {
        Ok(keys) if keys > 0 => Ok(Sample::Keys(keys)),
        Ok(_) => Err(wrong()),
        Err(_) => share(text.parse().map_err(|_| wrong())?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_as_people_write_them() {
        for (text, expected) in [
            ("5%", Sample::Share(0.05)),
            ("0.5", Sample::Share(0.5)),
            ("1.0", Sample::Share(1.0)),
            ("100 %", Sample::Share(1.0)),
            ("1", Sample::Keys(1)),
            ("100000", Sample::Keys(100_000)),
        ] {
            assert_eq!(sample(text), Ok(expected), "{text}");
        }
        for text in ["0", "0%", "-1", "1.5", "101%", "NaN", "", "x", "5%%"] {
            assert!(sample(text).is_err(), "{text}");
        }
        assert_eq!(Sample::Share(0.001).keys(10), 1);
        assert!((share_of(5, 10) - 0.5).abs() < 1e-9 && (share_of(5, 0) - 1.0).abs() < 1e-9);
    }
}
