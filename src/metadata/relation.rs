//! The types of associations (ITI TF-3: 4.2.2): what they are called, and what holds for their ends. One list for everyone
//! who reads, checks or keeps associations.

use super::codes::association;

/// A type of association that a submission may hold (ITI-41, ITI-42, ITI-61; the last two ITI-57 only). Registries keep the numbers: they never
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// From a SubmissionSet or a Folder to what is in it.
    HasMember = 1,
    /// RPLC
    Replace = 2,
    /// XFRM
    Transform = 3,
    /// APND
    Append = 4,
    /// XFRM_RPLC
    TransformReplace = 5,
    /// signs
    Signs = 6,
    /// From a stable entry to the on-demand entry that it is a snapshot of.
    IsSnapshotOf = 7,
    /// From the SubmissionSet of an update to an object whose status changes.
    UpdateAvailabilityStatus = 8,
    /// From the SubmissionSet of an update to an association that is added.
    SubmitAssociation = 9,
}

impl Relation {
    const ALL: &[(Self, &str)] = &[
        (Self::HasMember, association::HAS_MEMBER),
        (Self::Replace, association::RPLC),
        (Self::Transform, association::XFRM),
        (Self::Append, association::APND),
        (Self::TransformReplace, association::XFRM_RPLC),
        (Self::Signs, association::SIGNS),
        (Self::IsSnapshotOf, association::IS_SNAPSHOT_OF),
        (Self::UpdateAvailabilityStatus, association::UPDATE_AVAILABILITY_STATUS),
        (Self::SubmitAssociation, association::SUBMIT_ASSOCIATION),
    ];

    /// The type of that associationType.
    pub fn parse(urn: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == urn).map(|(relation, _)| *relation)
    }

    /// The type that registries keep under a number.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.iter().map(|(relation, _)| *relation).find(|relation| *relation as i64 == number)
    }

    /// Whether it asks for a change of what is registered (XDS Metadata Update), and has no place elsewhere.
    pub fn is_update(self) -> bool {
        matches!(self, Self::UpdateAvailabilityStatus | Self::SubmitAssociation)
    }

    /// Whether the target is replaced.
    pub fn replaces(self) -> bool {
        matches!(self, Self::Replace | Self::TransformReplace)
    }

    /// Whether the target must be in the registry already, and not in the submission (ITI TF-2: 3.42.4.1.3.5).
    pub fn has_target_in_registry(self) -> bool {
        self.replaces() || self == Self::IsSnapshotOf
    }

    /// Whether an associationDocumentation may stand in it (ITI TF-3: 4.2.2.2).
    pub fn can_be_documented(self) -> bool {
        self.replaces() || matches!(self, Self::Transform | Self::Append)
    }
}
