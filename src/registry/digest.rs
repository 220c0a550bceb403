//! A submission's fingerprint: two that say the same have the same.

use openssl::sha::Sha256;

use crate::metadata::rim::Localized;
use crate::metadata::{Association, Classification, ExternalIdentifier, Object, Slot, Submission};

/// SHA-256 over everything that a submission says, as it came to the registry: hashes of documents are in its entries.
/// Ids of classifications and external identifiers do not count, since writers make them up anew.
pub fn digest(submission: &Submission) -> [u8; 32] {
    let Submission { objects, object_refs, request_slots } = submission;
    let mut said = Said(Vec::with_capacity(8 * 1024));
    said.each(objects, Said::object);
    said.each(object_refs, |said, id| said.text(id));
    said.each(request_slots, Said::slot);
    let mut sha = Sha256::new();
    sha.update(&said.0);
    sha.finish()
}

/// What is said, part by part, each with its length or number before it, so that nothing else reads the same. Parts are
/// taken from their structs by name: a new one cannot be forgotten here.
struct Said(Vec<u8>);

impl Said {
    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn maybe(&mut self, text: &Option<String>) {
        self.each(text.as_slice(), |said, text| said.text(text));
    }

    fn each<T>(&mut self, parts: &[T], part: fn(&mut Self, &T)) {
        self.number(parts.len());
        parts.iter().for_each(|one| part(self, one));
    }

    fn object(&mut self, object: &Object) {
        let Object {
            kind,
            id,
            lid,
            home,
            object_type,
            status,
            mime_type,
            version,
            other_attributes,
            slots,
            name,
            description,
            classifications,
            external_identifiers,
            association,
        } = object;
        self.number(*kind as usize);
        self.text(id);
        for attribute in [lid, home, object_type, status, mime_type, version] {
            self.maybe(attribute);
        }
        self.each(other_attributes, |said, (name, value)| {
            said.text(name);
            said.text(value);
        });
        self.each(slots, Self::slot);
        self.each(name, Self::localized);
        self.each(description, Self::localized);
        self.each(classifications, Self::classification);
        self.each(external_identifiers, Self::external_identifier);
        self.each(association.as_slice(), Self::association);
    }

    fn slot(&mut self, slot: &Slot) {
        let Slot { name, slot_type, values } = slot;
        self.text(name);
        self.maybe(slot_type);
        self.each(values, |said, value| said.text(value));
    }

    fn localized(&mut self, localized: &Localized) {
        let Localized { lang, charset, value } = localized;
        self.maybe(lang);
        self.maybe(charset);
        self.text(value);
    }

    fn classification(&mut self, classification: &Classification) {
        let Classification {
            id: _,
            scheme,
            node,
            classified_object,
            node_representation,
            name,
            description,
            slots,
        } = classification;
        for attribute in [scheme, node, classified_object, node_representation] {
            self.maybe(attribute);
        }
        self.each(name, Self::localized);
        self.each(description, Self::localized);
        self.each(slots, Self::slot);
    }

    fn external_identifier(&mut self, identifier: &ExternalIdentifier) {
        let ExternalIdentifier { id: _, scheme, registry_object, value, name } = identifier;
        self.text(scheme);
        self.maybe(registry_object);
        self.text(value);
        self.each(name, Self::localized);
    }

    fn association(&mut self, association: &Association) {
        let Association { association_type, source, target } = association;
        for text in [association_type, source, target] {
            self.text(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Kind;

    #[test]
    fn whatever_is_said_counts_and_made_up_ids_do_not() {
        let mut object = Object::new(Kind::DocumentEntry, "id");
        object.classifications.push(Classification::default());
        object.external_identifiers.push(ExternalIdentifier::default());
        let original = Submission { objects: vec![object], ..Submission::default() };
        let digest_of = |change: fn(&mut Submission)| {
            let mut changed = original.clone();
            change(&mut changed);
            digest(&changed)
        };
        let same: [fn(&mut Submission); 2] = [
            |s| s.objects[0].classifications[0].id = Some("c".to_owned()),
            |s| s.objects[0].external_identifiers[0].id = Some("e".to_owned()),
        ];
        let other: [fn(&mut Submission); 9] = [
            |s| s.objects[0].id.push('x'),
            |s| s.objects[0].kind = Kind::Folder,
            |s| s.objects[0].home = Some(String::new()),
            |s| s.objects[0].lid = Some(String::new()),
            |s| s.objects[0].set_slot("", Vec::new()),
            |s| s.objects[0].name.push(Localized::default()),
            |s| s.objects[0].description.push(Localized::default()),
            |s| s.objects[0].association = Some(Association::default()),
            |s| s.object_refs.push(String::new()),
        ];
        assert!(same.iter().all(|change| digest_of(*change) == digest(&original)));
        let mut digests: Vec<_> = other.iter().map(|change| digest_of(*change)).collect();
        digests.push(digest(&original));
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), other.len() + 1);
    }
}
