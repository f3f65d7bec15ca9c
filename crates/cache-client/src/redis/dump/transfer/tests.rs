//! Transfers, cut in every way that a socket can cut them.

use proptest::prelude::*;

use super::*;

const MARK: [u8; MARK_BYTES] = *b"0123456789abcdef0123456789abcdef01234567";

/// What came of a whole transfer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    announced: Option<(String, u64)>,
    begun: Option<Came>,
    image: Vec<u8>,
    has_ended: bool,
    refusal: Option<Refusal>,
}

fn feed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let (mut transfer, mut incoming, mut seen) = (Transfer::default(), BytesMut::new(), Seen::default());
    for part in parts {
        incoming.extend_from_slice(part);
        loop {
            match transfer.next(&mut incoming) {
                Ok(Some(Came::KeepAlive)) => {}
                Ok(Some(Came::Announced { replication_id, offset })) => {
                    seen.announced = Some((replication_id, offset));
                }
                Ok(Some(came @ Came::Begins(_))) => seen.begun = Some(came),
                Ok(Some(Came::Piece(piece))) => {
                    assert!(!piece.is_empty(), "a piece of nothing");
                    seen.image.extend_from_slice(&piece);
                }
                Ok(Some(Came::End)) => {
                    seen.has_ended = true;
                    break;
                }
                Ok(None) => break,
                Err(refusal) => {
                    seen.refusal = Some(refusal);
                    return seen;
                }
            }
        }
    }
    assert_eq!(transfer.received(), seen.image.len() as u64);
    seen
}

fn counted(image: &[u8]) -> Vec<u8> {
    let mut bytes = b"\n\n+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 14\r\n\n\n".to_vec();
    bytes.extend_from_slice(format!("${}\r\n", image.len()).as_bytes());
    bytes.extend_from_slice(image);
    bytes
}

fn marked(image: &[u8]) -> Vec<u8> {
    let mut bytes = b"+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 14\r\n\n$EOF:".to_vec();
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(image);
    bytes.extend_from_slice(&MARK);
    bytes
}

fn whole(image: &[u8], length: Option<u64>) -> Seen {
    Seen {
        announced: Some(("8de1787ba490483314a4d30f1c628bc5025eb761".to_owned(), 14)),
        begun: Some(Came::Begins(length)),
        image: image.to_vec(),
        has_ended: true,
        refusal: None,
    }
}

/// An image with parts of the mark in it, and with what looks like lines of the protocol.
fn tricky() -> Vec<u8> {
    let mut image = b"REDIS0011\r\n$5\r\n+FULLRESYNC".to_vec();
    image.extend_from_slice(&MARK[..39]);
    image.extend_from_slice(&MARK[1..]);
    image.extend_from_slice(&MARK[..20]);
    image
}

#[test]
fn both_forms_come_whole_byte_by_byte_and_at_once() {
    let image = tricky();
    for (bytes, length) in [(counted(&image), Some(image.len() as u64)), (marked(&image), None)] {
        assert_eq!(feed(bytes.chunks(1)), whole(&image, length));
        assert_eq!(feed([&bytes[..]]), whole(&image, length));
    }
}

#[test]
fn what_is_cut_short_does_not_end() {
    let image = tricky();
    for bytes in [counted(&image), marked(&image)] {
        for length in 0..bytes.len() {
            let seen = feed([&bytes[..length]]);
            assert!(!seen.has_ended && seen.refusal.is_none(), "{length} of {}: {seen:?}", bytes.len());
            assert!(image.starts_with(&seen.image), "no byte of the mark is handed on");
        }
    }
}

#[test]
fn what_stands_behind_a_counted_image_is_not_of_it() {
    let mut bytes = counted(b"REDIS");
    bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    assert_eq!(feed([&bytes[..]]), whole(b"REDIS", Some(5)));
}

#[test]
fn refusals_are_told_apart() {
    let long = [b'+'; LONGEST_LINE];
    let begun = |rest: &str| format!("+FULLRESYNC a 1\r\n{rest}").into_bytes();
    for (bytes, is_error) in [
        (b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n".to_vec(), true),
        (b"\n-LOADING Redis is loading the dataset in memory\r\n".to_vec(), true),
        (begun("\n-ERR BGSAVE failed, replication can't continue\r\n"), true),
        (b"+CONTINUE 8de1787ba490483314a4d30f1c628bc5025eb761\r\n".to_vec(), false),
        (b"+OK\r\n".to_vec(), false),
        (b"+FULLRESYNC\r\n".to_vec(), false),
        (b"+FULLRESYNC id -1\r\n".to_vec(), false),
        (b"$5\r\nREDIS".to_vec(), false),
        (long.to_vec(), false),
        (begun("$0\r\n"), false),
        (begun("$-1\r\n"), false),
        (begun("$99999999999999999999\r\n"), false),
        (begun("$EOF:short\r\n"), false),
        (begun("+OK\r\n"), false),
    ] {
        for seen in [feed([&bytes[..]]), feed(bytes.chunks(1))] {
            match seen.refusal {
                Some(Refusal::Error(line)) => assert!(is_error && line.starts_with(b"-"), "{line:?}"),
                Some(Refusal::Unexpected(_)) => assert!(!is_error, "{}", bytes.escape_ascii()),
                None => panic!("taken: {}", bytes.escape_ascii()),
            }
        }
    }
}

proptest! {
    #[test]
    fn every_split_gives_the_same(
        image in prop::collection::vec(any::<u8>(), 1..2000),
        cuts in prop::collection::vec(0.0_f64..1.0, 0..20),
        with_mark: bool,
    ) {
        let bytes = if with_mark { marked(&image) } else { counted(&image) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in some bytes")]
        let mut places: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let parts = places.windows(2).map(|window| &bytes[window[0]..window[1]]);
        prop_assert_eq!(feed(parts), whole(&image, (!with_mark).then_some(image.len() as u64)));
    }

    #[test]
    fn any_bytes_are_taken(bytes: Vec<u8>) {
        let _ = feed(bytes.chunks(3));
    }
}
