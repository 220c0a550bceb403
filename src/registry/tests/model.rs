//! Random histories of submissions, updates, removals, merges and questions, against a model that holds the same in a few
//! vectors.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::removal::{Named, named};
use super::*;
use crate::metadata::codes::association::{APND, RPLC, SIGNS, XFRM, XFRM_RPLC};

const PATIENTS: [&str; 3] = [PATIENT, OTHER_PATIENT, "P3^^^&1.2.3&ISO"];
const RELATIONS: [&str; 5] = [RPLC, XFRM_RPLC, XFRM, APND, SIGNS];

/// What happens. Numbers pick among what there is, and wrap around.
#[derive(Debug, Clone)]
enum Step {
    Submit { patient: usize, class: usize },
    Relate { relation: usize, target: usize, patient: usize },
    Folder { patient: usize },
    Put { folder: usize, entry: usize },
    Again { submission: usize },
    Deprecate { entry: usize },
    Update { entry: usize, class: usize, restricted: bool },
    Remove { entry: usize },
    Merge { surviving: usize, subsumed: usize },
    Compare { patient: usize, class: usize, entry: usize, folder: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..64usize;
    prop_oneof![
        2 => (number(), number()).prop_map(|(patient, class)| Step::Submit { patient, class }),
        4 => (number(), number(), number())
            .prop_map(|(relation, target, patient)| Step::Relate { relation, target, patient }),
        1 => number().prop_map(|patient| Step::Folder { patient }),
        3 => (number(), number()).prop_map(|(folder, entry)| Step::Put { folder, entry }),
        1 => number().prop_map(|submission| Step::Again { submission }),
        1 => number().prop_map(|entry| Step::Deprecate { entry }),
        3 => (number(), number(), any::<bool>())
            .prop_map(|(entry, class, restricted)| Step::Update { entry, class, restricted }),
        2 => number().prop_map(|entry| Step::Remove { entry }),
        1 => (number(), number()).prop_map(|(surviving, subsumed)| Step::Merge { surviving, subsumed }),
        4 => (number(), number(), number(), number())
            .prop_map(|(patient, class, entry, folder)| Step::Compare { patient, class, entry, folder }),
    ]
}

/// A version of an entry.
struct Entry {
    id: String,
    /// logicalID, and which of its versions this is.
    lid: String,
    version: usize,
    /// There is a newer one.
    superseded: bool,
    patient: &'static str,
    class: String,
    approved: bool,
    removed: bool,
    /// Metadata Update changed its status, and an association says so.
    updated: bool,
    /// Everything of its submission, if it came alone: what may be removed together.
    objects: Vec<String>,
}

struct FolderModel {
    id: String,
    patient: &'static str,
    members: BTreeSet<usize>,
}

#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    folders: Vec<FolderModel>,
    /// Relation, source, target.
    relations: Vec<(&'static str, usize, usize)>,
    accepted: Vec<Draft>,
    known: BTreeSet<&'static str>,
    subsumed: BTreeSet<&'static str>,
}

impl Model {
    fn add(&mut self, id: String, patient: &'static str, class: usize) {
        self.entries.push(Entry {
            lid: id.clone(),
            version: 1,
            superseded: false,
            id,
            patient,
            class: format!("class{}", class % 2),
            approved: true,
            removed: false,
            updated: false,
            objects: Vec::new(),
        });
    }
    /// Whether an entry can be said something of.
    fn is_approved(&self, entry: usize) -> bool {
        self.entries[entry].approved && !self.entries[entry].removed
    }
    /// Whether anything but its own submission refers to an entry.
    fn is_referred_to(&self, entry: usize) -> bool {
        self.entries[entry].updated
            || self.folders.iter().any(|folder| folder.members.contains(&entry))
            || self.relations.iter().any(|(_, source, target)| [*source, *target].contains(&entry))
    }
    fn deprecate(&mut self, entry: usize) {
        if !std::mem::replace(&mut self.entries[entry].approved, false) {
            return;
        }
        let children: Vec<usize> = self
            .relations
            .iter()
            .filter(|(relation, _, target)| *target == entry && [APND, XFRM].contains(relation))
            .map(|(_, source, _)| *source)
            .collect();
        children.into_iter().for_each(|child| self.deprecate(child));
    }

