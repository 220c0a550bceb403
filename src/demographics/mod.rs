//! Patients as messages describe them: names in every script, birth, sex, addresses, telecoms, identifiers. The same model
//! for HL7 v2 ([`v2`]), HL7 V3 ([`v3`]), the index and the command line. Deciding who is who is `identity`'s, above.
//!
//! Nothing here is ever written to a log: `Debug` of what holds a person's data shows that it is there, not what it is.

mod birth;
mod change;
mod domains;
mod my_number;
pub mod v2;
pub mod v3;

pub use birth::{BirthRange, BirthTime};
pub use change::{Change, DemographicsChange};
pub use domains::{
    Authority, Domain, DomainKind, DomainSource, Domains, Identifier, TwelveDigits, Validity, refused_in,
};
pub use my_number::is_my_number;

/// How a name or address is written (HL7 table 4000 in v2, name/@use in V3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Representation {
    /// Kanji: `I` in v2, `IDE` in V3.
    Ideographic,
    /// Kana: `P` in v2, `SYL` in V3.
    Phonetic,
    /// Romaji and other Latin: `A` in v2, `ABC` in V3.
    Alphabetic,
}

/// What a name is used for (HL7 table 0200 in v2, name/@use in V3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum NameKind {
    /// The current legal name: `L`.
    #[default]
    Legal,
    /// The name at birth, before a marriage: `B` and `M` in v2, `BR` in V3.
    Birth,
    /// An alias or artist's name: `A`, `S` in v2, `P`, `A` in V3.
    Alias,
    /// Only to search with: `SRCH` in V3.
    Search,
    /// Any other.
    Other,
}

/// A person's name in one script.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Name {
    /// How it is written; None where the message does not say.
    pub representation: Option<Representation>,
    /// What it is used for.
    pub kind: NameKind,
    /// Family name, as sent.
    pub family: String,
    /// First given name, as sent.
    pub given: String,
    /// Further given names, joined by a space.
    pub further: String,
    /// Before the name.
    pub prefix: String,
    /// Behind the name.
    pub suffix: String,
}

impl Name {
    /// Takes a name that came as one text. Where the family name ends is known before a comma and in Japanese scripts, in
    /// which it comes first; elsewhere the text stays whole rather than be divided wrongly (user pain 72).
    fn divide(&mut self, text: &str) {
        let divided = match (text.split_once([',', '，', '、']), self.representation) {
            (Some(divided), _) => Some(divided),
            (None, Some(Representation::Alphabetic)) => None,
            (None, _) if text.is_ascii() => None,
            (None, _) => text.split_once(char::is_whitespace),
        };
        let (family, given) = divided.unwrap_or((text, ""));
        (self.family, self.given) = (family.trim().to_owned(), given.trim().to_owned());
    }
}

/// Administrative sex: a total mapping, so that no foreign code is lost as another sex (user pain 82).
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Sex {
    /// `M`
    Male,
    /// `F`
    Female,
    /// `O` in v2, `UN` in V3.
    Other,
    /// `U`, `A`, `N` and whatever else; `nullFlavor` in V3.
    Unknown,
}

/// An address.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Address {
    /// How it is written.
    pub representation: Option<Representation>,
    /// XAD-7 or addr/@use: `H`, `B`, …; empty if not said.
    pub kind: String,
    /// Street, block and house (XAD-1; streetAddressLine).
    pub street: String,
    /// House number, where a sender keeps it apart (XAD-1.3, houseNumber).
    pub house_number: String,
    /// Further designation (XAD-2; additionalLocator).
    pub other: String,
    /// City, ward, town (XAD-3).
    pub city: String,
    /// Prefecture, state (XAD-4).
    pub state: String,
    /// As sent.
    pub postcode: String,
    /// As sent.
    pub country: String,
    /// The whole address as one text, where it comes so (XAD-8 as Japanese senders use it; text within addr).
    pub text: String,
}

/// A telephone number, mail address or other way to reach somebody.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Telecom {
    /// As sent, without a `tel:` or `mailto:` scheme.
    pub value: String,
    /// `PRN`, `WPN`, … in v2; `HP`, `WP`, `MC` in V3; empty if not said. As sent.
    pub kind: String,
    /// A mail address.
    pub mail: bool,
}

/// All that describes a person.
#[derive(Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Demographics {
    /// Names, several scripts beside each other, in the order sent.
    pub names: Vec<Name>,
    /// Date of birth, as exact as it is known.
    pub birth: Option<BirthTime>,
    /// Administrative sex.
    pub sex: Option<Sex>,
    /// Addresses.
    pub addresses: Vec<Address>,
    /// Telephone numbers and mail addresses.
    pub telecoms: Vec<Telecom>,
    /// Mother's maiden name (PID-6).
    pub mothers_maiden_names: Vec<Name>,
    /// Name of the place of birth (PID-23).
    pub birth_place: Option<String>,
    /// Address of the place of birth.
    pub birth_place_address: Option<Address>,
    /// Patient account number (PID-18).
    pub account: Option<Identifier>,
    /// Born together with others: Some(order of birth), 0 where only that is known (PID-24, PID-25).
    pub multiple_birth: Option<u8>,
    /// Known to be dead (PID-30).
    pub deceased: Option<bool>,
}

/// A visit, for ITI-22: what PV1 says.
#[derive(Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Visit {
    /// PV1-2.
    pub class: String,
    /// PV1-3, as sent (ER7 of the field with `^` and `&`).
    pub location: String,
    /// PV1-7, 8, 9, 17: attending, referring, consulting, admitting doctor; as sent.
    pub attending: String,
    /// PV1-8.
    pub referring: String,
    /// PV1-9.
    pub consulting: String,
    /// PV1-10.
    pub service: String,
    /// PV1-17.
    pub admitting: String,
    /// PV1-19.
    pub number: Option<Identifier>,
}

macro_rules! without_content {
    ($($type:ident),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!("(", stringify!($type), ")"))
            }
        }
    )*};
}
without_content!(Name, Sex, Address, Telecom, Demographics, Visit);
