//! What a message changes of a person: a field that is absent changes nothing, `""` removes what was there (HL7 2.5, 2.5.3;
//! ITI TF-2: C.2.6).

use super::{Address, BirthTime, Demographics, Identifier, Name, Sex, Telecom};

/// What becomes of one field.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Absent: it stays as it is.
    #[default]
    Keep,
    /// `""`, or a null flavour: it is taken away.
    Remove,
    /// It becomes this.
    Set(T),
}

/// What becomes of it, not what it is.
impl<T> std::fmt::Debug for Change<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove => "Remove",
            Self::Set(_) => "Set",
        })
    }
}

impl<T: Clone> Change<T> {
    /// Some(value) sets, None keeps.
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Keep, Self::Set)
    }
    fn list(&self, field: &mut Vec<T::Item>)
    where
        T: IntoIterator,
    {
        match self {
            Self::Keep => {}
            Self::Remove => field.clear(),
            Self::Set(values) => *field = values.clone().into_iter().collect(),
        }
    }
    fn option(&self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Remove => *field = None,
            Self::Set(value) => *field = Some(value.clone()),
        }
    }
}

/// What a message changes of a person, field by field of [`Demographics`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of Demographics")]
pub struct DemographicsChange {
    pub names: Change<Vec<Name>>,
    pub birth: Change<BirthTime>,
    pub sex: Change<Sex>,
    pub addresses: Change<Vec<Address>>,
    pub telecoms: Change<Vec<Telecom>>,
    pub mothers_maiden_names: Change<Vec<Name>>,
    pub birth_place: Change<String>,
    pub birth_place_address: Change<Address>,
    pub account: Change<Identifier>,
    pub multiple_birth: Change<u8>,
    pub deceased: Change<bool>,
}

impl DemographicsChange {
    /// Everything that is known, set; nothing removed.
    pub fn set(person: &Demographics) -> Self {
        let list =
            |names: &Vec<Name>| if names.is_empty() { Change::Keep } else { Change::Set(names.clone()) };
        let person = person.clone();
        Self {
            names: list(&person.names),
            birth: Change::of(person.birth),
            sex: Change::of(person.sex),
            addresses: Change::of(Some(person.addresses).filter(|all| !all.is_empty())),
            telecoms: Change::of(Some(person.telecoms).filter(|all| !all.is_empty())),
            mothers_maiden_names: list(&person.mothers_maiden_names),
            birth_place: Change::of(person.birth_place),
            birth_place_address: Change::of(person.birth_place_address),
            account: Change::of(person.account),
            multiple_birth: Change::of(person.multiple_birth),
            deceased: Change::of(person.deceased),
        }
    }
    /// Changes a person.
    pub fn apply(&self, person: &mut Demographics) {
        self.names.list(&mut person.names);
        self.birth.option(&mut person.birth);
        self.sex.option(&mut person.sex);
        self.addresses.list(&mut person.addresses);
        self.telecoms.list(&mut person.telecoms);
        self.mothers_maiden_names.list(&mut person.mothers_maiden_names);
        self.birth_place.option(&mut person.birth_place);
        self.birth_place_address.option(&mut person.birth_place_address);
        self.account.option(&mut person.account);
        self.multiple_birth.option(&mut person.multiple_birth);
        self.deceased.option(&mut person.deceased);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_person() {
        let person = Demographics {
            birth: BirthTime::parse("19310203"),
            birth_place: Some("CANARY".into()),
            multiple_birth: Some(7),
            ..Demographics::default()
        };
        let shown = format!("{:?} {:?}", DemographicsChange::set(&person), person);
        for canary in ["CANARY", "1931", "7"] {
            assert!(!shown.contains(canary), "{shown}");
        }
    }
}
