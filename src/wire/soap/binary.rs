//! base64Binary content: inline, or an xop:Include that names a part of the same message (XOP 1.0; ITI TF-2: V.3.6).

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine as _};
use bytes::Bytes;

use crate::wire::mime::decode_content_id;
use crate::wire::xml::{Element, Ns};

/// Where the bytes of an element are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BinaryContent {
    /// They were inline base64 and are decoded.
    Inline(Bytes),
    /// In the part with this decoded Content-ID.
    Part(String),
}

/// Some stacks leave the padding away.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Reads the content of an element of type base64Binary: base64 with any white space, or one xop:Include. Only `cid:` is
/// ever resolved, and only within the message: any other href is refused (CVE-2022-46364, CVE-2024-28752).
pub fn binary_content(element: Element<'_>) -> Result<BinaryContent, String> {
    let refused = |why: &str| Err(format!("{}: {why}", element.local()));
    let mut children = element.children();
    let text = element.text();
    match (children.next(), children.next()) {
        (None, _) => match inline(&text) {
            Ok(bytes) => Ok(BinaryContent::Inline(bytes)),
            Err(error) => refused(&format!("the content is no base64: {error}")),
        },
        (Some(include), None) if include.is(Ns::XOP, "Include") && text.trim().is_empty() => {
            let href = include.attr("href").unwrap_or_default();
            let href = href.trim();
            match href.get(..4) {
                Some(scheme) if scheme.eq_ignore_ascii_case("cid:") && href.len() > 4 => {
                    Ok(BinaryContent::Part(decode_content_id(href)))
                }
                _ => refused("the href of xop:Include is no cid: URL; no other is resolved"),
            }
        }
        _ => refused("the content is neither base64 nor one xop:Include (XOP 1.0, 3.2)"),
    }
}

fn inline(text: &str) -> Result<Bytes, DecodeError> {
    let bytes = if text.bytes().any(|b| b.is_ascii_whitespace()) {
        let mut characters = text.as_bytes().to_vec();
        characters.retain(|b| !b.is_ascii_whitespace());
        LENIENT.decode(characters)
    } else {
        LENIENT.decode(text)
    };
    bytes.map(Bytes::from)
}
