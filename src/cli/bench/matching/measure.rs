//! Counts right, wrong and missed pairs, and times the work.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use serde::Serialize;

use super::set::{ErrorKind, Set};
use crate::cli::output::Output;
use crate::identity::matching::{Model, Prepared, Thresholds, Training, Verdict, candidates};

/// Thresholds at which links are counted; the automatic one is that of [`Thresholds`].
const AT: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];
/// Comparisons that are timed, at least: a small set is compared again and again.
const MEASURED_PAIRS: usize = 1_000_000;
/// Pairs that one core must compare in a second.
const PAIRS_PER_SECOND: f64 = 2e6;

/// Links counted against the truth.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Links {
    predicted: usize,
    wrong: usize,
    missed: usize,
    precision: f64,
    recall: f64,
    f: f64,
}

impl Links {
    fn new(right: usize, wrong: usize, all: usize) -> Self {
        let precision = share(right, right + wrong);
        let recall = share(right, all);
        let f = if right == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        Self { predicted: right + wrong, wrong, missed: all - right, precision, recall, f }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// How true pairs of one kind fared.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct OfKind {
    pairs: usize,
    linked: usize,
    review: usize,
}

/// What was measured of one set.
#[derive(Debug, Serialize)]
pub struct Measured {
    set: String,
    about: String,
    records: usize,
    true_pairs: usize,
    proposed: usize,
    proposed_true: usize,
    by_weights: BTreeMap<String, Links>,
    automatic: Links,
    persons: Links,
    found: f64,
    review_per_100: f64,
    wrong_twins: usize,
    wrong_twins_without_common_script: usize,
    wrong_relatives: usize,
    kinds: BTreeMap<String, OfKind>,
    seconds: BTreeMap<&'static str, f64>,
    compared_per_second: f64,
    targets: Vec<(String, bool)>,
}

/// A proposed pair that is not clearly two persons'.
struct Pair {
    one: u32,
    two: u32,
    probability: f64,
    verdict: Verdict,
}

impl Measured {
    /// Prepares, blocks, learns, compares and counts.
    pub fn of(set: &Set, show: usize) -> (Self, Model) {
        let mut seconds = BTreeMap::new();
        let prepared =
            timed(&mut seconds, "normalising", || set.records.iter().map(Prepared::of).collect::<Vec<_>>());
        let mut pairs = timed(&mut seconds, "blocking", || candidates(&prepared));
        pairs.retain(|(one, two)| set.counts(*one as usize, *two as usize));
        let training = Training { records: &prepared, candidates: &pairs, pairs: set.pairs() };
        let model = timed(&mut seconds, "learning", || Model::learn(&training));
        let thresholds = Thresholds::default();
        let packed = timed(&mut seconds, "packing", || model.pack(&prepared));
        let mut kept = Vec::new();
        model.compare_all(&packed, &pairs, |(one, two), comparison| {
            if comparison.probability >= thresholds.review.min(0.5) {
                let verdict = thresholds.verdict(&comparison);
                kept.push(Pair { one, two, probability: comparison.probability, verdict });
            }
        });
        let rounds = MEASURED_PAIRS / pairs.len().max(1) + 1;
        let started = Busy::now();
        let mut sum = 0.0;
        for _ in 0..rounds {
            model.compare_all(&packed, &pairs, |_, comparison| sum += comparison.probability);
        }
        let comparing = started.seconds();
        std::hint::black_box(sum);
        seconds.insert("comparing", comparing / rounds as f64);
        let truth = set.all_true_pairs();
        if show > 0 {
            examples(set, &kept, &truth, &pairs, &model, &prepared, show);
        }
        let mut measured = Self::counted(set, &kept, &truth);
        measured.proposed = pairs.len();
        measured.proposed_true =
            pairs.iter().filter(|(one, two)| set.same(*one as usize, *two as usize)).count();
        measured.compared_per_second = (pairs.len() * rounds) as f64 / comparing;
        measured.seconds = seconds;
        measured.targets = measured.targets_of(set);
        (measured, model)
    }

