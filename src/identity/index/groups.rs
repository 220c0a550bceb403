//! Records that hang together, while links between them are added one by one. Pure.
//!
//! Two groups that may not be joined may not be joined in whatever they grow into, either. So each pair of records is looked
//! at once, however many links there are between their groups: newborns of one day may all be described alike.

use std::collections::{BTreeMap, BTreeSet};

use super::links::Pair;
use crate::limits;

/// Records by the group that they are in.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    of: BTreeMap<i64, usize>,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Default)]
struct Group {
    members: BTreeSet<i64>,
    /// Groups that must not be joined with it.
    apart: BTreeSet<usize>,
}

impl Groups {
    /// These records, joined by those links.
    pub(super) fn linked(
        records: impl IntoIterator<Item = i64>,
        links: impl IntoIterator<Item = Pair>,
    ) -> Self {
        let mut groups = Self::default();
        for record in records {
            groups.place(record);
        }
        for link in links {
            groups.join(link);
        }
        groups
    }

    /// With whom a record is, itself included.
    pub(super) fn with(&self, record: i64) -> BTreeSet<i64> {
        let group = self.of.get(&record).and_then(|group| self.groups.get(*group));
        group.map_or_else(|| BTreeSet::from([record]), |group| group.members.clone())
    }

    /// Whether two records are in one group.
    pub(super) fn are_one(&self, pair: Pair) -> bool {
        self.of.get(&pair.0).is_some_and(|group| self.of.get(&pair.1) == Some(group))
    }

    /// All groups, by their lowest records.
    pub(super) fn all(&self) -> Vec<&BTreeSet<i64>> {
        let mut all: Vec<_> = self.groups.iter().map(|group| &group.members).collect();
        all.retain(|members| !members.is_empty());
        all.sort_unstable_by_key(|members| members.first().copied());
        all
    }

    /// Joins the groups of a pair, unless together they were too many or a record of the one contradicts a record of the
    /// other. Whether they are one group then.
    pub(super) fn join_unless<E>(
        &mut self,
        pair: Pair,
        mut contradict: impl FnMut(Pair) -> Result<bool, E>,
    ) -> Result<bool, E> {
        if self.are_one(pair) {
            return Ok(true);
        }
        let (one, another) = (self.place(pair.0), self.place(pair.1));
        if self.groups.get(one).is_some_and(|group| group.apart.contains(&another)) {
            return Ok(false);
        }
        let (mine, theirs) = (self.with(pair.0), self.with(pair.1));
        let mut apart = mine.len() + theirs.len() > limits::MAX_RECORDS_PER_PERSON;
        let mut pairs = pairs(&mine, &theirs);
        while let Some(pair) = pairs.next().filter(|_| !apart) {
            apart = contradict(pair)?;
        }
        match apart {
            true => self.hold_apart(one, another),
            false => self.join(pair),
        }
        Ok(!apart)
    }

    fn place(&mut self, record: i64) -> usize {
        let new = self.groups.len();
        let group = *self.of.entry(record).or_insert(new);
        if group == new {
            self.groups.push(Group { members: BTreeSet::from([record]), apart: BTreeSet::new() });
        }
        group
    }

    fn hold_apart(&mut self, one: usize, another: usize) {
        for (group, other) in [(one, another), (another, one)] {
            if let Some(group) = self.groups.get_mut(group) {
                group.apart.insert(other);
            }
        }
    }

    fn join(&mut self, pair: Pair) {
        let (one, another) = (self.place(pair.0), self.place(pair.1));
        let size = |group: usize| self.groups.get(group).map_or(0, |group| group.members.len());
        let (stays, ends) = if size(one) < size(another) { (another, one) } else { (one, another) };
        if stays == ends {
            return;
        }
        let ended = self.groups.get_mut(ends).map(std::mem::take).unwrap_or_default();
        self.of.extend(ended.members.iter().map(|member| (*member, stays)));
        for &other in &ended.apart {
            if let Some(other) = self.groups.get_mut(other) {
                other.apart.remove(&ends);
            }
            self.hold_apart(stays, other);
        }
        if let Some(group) = self.groups.get_mut(stays) {
            group.members.extend(ended.members);
        }
    }
}

/// All pairs of a record of one set and a record of another.
pub(super) fn pairs<'a>(
    one: &'a BTreeSet<i64>,
    another: &'a BTreeSet<i64>,
) -> impl Iterator<Item = Pair> + 'a {
    one.iter().flat_map(|&a| another.iter().map(move |&b| Pair::of(a, b)))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Joins pairs in their order; who is one group then, and at how many pairs was looked.
    fn joined(pairs: &[Pair], contradict: impl Fn(Pair) -> bool) -> (Groups, usize) {
        let (mut groups, mut looks) = (Groups::default(), 0);
        for pair in pairs {
            let looking = |pair| {
                looks += 1;
                Ok::<_, Infallible>(contradict(pair))
            };
            let Ok(_) = groups.join_unless(*pair, looking);
        }
        (groups, looks)
    }

    #[test]
    fn two_thousand_who_are_alike_are_looked_at_once_each() {
        const ALIKE: i64 = 2_000;
        let most = limits::MAX_LINKS_FOUND as i64;
        let links = (1..ALIKE).flat_map(|record| (record - most..record).map(move |other| (record, other)));
        let mut links: Vec<_> = links.filter(|(_, other)| *other >= 0).collect();
        // In no order that helps.
        links.sort_unstable_by_key(|(record, other)| (record * 7_919 + other * 104_729) % 10_007);
        let links: Vec<_> = links.into_iter().map(|(record, other)| Pair::of(record, other)).collect();
        let (groups, looks) = joined(&links, |_| false);
        let sizes: Vec<_> = groups.all().into_iter().map(BTreeSet::len).collect();
        assert_eq!(sizes.iter().sum::<usize>(), ALIKE as usize);
        assert!(sizes.iter().all(|size| *size <= limits::MAX_RECORDS_PER_PERSON), "{sizes:?}");
        // Every pair within a group was looked at, and none between two.
        assert_eq!(looks, sizes.iter().map(|size| size * (size - 1) / 2).sum::<usize>());
        // Twins in each ward: whoever is refused is refused once.
        let (_, looks) = joined(&links, |pair| pair.0 % 2 != pair.1 % 2);
        assert!(looks < ALIKE as usize * limits::MAX_RECORDS_PER_PERSON * 2, "{looks}");
    }

    #[test]
    fn whoever_is_held_apart_stays_apart_in_what_the_groups_grow_into() {
        let pair = Pair::of;
        let links = [pair(1, 2), pair(2, 3), pair(3, 4), pair(4, 5), pair(5, 6), pair(1, 6), pair(7, 2)];
        let (groups, looks) = joined(&links, |between| between == pair(2, 3));
        let all: Vec<Vec<i64>> =
            groups.all().into_iter().map(|group| group.iter().copied().collect()).collect();
        assert_eq!(all, [vec![1, 2, 7], vec![3, 4, 5, 6]]);
        assert!(groups.are_one(pair(3, 6)) && !groups.are_one(pair(1, 6)));
        assert_eq!((groups.with(7).len(), groups.with(99).len()), (3, 1));
        // 1-2; 1-3 or not and 2-3; 3-4; 3-5, 4-5; 3-6, 4-6, 5-6; 7-1, 7-2.
        assert!(looks <= 11, "{looks}");
    }
}
