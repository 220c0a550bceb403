//! The form in which an object is stored and returned: canonical ebRIM with the prefix `rim`, which a root above declares.

use bytes::Bytes;

use crate::metadata::Object;
use crate::store::StoreError;
use crate::wire::xml::{Ns, Tree, Writer};

/// An object as bytes.
pub(super) struct Fragment {
    /// Bytes of the start tag.
    pub(super) start: usize,
    /// All of it.
    pub(super) bytes: Vec<u8>,
}

impl Fragment {
    pub(super) fn of(object: &Object) -> Self {
        let mut out = Writer::with_capacity(8 * 1024);
        object.write(&mut out);
        let bytes = out.finish();
        Self { start: start_tag(&bytes), bytes }
    }
}

/// Where the first tag ends: behind its `>`, which may also stand in an attribute's value.
fn start_tag(xml: &[u8]) -> usize {
    let mut quote = None;
    for (at, &byte) in xml.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    xml.len()
}

/// Reads a fragment back, to change the object.
pub(super) fn read(fragment: &[u8]) -> Result<Object, StoreError> {
    let (prefix, uri) = Ns::RIM.known();
    let root = format!("<{prefix}:RegistryObjectList xmlns:{prefix}=\"{uri}\">");
    let end = format!("</{prefix}:RegistryObjectList>");
    let xml = Bytes::from([root.as_bytes(), fragment, end.as_bytes()].concat());
    let damaged = |why: String| StoreError::Damaged(format!("a stored object cannot be read: {why}"));
    let tree = Tree::parse(xml).map_err(|error| damaged(error.to_string()))?;
    let element = tree.root().children().next().ok_or_else(|| damaged("it is empty".to_owned()))?;
    Object::read(element)
        .map_err(|error| damaged(error.to_string()))?
        .ok_or_else(|| damaged("it is no registry object".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_tag_ends_at_the_first_unquoted_bracket() {
        assert_eq!(start_tag(b"<rim:X a=\"1>2\" b='\">'><rim:Y/></rim:X>"), 22);
        assert_eq!(start_tag(b"<rim:X/>"), 8);
    }
}
