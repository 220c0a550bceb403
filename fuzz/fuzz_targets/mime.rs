//! Any bytes into the MIME reader, once whole and once in small chunks: the parts must be the same.
#![no_main]

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use libfuzzer_sys::fuzz_target;
use sekisho::wire::mime::{MultipartReader, PartHeaders};
use sekisho::wire::stream::{Body, StreamError, chunks};

fuzz_target!(|data: &[u8]| {
    let Some((&size, message)) = data.split_first() else { return };
    let size = usize::from(size) + 1;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let whole = runtime.block_on(read(message, message.len().max(1)));
    let pieces = runtime.block_on(read(message, size));
    assert_eq!(whole.is_ok(), pieces.is_ok());
    if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces);
    }
});

async fn read(message: &[u8], size: usize) -> Result<Vec<(PartHeaders, Vec<u8>)>, StreamError> {
    let frames: Vec<Result<Frame<Bytes>, StreamError>> =
        message.chunks(size).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    let body: Body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    let mut reader = MultipartReader::new(chunks(body), "boundary")?;
    let mut parts = Vec::new();
    while let Some(headers) = reader.next_part().await? {
        let mut content = Vec::new();
        while let Some(chunk) = reader.next_chunk().await? {
            content.extend_from_slice(&chunk);
        }
        parts.push((headers, content));
    }
    Ok(parts)
}
