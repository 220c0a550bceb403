//! Small figures on messages in memory: `cargo bench`. The whole product's figures are those of `sekisho bench`.

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sekisho::metadata::rim::Submission;
use sekisho::metadata::validate::{Context, validate};
use sekisho::transactions::iti18;
use sekisho::wire::xml::Tree;

/// A registry answer as our own tests have it, its entry repeated.
const ANSWER: &str = include_str!("../tests/golden/transactions/iti18-success.xml");
const SUBMISSION: &str = include_str!("../tests/golden/transactions/iti42-request.xml");

fn main() {
    divan::main();
}

/// An answer with that many entries.
fn answer(entries: usize) -> Bytes {
    let (from, to) = (ANSWER.find("<ns4:ExtrinsicObject"), ANSWER.find("<ns4:ObjectRef"));
    let (Some(from), Some(to)) = (from, to) else { return Bytes::from_static(ANSWER.as_bytes()) };
    let objects = ANSWER[from..to].repeat(entries);
    format!("{}{objects}{}", &ANSWER[..from], &ANSWER[to..]).into()
}

#[divan::bench(args = [1, 50, 1_000])]
fn xml_parse(bencher: Bencher<'_, '_>, entries: usize) {
    let bytes = answer(entries);
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| Tree::parse(black_box(bytes.clone())));
}

#[divan::bench(args = [1, 50, 1_000])]
fn answer_in_and_out(bencher: Bencher<'_, '_>, entries: usize) {
    let bytes = answer(entries);
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        let tree = Tree::parse(black_box(bytes.clone())).ok()?;
        let response = iti18::read_response(tree.root()).ok()?;
        Some(iti18::write_response(&response))
    });
}

#[divan::bench]
fn submission_read_and_validate(bencher: Bencher<'_, '_>) {
    let bytes = Bytes::from_static(SUBMISSION.as_bytes());
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        let tree = Tree::parse(black_box(bytes.clone())).ok()?;
        let submission = Submission::read(tree.root()).ok()?;
        Some(validate(&submission, Context::Register).len())
    });
}
