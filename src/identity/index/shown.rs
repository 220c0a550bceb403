//! What people are shown of a person: records, links and why, what is held apart, what is to be decided.

use super::decisions::Decision;
use super::insured::Dated;
use super::links::{Cause, Doubt, Origin, Pair};
use super::schema::Tables;
use crate::demographics::Demographics;
use crate::identity::matching::Explained;
use crate::ids::PatientId;
use crate::store::StoreError;

/// A person, with everything that makes it one.
#[derive(Debug)]
pub struct Shown {
    /// Its records, oldest first.
    pub records: Vec<ShownRecord>,
    /// Why they are one person's.
    pub links: Vec<ShownLink>,
    /// Records that an operator holds apart from one of these: whom from whom, and by whom.
    pub bars: Vec<(PatientId, PatientId, String)>,
    /// Pairs with one of these that people must decide.
    pub reviews: Vec<Review>,
    /// What operators decided about them.
    pub decisions: Vec<Decision>,
}

/// A record.
#[derive(Debug)]
pub struct ShownRecord {
    /// Whose.
    pub patient: PatientId,
    /// Current values.
    pub demographics: Demographics,
    /// Earlier ones, latest first, with the second (since 1970) until which they held.
    pub former: Vec<(i64, Demographics)>,
    /// Insured persons' numbers, those that ended too.
    pub insured: Vec<Dated>,
}

/// Why two records are one person's.
#[derive(Debug)]
pub struct ShownLink {
    /// The two.
    pub patients: (PatientId, PatientId),
    /// Who decided.
    pub origin: Origin,
    /// The operator's name.
    pub operator: Option<String>,
    /// How sure the matcher was.
    pub probability: Option<f64>,
    /// Seconds since 1970.
    pub since: i64,
    /// Field by field: how the two agree in it, and what that counts for.
    pub fields: Vec<Explained>,
}

/// A pair that people must decide.
#[derive(Debug)]
pub struct Review {
    /// Its number.
    pub number: u64,
    /// The two.
    pub patients: (PatientId, PatientId),
    /// What they are like.
    pub demographics: (Demographics, Demographics),
    /// Why.
    pub cause: Cause,
    /// How sure the matcher is.
    pub probability: f64,
    /// Seconds since 1970.
    pub since: i64,
    /// Field by field: how the two agree in it, and what that counts for.
    pub fields: Vec<Explained>,
}

impl Tables<'_> {
    /// The person of a record.
    pub(super) fn show(self, person: i64) -> Result<Shown, StoreError> {
        let members = self.members(person)?;
        let mut shown = Shown {
            records: Vec::new(),
            links: Vec::new(),
            bars: Vec::new(),
            reviews: Vec::new(),
            decisions: self.decisions(&members)?,
        };
        for &member in &members {
            shown.records.push(self.show_record(member)?);
            for bar in self.bars_of(member)? {
                let (one, another) = self.both(Pair(member, bar.pair.other(member)))?;
                shown.bars.push((one, another, bar.operator));
            }
            for doubt in self.doubts_of(member)? {
                shown.reviews.extend(self.show_doubt(&doubt)?);
            }
        }
        for link in self.links_among(&members)? {
            shown.links.push(ShownLink {
                patients: self.both(link.pair)?,
                origin: link.origin,
                operator: link.operator,
                probability: link.probability,
                since: link.since,
                fields: self.explain(link.pair)?,
            });
        }
        Ok(shown)
    }

    fn show_record(self, number: i64) -> Result<ShownRecord, StoreError> {
        let insured = self
            .insurances(number)?
            .into_iter()
            .map(|has| Ok(Dated { patient: self.identifier(has.domain, &has.id)?, validity: has.validity }));
        Ok(ShownRecord {
            patient: self.identifier_of(number)?,
            demographics: self.content(number)?.0,
            former: self.former(number)?,
            insured: insured.collect::<Result<_, StoreError>>()?,
        })
    }

    /// Pairs behind a number that people must decide.
    pub(super) fn reviews(self, after: u64, most: usize) -> Result<Vec<Review>, StoreError> {
        let mut reviews = Vec::new();
        let mut after = self.global(after);
        while reviews.len() < most {
            let doubts = self.doubts_after(after, most)?;
            let Some(last) = doubts.last() else { break };
            after = last.number;
            for doubt in &doubts {
                reviews.extend(self.show_doubt(doubt)?);
            }
        }
        reviews.truncate(most);
        Ok(reviews)
    }

    /// The pair of a review that is open.
    pub(super) fn reviewed(self, number: u64) -> Result<Option<(PatientId, PatientId)>, StoreError> {
        let number = self.global(number);
        let doubts = self.doubts_after(number - 1, 1)?;
        doubts.into_iter().find(|doubt| doubt.number == number).map(|doubt| self.both(doubt.pair)).transpose()
    }

    /// A pair to decide; None if other links have joined the two meanwhile.
    fn show_doubt(self, doubt: &Doubt) -> Result<Option<Review>, StoreError> {
        let Pair(one, another) = doubt.pair;
        if self.person_of(one)? == self.person_of(another)? {
            return Ok(None);
        }
        Ok(Some(Review {
            number: self.local(doubt.number),
            patients: self.both(doubt.pair)?,
            demographics: (self.content(one)?.0, self.content(another)?.0),
            cause: doubt.cause,
            probability: doubt.probability,
            since: doubt.since,
            fields: self.explain(doubt.pair)?,
        }))
    }

    fn both(self, pair: Pair) -> Result<(PatientId, PatientId), StoreError> {
        Ok((self.identifier_of(pair.0)?, self.identifier_of(pair.1)?))
    }

    fn explain(self, pair: Pair) -> Result<Vec<Explained>, StoreError> {
        Ok(match (self.comparable(pair.0)?, self.comparable(pair.1)?) {
            (Some(one), Some(another)) => self.matcher.model.explain(&one.prepared, &another.prepared),
            _ => Vec::new(),
        })
    }
}
