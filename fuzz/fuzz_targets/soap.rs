//! Any HTTP body under any Content-Type (the first line) into the SOAP receiver; its attachments are read to the end.
#![no_main]

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use libfuzzer_sys::fuzz_target;
use sekisho::limits::Limits;
use sekisho::wire::soap::receive;
use sekisho::wire::stream::Body;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return };
    let (line, message) = (&data[..end], &data[end + 1..]);
    let Ok(content_type) = HeaderValue::from_bytes(line) else { return };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
    let body: Body =
        Full::new(Bytes::copy_from_slice(message)).map_err(|never| match never {}).boxed_unsync();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        match receive(&headers, body, &Limits::default()).await {
            Ok(mut message) => drop(message.attachments.drain().await),
            Err(error) => assert!(matches!(error.fault().http_status(), 400..=599)),
        }
    });
});
