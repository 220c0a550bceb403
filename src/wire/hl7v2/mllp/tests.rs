//! Frames in every cut, and refusals in every version.

use proptest::prelude::*;

use super::frames::{FrameError, Frames, frame};
use super::reject::reject;
use crate::limits;
use crate::wire::hl7v2::{Charset, Message};

/// What is found in pieces of some size.
fn found(bytes: &[u8], piece: usize) -> Vec<Result<Vec<u8>, FrameError>> {
    let mut frames = Frames::new();
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        frames.buffer().extend_from_slice(piece);
        while let Some(next) = frames.next_frame() {
            let next = next.map(|content| content.to_vec()).map_err(|(error, _)| error);
            let ended = matches!(next, Err(FrameError::TooLarge | FrameError::Junk));
            found.push(next);
            if ended {
                return found;
            }
        }
    }
    found.extend(frames.end().map(|content| Ok(content.to_vec())));
    found
}

#[test]
fn attack_60_frames_however_they_come() {
    type Case = (&'static [u8], &'static [Result<&'static str, FrameError>]);
    let cases: &[Case] = &[
        (b"\x0bMSH|a\x1c\r\x0bMSH|b\x1c\r", &[Ok("MSH|a"), Ok("MSH|b")]),
        (b"\0\0\r\njunk\x1c\r\x0bMSH|a\x1c\r\0\0\0\n\x0bMSH|b\x1c\r\0", &[Ok("MSH|a"), Ok("MSH|b")]),
        (b"\x0bMSH|a\x1cb\x1c\x1c\r", &[Ok("MSH|a\x1cb\x1c")]),
        (b"\x0bMSH|a\x1c\x0bMSH|b\x1c", &[Ok("MSH|a"), Ok("MSH|b")]),
        (b"\x0bMSH|a\x1c\n\x0bMSH|b\x1c\r", &[Ok("MSH|a"), Ok("MSH|b")]),
        (b"\x0bMSH|a\x0bMSH|b\x1c\r", &[Err(FrameError::Unended), Ok("MSH|b")]),
        (b"\x0bMSH|a\x0bb\x1c\r", &[Ok("MSH|a\x0bb")]),
        (b"\x0b\x1c\r", &[Ok("")]),
        (b"\x0bMSH|a", &[]),
    ];
    for (bytes, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|e| e.map(|text| text.as_bytes().to_vec())).collect();
        for piece in 1..=bytes.len() {
            // What some senders do needs a look at what follows at once.
            assert_eq!(found(bytes, piece), expected, "{bytes:?} in pieces of {piece}");
        }
    }
}

#[test]
fn attack_60_what_never_ends_is_given_up() {
    let mut huge = vec![b'a'; limits::MAX_HL7_MESSAGE_BYTES + 2];
    huge[0] = 0x0b;
    assert_eq!(found(&huge, 8192), [Err(FrameError::TooLarge)]);
    huge[0] = b'a';
    assert_eq!(found(&huge, 8192), [Err(FrameError::Junk)]);
}

#[test]
fn refusals_are_in_the_version_of_the_message() {
    let read = |message: &[u8]| {
        let answer = reject(message, "reason");
        Message::read(&answer, Charset::Utf8).unwrap()
    };
    let old = read(b"MSH*!%$@*A*B*C*D***ADT!A01*77*P*2.3.1\rbroken");
    assert_eq!(
        (old.field("MSH", 3).value(), old.field("MSH", 9).component(2).value()),
        ("C".into(), "A01".into())
    );
    assert_eq!((old.field("MSA", 1).value(), old.field("MSA", 2).value()), ("AR".into(), "77".into()));
    assert_eq!(old.field("ERR", 1).component(4).value(), "207");
    assert!(old.segment("ERR").unwrap().last_field() == 1);
    let new = read(b"MSH|^~\\&|A|B|C|D|||QBP^Q23|8|P|2.5|||||||KLINGON");
    assert_eq!((new.field("ERR", 3).value(), new.field("ERR", 8).value()), ("207".into(), "reason".into()));
    let nothing = read(b"hello");
    assert_eq!(
        (nothing.field("MSA", 1).value(), nothing.field("MSH", 12).value()),
        ("AR".into(), "2.5".into())
    );
}

proptest! {
    #[test]
    fn frames_are_found_in_any_pieces(
        messages in proptest::collection::vec("MSH[ -~\\r表]{0,30}", 0..6),
        piece in 1usize..40,
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(message.as_bytes())).collect();
        let expected: Vec<_> = messages.iter().map(|message| Ok(message.as_bytes().to_vec())).collect();
        prop_assert_eq!(found(&bytes, piece), expected);
    }

    #[test]
    fn hostile_bytes_never_panic(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x0b), Just(0x1c), Just(b'\r')], 0..200),
        piece in 1usize..20,
    ) {
        let _ = found(&bytes, piece);
        let _ = reject(&bytes, "");
    }
}