    fn counted(set: &Set, kept: &[Pair], truth: &[(u32, u32)]) -> Self {
        let same = |pair: &&Pair| set.same(pair.one as usize, pair.two as usize);
        let links = |chosen: &dyn Fn(&Pair) -> bool| {
            let predicted = kept.iter().filter(|pair| chosen(pair)).count();
            let right = kept.iter().filter(|pair| chosen(pair)).filter(same).count();
            Links::new(right, predicted - right, truth.len())
        };
        let by_weights =
            AT.iter().map(|at| (at.to_string(), links(&|pair: &Pair| pair.probability >= *at))).collect();
        let linked = |pair: &Pair| pair.verdict == Verdict::Same;
        let wrong = || kept.iter().filter(|pair| linked(pair) && !same(pair));
        let together = |pair: &&Pair, of: fn(&super::set::Truth) -> u32| {
            let of = |record: u32| set.truth.get(record as usize).map_or(0, of);
            of(pair.one) != 0 && of(pair.one) == of(pair.two)
        };
        let twins = |pair: &&Pair| together(pair, |truth| truth.twins);
        let relatives = |pair: &&Pair| together(pair, |truth| truth.household) && !twins(pair);
        let apart = |pair: &&Pair| kinds_of(set, pair.one, pair.two).contains(&ErrorKind::NoCommonScript);
        let in_review = kept.iter().filter(|pair| pair.verdict == Verdict::Review).count();
        let found = kept.iter().filter(same).filter(|pair| pair.verdict != Verdict::Different).count();
        Self {
            set: set.name.clone(),
            about: set.about.clone(),
            records: set.records.len(),
            true_pairs: truth.len(),
            proposed: 0,
            proposed_true: 0,
            by_weights,
            automatic: links(&linked),
            persons: within_persons(set, kept, truth.len()),
            found: share(found, truth.len()),
            review_per_100: in_review as f64 * 100.0 / set.records.len().max(1) as f64,
            wrong_twins: wrong().filter(twins).filter(|pair| !apart(pair)).count(),
            wrong_twins_without_common_script: wrong().filter(twins).filter(apart).count(),
            wrong_relatives: wrong().filter(relatives).count(),
            kinds: by_kind(set, kept, truth),
            seconds: BTreeMap::new(),
            compared_per_second: 0.0,
            targets: Vec::new(),
        }
    }

    fn targets_of(&self, set: &Set) -> Vec<(String, bool)> {
        let reach = &set.reach;
        let links = self.deciding(set);
        let mut targets = vec![
            (format!("precision ≥ {}", reach.precision), links.precision >= reach.precision),
            (format!("≥ {} M pairs/s", PAIRS_PER_SECOND / 1e6), self.compared_per_second >= PAIRS_PER_SECOND),
        ];
        for (name, due, is) in [
            ("recall", reach.recall, links.recall),
            ("F", reach.f, links.f),
            ("linked or in review", reach.found, self.found),
        ] {
            if due > 0.0 {
                targets.push((format!("{name} ≥ {due}"), is >= due));
            }
        }
        if reach.review.is_finite() {
            targets.push((
                format!("≤ {} review pairs per 100 records", reach.review),
                self.review_per_100 <= reach.review,
            ));
            targets.push((
                "no wrong link among twins whose given names are known".to_owned(),
                self.wrong_twins == 0,
            ));
        }
        targets
    }
    /// FEBRL is measured by the weights alone at the automatic threshold.
    fn deciding(&self, set: &Set) -> Links {
        let at = Thresholds::default().link.to_string();
        if set.by_weights { self.by_weights.get(&at).copied().unwrap_or_default() } else { self.automatic }
    }
    /// Precision and recall of automatic links.
    #[cfg(test)]
    pub fn precision_and_recall(&self) -> (f64, f64) {
        (self.automatic.precision, self.automatic.recall)
    }
    /// Whether all targets are met.
    pub fn met(&self) -> bool {
        self.targets.iter().all(|(_, met)| *met)
    }

