//! XML as a tree of slices over the received bytes, read in one bounded pass, and a writer with fixed prefixes.
//!
//! One parser serves everything. It refuses every DTD, every encoding but UTF-8, and whatever exceeds a bound of
//! [`crate::limits`]. Names are pairs of an interned namespace ([`Ns`]) and a local name; prefixes never matter.
//!
//! | rule of an [`XmlError`] | what is refused |
//! |---|---|
//! | `xml.encoding`, `xml.utf8` | another encoding, declared or actual; bytes that are not UTF-8 |
//! | `xml.version` | a version other than 1.0 |
//! | `xml.character` | characters that XML 1.0 forbids |
//! | `xml.dtd` | any document type declaration |
//! | `xml.entity` | references to anything but the five entities and allowed characters |
//! | `xml.well-formed` | whatever else breaks XML 1.0, fifth edition |
//! | `xml.namespace` | undeclared prefixes, and what else breaks Namespaces in XML 1.0 |
//! | `xml.depth`, `xml.nodes`, `xml.attributes`, `xml.attribute-length`, `xml.name-length`, `xml.namespaces`, `xml.namespace-length`, `xml.size` | what exceeds a bound |

mod arena;
mod canonical;
mod chars;
mod detach;
mod parse;
mod start_tag;
mod tree;
mod write;

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;

pub use canonical::NotCanonical;
pub use start_tag::set_attribute;
pub use tree::{Attribute, Element, Tree, XmlError};
pub use write::Writer;

/// A namespace, interned: the ones that this program knows are constants, others get a number per tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ns(pub(crate) u16);

macro_rules! namespaces {
    ($($name:ident $index:literal $prefix:literal $uri:literal;)*) => {
        impl Ns {
            $(#[doc = concat!("`", $uri, "`, written with the prefix `", $prefix, "`.")] pub const $name: Ns = Ns($index);)*
            /// The known namespaces as (prefix, URI), in the order of their numbers.
            pub const KNOWN: &'static [(&'static str, &'static str)] = &[$(($prefix, $uri)),*];
        }
    };
}
namespaces! {
    NONE 0 "" "";
    XML 1 "xml" "http://www.w3.org/XML/1998/namespace";
    SOAP 2 "soap" "http://www.w3.org/2003/05/soap-envelope";
    WSA 3 "wsa" "http://www.w3.org/2005/08/addressing";
    XOP 4 "xop" "http://www.w3.org/2004/08/xop/include";
    RIM 5 "rim" "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0";
    RS 6 "rs" "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0";
    LCM 7 "lcm" "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0";
    QUERY 8 "query" "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0";
    XDS 9 "xds" "urn:ihe:iti:xds-b:2007";
    XSI 10 "xsi" "http://www.w3.org/2001/XMLSchema-instance";
    SOAP11 11 "soap11" "http://schemas.xmlsoap.org/soap/envelope/";
    WSSE 12 "wsse" "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    WSU 13 "wsu" "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    HL7 14 "hl7" "urn:hl7-org:v3";
    XCPD 15 "xcpd" "urn:ihe:iti:xcpd:2009";
    RMD 16 "rmd" "urn:ihe:iti:rmd:2017";
    SEKISHO 17 "sekisho" "urn:sekisho:fault:1";
    DRY_RUN 18 "dry" "urn:sekisho:dry-run:1";
    SAML 19 "saml2" "urn:oasis:names:tc:SAML:2.0:assertion";
    DS 20 "ds" "http://www.w3.org/2000/09/xmldsig#";
    EXC_C14N 21 "ec" "http://www.w3.org/2001/10/xml-exc-c14n#";
}

impl Ns {
    /// Prefix and URI of a known namespace; empty for one that only a tree knows.
    pub fn known(self) -> (&'static str, &'static str) {
        Self::KNOWN.get(usize::from(self.0)).copied().unwrap_or_default()
    }
    /// The URI of a known namespace.
    pub fn uri(self) -> &'static str {
        self.known().1
    }
}
