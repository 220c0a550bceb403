//! Any bytes as MLLP, whole and in small pieces: the frames must be the same; and as messages in every character set: what
//! is read is written and read again with the same segments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sekisho::wire::hl7v2::mllp::{FrameError, Frames, reject};
use sekisho::wire::hl7v2::{Charset, Message, MessageWriter, SegmentWriter};

const CHARSETS: [Charset; 6] = [
    Charset::Ascii,
    Charset::Utf8,
    Charset::Iso2022Jp,
    Charset::ShiftJis,
    Charset::EucJp,
    Charset::Latin(1),
];

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    assert_eq!(frames(bytes, bytes.len().max(1)), frames(bytes, usize::from(size) + 1));
    let _ = reject(bytes, "reason");
    for charset in CHARSETS {
        let Ok(message) = Message::read(bytes, charset) else { continue };
        let mut copy = MessageWriter::new();
        for segment in message.segments() {
            copy.push(SegmentWriter::copy_of(segment));
        }
        let again = Message::read(copy.text().as_bytes(), Charset::Utf8);
        assert_eq!(again.map(|again| again.segments().count()), Ok(message.segments().count()));
    }
});

fn frames(bytes: &[u8], piece: usize) -> Vec<Result<Vec<u8>, FrameError>> {
    let mut frames = Frames::new();
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        frames.buffer().extend_from_slice(piece);
        while let Some(next) = frames.next_frame() {
            match next {
                Ok(content) => found.push(Ok(content.to_vec())),
                Err((error, _)) if error.is_final() => return found,
                Err((error, _)) => found.push(Err(error)),
            }
        }
    }
    found
}