    /// For people.
    pub fn show(&self, output: Output) {
        let row = |name: String, links: &Links| {
            let part = |part: f64| format!("{part:.5}");
            [
                name,
                part(links.precision),
                part(links.recall),
                part(links.f),
                links.wrong.to_string(),
                links.missed.to_string(),
            ]
        };
        let mut rows: Vec<_> =
            self.by_weights.iter().map(|(at, links)| row(format!("by weights, p ≥ {at}"), links)).collect();
        rows.push(row("linked automatically".to_owned(), &self.automatic));
        rows.push(row("within the persons that result".to_owned(), &self.persons));
        output.table(["links", "precision", "recall", "F", "wrong", "missed"], &rows);
        let seconds: Vec<_> =
            self.seconds.iter().map(|(work, seconds)| format!("{work} {seconds:.2} s")).collect();
        output.line(&format!(
            "blocking proposed {} pairs, {} of the {} true ones; {}; {:.2} M pairs/s compared",
            self.proposed,
            self.proposed_true,
            self.true_pairs,
            seconds.join(", "),
            self.compared_per_second / 1e6
        ));
        output.line(&format!(
            "linked or in review: {:.5} of true pairs; {:.2} review pairs per 100 records; wrong links among twins {} (and {} whose names are in different scripts), among other relatives {}",
            self.found,
            self.review_per_100,
            self.wrong_twins,
            self.wrong_twins_without_common_script,
            self.wrong_relatives
        ));
        if self.kinds.len() > 1 {
            let row = |(kind, of): (&String, &OfKind)| {
                let found = share(of.linked + of.review, of.pairs);
                [
                    kind.clone(),
                    of.pairs.to_string(),
                    format!("{:.4}", share(of.linked, of.pairs)),
                    format!("{found:.4}"),
                ]
            };
            output.table(
                ["true pairs with", "pairs", "linked", "or in review"],
                &self.kinds.iter().map(row).collect::<Vec<_>>(),
            );
        }
        let targets: Vec<_> = self
            .targets
            .iter()
            .map(|(target, met)| format!("{target}: {}", if *met { "met" } else { "MISSED" }))
            .collect();
        output.line(&targets.join("; "));
        output.line("");
    }
}

fn timed<T>(seconds: &mut BTreeMap<&'static str, f64>, work: &'static str, run: impl FnOnce() -> T) -> T {
    let started = Busy::now();
    let result = run();
    seconds.insert(work, started.seconds());
    result
}

/// Time that this thread has worked: what others do on the machine does not count. By the clock, where the system does not
/// tell.
struct Busy {
    worked: Option<f64>,
    began: Instant,
}

impl Busy {
    fn now() -> Self {
        Self { worked: Self::worked(), began: Instant::now() }
    }
    fn worked() -> Option<f64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    }
    fn seconds(&self) -> f64 {
        let worked = self.worked.and_then(|before| Some(Self::worked()? - before));
        worked.unwrap_or_else(|| self.began.elapsed().as_secs_f64()).max(1e-9)
    }
}

/// All pairs within the persons that automatic links come to.
fn within_persons(set: &Set, kept: &[Pair], all: usize) -> Links {
    let mut leader: Vec<usize> = (0..set.records.len()).collect();
    fn find(leader: &mut [usize], mut record: usize) -> usize {
        while leader[record] != record {
            leader[record] = leader[leader[record]];
            record = leader[record];
        }
        record
    }
    for pair in kept.iter().filter(|pair| pair.verdict == Verdict::Same) {
        let (one, two) = (find(&mut leader, pair.one as usize), find(&mut leader, pair.two as usize));
        leader[one] = two;
    }
    let mut persons: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for record in 0..leader.len() {
        let person = find(&mut leader, record);
        persons.entry(person).or_default().push(record);
    }
    let (mut right, mut wrong) = (0, 0);
    for records in persons.values() {
        for (place, one) in records.iter().enumerate() {
            for two in records.iter().skip(place + 1).filter(|two| set.counts(*one, **two)) {
                *(if set.same(*one, *two) { &mut right } else { &mut wrong }) += 1;
            }
        }
    }
    Links::new(right, wrong, all)
}

