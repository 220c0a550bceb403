//! Codes of documents to codes of the affinity domain: a TOML file with a table for each attribute.
//!
//! ```toml
//! [class]
//! "18842-5^2.16.840.1.113883.6.1" = "18842-5^退院時サマリー^2.16.840.1.113883.6.1"
//! [format]                                        # by a CDA's templateId
//! "1.3.6.1.4.1.19376.1.5.3.1.1.2" = "urn:ihe:pcc:xds-ms:2007^XDS-MS^1.3.6.1.4.1.19376.1.2.3"
//! ```

use std::collections::BTreeMap;

use crate::metadata::Code;

/// Attributes that have codes.
pub const ATTRIBUTES: [&str; 6] = ["class", "type", "format", "confidentiality", "facility", "practice"];

/// What is mapped to what.
#[derive(Debug, Clone, Default)]
pub struct CodeMap(BTreeMap<String, BTreeMap<String, Code>>);

impl CodeMap {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tables: BTreeMap<String, BTreeMap<String, String>> =
            toml::from_str(text).map_err(|error| error.to_string())?;
        let mut map = BTreeMap::new();
        for (attribute, pairs) in tables {
            if !ATTRIBUTES.contains(&attribute.as_str()) {
                return Err(format!(
                    "there is no attribute {attribute:?}; there are {}",
                    ATTRIBUTES.join(", ")
                ));
            }
            let pairs = pairs.into_iter().map(|(from, to)| match super::code(&to) {
                Ok(code) => Ok((from, code)),
                Err(problem) => Err(format!("[{attribute}] {from:?} = {to:?}: {problem}")),
            });
            let pairs = pairs.collect::<Result<_, String>>()?;
            map.insert(attribute, pairs);
        }
        Ok(Self(map))
    }

    /// What a code becomes as an attribute.
    pub fn of(&self, attribute: &str, code: Code) -> Code {
        let key = format!("{}^{}", code.code, code.scheme);
        self.0.get(attribute).and_then(|pairs| pairs.get(&key)).cloned().unwrap_or(code)
    }

    /// The formatCode of a CDA's templateId.
    pub fn format(&self, template: &str) -> Option<Code> {
        self.0.get("format")?.get(template).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_mapped_by_attribute() {
        let map =
            CodeMap::parse("[class]\n\"1^1.2\" = \"A^甲^1.3\"\n[format]\n\"1.9\" = \"F^f^1.4\"").unwrap();
        let code = Code::new("1", "1.2", "x");
        assert_eq!(map.of("class", code.clone()).display, "甲");
        assert_eq!(map.of("type", code.clone()), code);
        assert_eq!(map.format("1.9").unwrap().code, "F");
        for wrong in ["[klass]\n", "[class]\n\"1^1.2\" = \"A\"", "class = 3"] {
            assert!(CodeMap::parse(wrong).is_err(), "{wrong}");
        }
    }
}
