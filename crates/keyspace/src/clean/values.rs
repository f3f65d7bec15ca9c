//! Whether values are what their family says they are.

use larder_rdb::{Payload, Value};

use crate::ValueForm;

/// Tells whether a payload holds a string of this form. What cannot be decoded at all is of no form.
pub(super) fn decodes(payload: &[u8], form: ValueForm) -> bool {
    let Ok(Value::String(bytes)) = Payload::parse(payload).and_then(|payload| payload.value()) else {
        return false;
    };
    match form {
        ValueForm::Utf8 => std::str::from_utf8(&bytes).is_ok(),
        ValueForm::Json => serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok(),
    }
}

/// Tells whether a key is one of a share of all keys that is the same at every look (FNV-1a, Fowler, Noll and Vo).
pub(super) fn is_chosen(key: &[u8], share: f64) -> bool {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The upper bits are mixed best; 53 of them are what a number between 0 and 1 can tell apart.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let place =
        ((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64;
    place < share
}

#[cfg(test)]
mod tests {
    use larder_rdb::Server;

    use super::*;

    #[test]
    fn values_are_of_the_form_that_they_are() {
        let payload =
            |bytes: &[u8]| Value::String(bytes.to_vec()).to_payload(Server::redis(7, 0), b"k").unwrap();
        for (bytes, json, utf8) in [
            (&b"{\"a\":[1,2]}"[..], true, true),
            (b"12", true, true),
            (b"{\"a\":", false, true),
            (b"", false, true),
            (b"\xff\xfe", false, false),
        ] {
            assert_eq!(decodes(&payload(bytes), ValueForm::Json), json, "{}", bytes.escape_ascii());
            assert_eq!(decodes(&payload(bytes), ValueForm::Utf8), utf8, "{}", bytes.escape_ascii());
        }
        let list = Value::List(vec![b"a".to_vec()]).to_payload(Server::redis(7, 0), b"k").unwrap();
        assert!(!decodes(&list, ValueForm::Utf8) && !decodes(b"no payload", ValueForm::Utf8));
    }

    #[test]
    fn a_share_is_about_what_it_says() {
        let chosen =
            |share| (0..20_000).filter(|number| is_chosen(format!("key:{number}").as_bytes(), share)).count();
        assert_eq!((chosen(0.0), chosen(1.0)), (0, 20_000));
        assert!((1_800..2_200).contains(&chosen(0.1)), "{}", chosen(0.1));
    }
}