fn kinds_of(set: &Set, one: u32, two: u32) -> Vec<ErrorKind> {
    let (Some(a), Some(b)) = (set.truth.get(one as usize), set.truth.get(two as usize)) else {
        return Vec::new();
    };
    let mut kinds: Vec<_> = a.errors.iter().chain(&b.errors).copied().collect();
    if a.scripts & b.scripts == 0 && a.scripts != 0 {
        kinds.push(ErrorKind::NoCommonScript);
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn by_kind(set: &Set, kept: &[Pair], truth: &[(u32, u32)]) -> BTreeMap<String, OfKind> {
    let of_verdict = |verdict| -> HashSet<(u32, u32)> {
        kept.iter().filter(|pair| pair.verdict == verdict).map(|pair| (pair.one, pair.two)).collect()
    };
    let (linked, review) = (of_verdict(Verdict::Same), of_verdict(Verdict::Review));
    let mut kinds: BTreeMap<String, OfKind> = BTreeMap::new();
    for pair in truth {
        let mut names: Vec<_> =
            kinds_of(set, pair.0, pair.1).iter().map(|kind| format!("{kind:?}")).collect();
        if names.is_empty() {
            names.push("none".to_owned());
        }
        for name in names {
            let of = kinds.entry(name).or_default();
            of.pairs += 1;
            of.linked += usize::from(linked.contains(pair));
            of.review += usize::from(review.contains(pair));
        }
    }
    kinds
}

/// Wrong and missed pairs by the levels of their fields: generated or public data, never a patient's.
fn examples(
    set: &Set,
    kept: &[Pair],
    truth: &[(u32, u32)],
    proposed: &[(u32, u32)],
    model: &Model,
    prepared: &[Prepared],
    most: usize,
) {
    let describe = |what: &str, one: u32, two: u32| {
        let (Some(a), Some(b)) = (prepared.get(one as usize), prepared.get(two as usize)) else { return };
        let levels: Vec<_> = model
            .explain(a, b)
            .iter()
            .map(|field| format!("{}: {} ({:+.1})", field.field, field.level, field.weight))
            .collect();
        let comparison = model.compare(a, b);
        let blocked = if proposed.binary_search(&(one, two)).is_ok() { "" } else { " NOT PROPOSED" };
        eprintln!(
            "{what}{blocked} p {:.4} barred {} {:?} {}",
            comparison.probability,
            comparison.barred,
            kinds_of(set, one, two),
            levels.join(", ")
        );
    };
    let linked =
        |pair: &&Pair| if set.by_weights { pair.probability >= 0.9 } else { pair.verdict == Verdict::Same };
    let wrong = kept.iter().filter(linked).filter(|pair| !set.same(pair.one as usize, pair.two as usize));
    wrong.take(most).for_each(|pair| describe("wrong", pair.one, pair.two));
    let right: HashSet<_> = kept.iter().filter(linked).map(|pair| (pair.one, pair.two)).collect();
    let missed = truth.iter().filter(|pair| !right.contains(*pair));
    missed.take(most).for_each(|(one, two)| describe("missed", *one, *two));
    let doubtful = kept
        .iter()
        .filter(|pair| pair.verdict == Verdict::Review && !set.same(pair.one as usize, pair.two as usize));
    doubtful.take(most).for_each(|pair| describe("in vain in review", pair.one, pair.two));
}
