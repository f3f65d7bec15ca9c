//! Getting values as DUMP gives them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    DumpedValue, Keys, Result, Ttl,
    dump::Fetch,
    redis::{
        failure::Request,
        wire::{Answer, Requests, Wire, prefix},
    },
};

/// Which command tells when a key's time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// PEXPIRETIME, a moment (Redis 7.0 and later).
    Moment,
    /// PTTL, a time from now on.
    Left,
}

impl Expiry {
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Moment => "PEXPIRETIME",
            Self::Left => "PTTL",
        }
    }
}

/// Over a connection of our own: an answer is read where it lies, and never more than one is held.
#[derive(Debug)]
pub(super) struct FetchByWire {
    wire: Wire,
    expiry: Expiry,
    ask_expiry: Vec<u8>,
    ask_value: Vec<u8>,
    requests: Requests,
    /// Leads to keys that are on their way to another node of the cluster.
    elsewhere: Arc<dyn Keys>,
}

impl FetchByWire {
    pub(super) fn new(wire: Wire, expiry: Expiry, elsewhere: Arc<dyn Keys>) -> Self {
        let (ask_expiry, ask_value) = (prefix(&[expiry.command()]), prefix(&["DUMP"]));
        Self { wire, expiry, ask_expiry, ask_value, requests: Requests::default(), elsewhere }
    }

    async fn value(&mut self) -> Result<Option<DumpedValue>> {
        let asked = self.wire.answer(self.expiry.command(), number).await;
        let frame = self.wire.frame("DUMP").await?;
        let request = self.wire.request("DUMP");
        // An error of the question before counts only when its own answer and the next are read.
        value(self.expiry, asked?, &frame, request)
    }
}

#[async_trait]
impl Fetch for FetchByWire {
    async fn fetch(&mut self, keys: &[Bytes]) -> Result<Vec<Option<DumpedValue>>> {
        for key in keys {
            self.requests.add_prefixed(&self.ask_expiry, key);
            self.requests.add_prefixed(&self.ask_value, key);
        }
        self.wire.send(&mut self.requests).await?;
        let mut values = Vec::with_capacity(keys.len());
        let mut elsewhere = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let value = match self.value().await {
                Err(error) if error.is_elsewhere() => {
                    elsewhere.push((index, key.clone()));
                    None
                }
                value => value?,
            };
            values.push(value);
        }
        let (indexes, keys): (Vec<usize>, Vec<Bytes>) = elsewhere.into_iter().unzip();
        if !keys.is_empty() {
            for (index, value) in indexes.into_iter().zip(self.elsewhere.dump(&keys).await) {
                values[index] = value?;
            }
        }
        Ok(values)
    }
}

fn number(answer: Answer<'_>, request: Request<'_>) -> Result<i64> {
    answer.number(request)
}

/// Reads both answers; the payload shares the memory that it came in.
fn value(expiry: Expiry, asked: i64, frame: &Bytes, request: Request<'_>) -> Result<Option<DumpedValue>> {
    let payload = match Answer::parse(frame) {
        Some(Answer::Nil) => return Ok(None),
        Some(Answer::Text(payload)) => frame.slice_ref(payload),
        Some(answer) => return Err(answer.unexpected(request)),
        None => return Err(request.unexpected("it is no answer of the protocol")),
    };
    let mut value = DumpedValue::new(payload, Ttl::None);
    match (expiry, u64::try_from(asked)) {
        // The key is there now; it was not, or had no end, a moment before.
        (_, Err(_)) => {}
        (Expiry::Moment, Ok(_)) => value.expires_at_ms = Some(asked),
        (Expiry::Left, Ok(left)) => value.ttl = Ttl::In(Duration::from_millis(left)),
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use larder_metrics_model::NodeAddress;

    use super::*;
    use crate::Error;

    #[test]
    fn both_answers_make_a_value() {
        let node = NodeAddress::new("n");
        let request = Request { node: &node, command: "DUMP", timeout: Duration::ZERO };
        let frame = Bytes::from_static(b"$3\r\nabc\r\n");
        let of = |expiry, asked| value(expiry, asked, &frame, request).unwrap().unwrap();
        for asked in [-1, -2] {
            let found = of(Expiry::Moment, asked);
            assert_eq!(
                (found.payload.as_ref(), found.ttl, found.expires_at_ms),
                (&b"abc"[..], Ttl::None, None)
            );
        }
        assert_eq!(of(Expiry::Moment, 1_700_000_000_000).expires_at_ms, Some(1_700_000_000_000));
        assert_eq!(of(Expiry::Left, 1500).ttl, Ttl::In(Duration::from_millis(1500)));
        assert_eq!(value(Expiry::Left, 5, &Bytes::from_static(b"$-1\r\n"), request).unwrap(), None);
        let refused = value(Expiry::Left, 5, &Bytes::from_static(b"-NOPERM no\r\n"), request).unwrap_err();
        assert!(matches!(refused, Error::NotPermitted { .. }));
        assert!(value(Expiry::Left, 5, &Bytes::from_static(b":1\r\n"), request).is_err());
    }
}