    /// Whether an older version of an entry is there.
    fn has_older(&self, entry: usize) -> bool {
        let this = &self.entries[entry];
        let is_older = |one: &Entry| one.lid == this.lid && one.version < this.version && !one.removed;
        self.entries.iter().any(is_older)
    }

    /// A new version of an entry, with another class: the latest version's is taken, by ITI-57 if it is approved.
    async fn update(&mut self, hosted: &Hosted, entry: usize, class: usize, update: Update) {
        let Entry { id, lid, version, patient, approved, superseded, .. } = &self.entries[entry];
        let (new, patient, approved, version) = (uuid(), *patient, *approved, *version);
        let mut object = hosted.object(id);
        rows::set_patient(&mut object, patient);
        let codes = object.classifications.iter_mut().filter_map(|one| one.node_representation.as_mut());
        let class = format!("class{}", class % 2);
        codes.filter(|code| code.starts_with("class")).for_each(|code| code.clone_from(&class));
        let draft = Draft::of(patient).version(object, &new, lid, &version.to_string());
        let Named { draft, .. } = named(draft);
        if *superseded || (update == Update::Full && !approved) {
            let before = hosted.dump();
            assert!(matches!(hosted.update(update, &draft).await, Registered::Refused(_)));
            assert_eq!(hosted.dump(), before);
            return;
        }
        assert_eq!(hosted.update(update, &draft).await, Registered::Accepted(vec![]));
        let newest = self.entries.len();
        let lid = lid.clone();
        let objects = draft.objects.iter().map(|object| object.id.clone()).collect();
        let old = &mut self.entries[entry];
        (old.superseded, old.approved) = (true, false);
        let version = version + 1;
        let (superseded, removed, updated) = (false, false, false);
        self.entries.push(Entry {
            id: new,
            lid,
            version,
            superseded,
            patient,
            class,
            approved,
            removed,
            updated,
            objects,
        });
        // What the old version was in, the new one is in too, but for what was said of versions that are none any more.
        for folder in self.folders.iter_mut().filter(|folder| folder.members.contains(&entry)) {
            folder.members.insert(newest);
        }
        let at_old = self
            .relations
            .clone()
            .into_iter()
            .filter(|(_, source, target)| [*source, *target].contains(&entry));
        for (relation, source, target) in at_old {
            let other = if source == entry { target } else { source };
            if !self.entries[other].superseded {
                let follow = |end| if end == entry { newest } else { end };
                self.relations.push((relation, follow(source), follow(target)));
            }
        }
    }

