//! base64Binary content: inline, or an xop:Include that names a part of the same message (XOP 1.0; ITI TF-2: V.3.6).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
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

/// Reads the content of an element of type base64Binary. Only `cid:` is ever resolved, and only within the message: any
/// other href is refused (CVE-2022-46364, CVE-2024-28752).
pub fn binary_content(element: Element<'_>) -> Result<BinaryContent, String> {
    if let Some(include) = element.child(Ns::XOP, "Include") {
        let href = include.attr("href").unwrap_or_default();
        let scheme = href.get(..4).unwrap_or_default();
        return if scheme.eq_ignore_ascii_case("cid:") && href.len() > 4 {
            Ok(BinaryContent::Part(decode_content_id(&href)))
        } else {
            Err(format!("{}: the href of xop:Include is no cid: URL; no other is resolved", element.local()))
        };
    }
    let mut text = element.text().into_owned();
    text.retain(|c| !c.is_ascii_whitespace());
    let bytes = LENIENT
        .decode(&text)
        .map_err(|error| format!("{}: the content is no base64: {error}", element.local()))?;
    Ok(BinaryContent::Inline(bytes.into()))
}