    async fn step(&mut self, hosted: &Hosted, step: &Step) {
        match *step {
            Step::Submit { patient, class } => {
                let (id, patient) = (uuid(), PATIENTS[patient % 3]);
                let class_code = code(&format!("class{}", class % 2));
                let draft =
                    named(Draft::of(patient).entry(entry_of(&id, patient).class_code(&class_code))).draft;
                if self.subsumed.contains(patient) {
                    hosted.refuse(&draft).await;
                    return;
                }
                hosted.accept(&draft).await;
                self.add(id, patient, class);
                let objects = draft.objects.iter().map(|object| object.id.clone()).collect();
                self.entries.last_mut().unwrap().objects = objects;
                self.accepted.push(draft);
                self.known.insert(patient);
            }
            Step::Relate { relation, target, patient } if !self.entries.is_empty() => {
                let (relation, target) = (RELATIONS[relation % 5], target % self.entries.len());
                // Now and then for the wrong patient.
                let patient = if patient == 0 { OTHER_PATIENT } else { self.entries[target].patient };
                let id = uuid();
                let new = entry_of(&id, patient).class_code(&code("class0"));
                let draft = Draft::of(patient).entry(new).relate(relation, &id, &self.entries[target].id);
                let subsumed = self.subsumed.contains(patient);
                if !self.is_approved(target) || self.entries[target].patient != patient || subsumed {
                    hosted.refuse(&draft).await;
                    return;
                }
                hosted.accept(&draft).await;
                let source = self.entries.len();
                self.add(id, patient, 0);
                if [RPLC, XFRM_RPLC].contains(&relation) {
                    self.deprecate(target);
                    for folder in self.folders.iter_mut().filter(|folder| folder.members.contains(&target)) {
                        folder.members.insert(source);
                    }
                }
                self.relations.push((relation, source, target));
            }
            Step::Folder { patient } => {
                let (id, patient) = (uuid(), PATIENTS[patient % 3]);
                if self.subsumed.contains(patient) {
                    hosted.refuse(&Draft::of(patient).folder(&id)).await;
                    return;
                }
                hosted.accept(&Draft::of(patient).folder(&id)).await;
                self.known.insert(patient);
                self.folders.push(FolderModel { id, patient, members: BTreeSet::new() });
            }
            Step::Put { folder, entry } if !self.folders.is_empty() && !self.entries.is_empty() => {
                let entry = entry % self.entries.len();
                let folders = self.folders.len();
                let folder = &mut self.folders[folder % folders];
                let draft = Draft::of(folder.patient).put(&folder.id, &self.entries[entry].id);
                if folder.members.contains(&entry) {
                    return;
                }
                let approved = self.entries[entry].approved && !self.entries[entry].removed;
                if !approved || self.entries[entry].patient != folder.patient {
                    hosted.refuse(&draft).await;
                    return;
                }
                hosted.accept(&draft).await;
                folder.members.insert(entry);
            }
            Step::Again { submission } if !self.accepted.is_empty() => {
                let again = &self.accepted[submission % self.accepted.len()];
                let before = hosted.dump();
                assert_eq!(hosted.register(again).await, Registered::Replayed(vec![]));
                assert_eq!(hosted.dump(), before);
            }
            Step::Deprecate { entry } if !self.entries.is_empty() => {
                let entry = entry % self.entries.len();
                if self.is_approved(entry) {
                    let Entry { id, patient, .. } = &self.entries[entry];
                    let change = Draft::of(patient).status(id, codes::APPROVED, codes::DEPRECATED);
                    hosted.updates(&change).await;
                    self.entries[entry].approved = false;
                    self.entries[entry].updated = true;
                }
            }
            Step::Update { entry, class, restricted } if !self.entries.is_empty() => {
                let entry = entry % self.entries.len();
                if !self.entries[entry].removed {
                    let update = if restricted { Update::Restricted } else { Update::Full };
                    self.update(hosted, entry, class, update).await;
                }
            }
            Step::Remove { entry } if !self.entries.is_empty() => {
                let entry = entry % self.entries.len();
                let ids: Vec<_> = self.entries[entry].objects.iter().map(String::as_str).collect();
                if ids.is_empty() {
                    return;
                }
                let before = hosted.dump();
                let removed = hosted.remove(&ids).await.is_empty();
                let goes = !self.is_referred_to(entry) && !self.entries[entry].removed;
                assert_eq!(removed, goes && !self.has_older(entry));
                if removed {
                    self.entries[entry].removed = true;
                    let gone = &self.entries[entry].id;
                    self.accepted.retain(|draft| draft.objects.iter().all(|object| object.id != *gone));
                } else {
                    assert_eq!(hosted.dump(), before);
                }
            }
            Step::Merge { surviving, subsumed } => {
                let (surviving, subsumed) = (PATIENTS[surviving % 3], PATIENTS[subsumed % 3]);
                let active = |patient| self.known.contains(patient) && !self.subsumed.contains(patient);
                let merges = surviving != subsumed && active(surviving) && active(subsumed);
                assert_eq!(hosted.merge(surviving, subsumed).await.is_ok(), merges);
                if merges {
                    self.subsumed.insert(subsumed);
                    let entries = self.entries.iter_mut().map(|entry| &mut entry.patient);
                    let patients = entries.chain(self.folders.iter_mut().map(|folder| &mut folder.patient));
                    patients.filter(|patient| **patient == subsumed).for_each(|patient| *patient = surviving);
                }
            }
            Step::Compare { patient, class, entry, folder } => {
                self.compare_find(hosted, PATIENTS[patient % 3], &format!("class{}", class % 2)).await;
                if !self.entries.is_empty() {
                    self.compare_related(hosted, entry % self.entries.len()).await;
                    self.compare_versions(hosted, entry % self.entries.len()).await;
                }
                if !self.folders.is_empty() {
                    self.compare_folder(hosted, folder % self.folders.len()).await;
                }
            }
            _ => {}
        }
    }

    async fn compare_find(&self, hosted: &Hosted, patient: &str, class: &str) {
        let (patient_value, class_value) = (quoted(&[patient]), quoted(&[&format!("{class}^^1.2.3.5")]));
        for (status, deprecated_too) in [(APPROVED, false), (ANY_STATUS, true)] {
            let expected = self.entries.iter().filter(|entry| {
                entry.patient == patient
                    && entry.class == class
                    && !entry.removed
                    && !entry.superseded
                    && (entry.approved || deprecated_too)
            });
            let mut expected: Vec<_> = expected.map(|entry| entry.id.clone()).collect();
            expected.sort();
            let parameters = [
                ("$XDSDocumentEntryPatientId", patient_value.as_str()),
                ("$XDSDocumentEntryStatus", status),
                ("$XDSDocumentEntryClassCode", &class_value),
            ];
            assert_eq!(hosted.find(FIND_DOCUMENTS, &parameters).await, expected);
        }
    }

    /// All versions of an entry, and its latest.
    async fn compare_versions(&self, hosted: &Hosted, entry: usize) {
        let lid = &self.entries[entry].lid;
        let versions: Vec<_> = self.entries.iter().filter(|one| one.lid == *lid && !one.removed).collect();
        let by_lid = quoted(&[lid]);
        let parameters = [("$XDSDocumentEntryLogicalID", by_lid.as_str()), ("$MetadataLevel", "2")];
        let all: Vec<_> = versions.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(hosted.find(GET_DOCUMENTS, &parameters).await, sorted(&all));
        let latest: Vec<_> =
            versions.iter().filter(|one| !one.superseded).map(|one| one.id.as_str()).collect();
        assert_eq!(hosted.find(GET_DOCUMENTS, &parameters[..1]).await, sorted(&latest));
    }

    async fn compare_related(&self, hosted: &Hosted, entry: usize) {
        if self.entries[entry].superseded {
            return;
        }
        for relation in RELATIONS {
            let mut expected = BTreeSet::new();
            for &(_, source, target) in self
                .relations
                .iter()
                .filter(|(known, source, target)| *known == relation && [source, target].contains(&&entry))
                .filter(|(_, source, target)| {
                    ![source, target].iter().any(|end| self.entries[**end].superseded)
                })
            {
                expected.extend([&self.entries[source].id, &self.entries[target].id]);
            }
            let (by_id, types) = (quoted(&[&self.entries[entry].id]), quoted(&[relation]));
            let parameters = [("$XDSDocumentEntryEntryUUID", by_id.as_str()), ("$AssociationTypes", &types)];
            let found = hosted.ask(GET_RELATED, ReturnType::LeafClass, &parameters).await;
            let entries = found.objects.iter().filter(|object| object.unique_id.is_some());
            assert_eq!(entries.map(|object| &object.id).collect::<BTreeSet<_>>(), expected);
        }
    }

    async fn compare_folder(&self, hosted: &Hosted, folder: usize) {
        let folder = &self.folders[folder];
        let by_id = quoted(&[&folder.id]);
        let found = hosted
            .ask(GET_FOLDER_AND_CONTENTS, ReturnType::LeafClass, &[("$XDSFolderEntryUUID", &by_id)])
            .await;
        let statuses: BTreeMap<_, _> = found
            .objects
            .iter()
            .filter(|object| object.unique_id.is_some())
            .map(|object| (object.id.clone(), hosted.status(&object.id) == "Approved"))
            .collect();
        let expected: BTreeMap<_, _> = folder
            .members
            .iter()
            .filter(|&&member| !self.entries[member].superseded)
            .map(|&member| (self.entries[member].id.clone(), self.entries[member].approved))
            .collect();
        assert_eq!(statuses, expected);
        // The folder, its entries, and one membership for each.
        assert_eq!(found.objects.len(), 1 + 2 * expected.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_end_as_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let hosted = Hosted::new();
            let mut model = Model::default();
            for step in &steps {
                model.step(&hosted, step).await;
            }
        });
    }
}
