//! Row 8: ten answers of a thousand entries each become one, in this process and on one core.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::data;
use super::figures::{Figures, Row};
use crate::federation::consolidate::{judge, merge};
use crate::federation::member::{Member, Role};
use crate::ids::HomeCommunityId;
use crate::metadata::{Kind, codes};
use crate::transactions::errors::Status;
use crate::transactions::iti18::{
    ObjectKind, QueryResponse, RegistryObject, read_response, with_home, write_response,
};
use crate::wire::xml::{Tree, Writer};

const COMMUNITIES: u64 = 10;
const ENTRIES: u64 = 1_000;
const MEASURED: Duration = Duration::from_secs(3);

/// Row 8.
pub fn row() -> Result<Vec<Row>, String> {
    let answers: Vec<_> = (1..=COMMUNITIES).map(answer).collect::<Result<_, _>>()?;
    let bytes: usize = answers.iter().map(|(_, body)| body.len()).sum();
    let expected = (COMMUNITIES * ENTRIES) as usize;
    let (start, mut rounds, mut written) = (Instant::now(), 0u32, 0usize);
    while start.elapsed() < MEASURED {
        let judged = answers.iter().map(|(member, body)| {
            let tree = Tree::parse(body.clone()).map_err(|error| error.to_string())?;
            let response = read_response(tree.root()).map_err(|error| error.to_string())?;
            Ok(judge(member, Ok(response)))
        });
        let merged = merge(judged.collect::<Result<_, String>>()?);
        if merged.objects.len() != expected {
            return Err(format!("{} of {expected} entries were merged", merged.objects.len()));
        }
        written = write_response(&merged).concat().len();
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64() / f64::from(rounds);
    let rate = (bytes + written) as f64 / 2.0 / seconds / 1e6;
    let copied = copy_rate(&answers);
    Ok(vec![Row {
        work: format!(
            "row 8: merge of {COMMUNITIES} × {ENTRIES} entries ({} MB; memcpy does {copied:.0} MB/s)",
            bytes / 1_000_000
        ),
        ours: Figures { cpu: Some(seconds * 1e3), ..Figures::default() },
        limit: Figures { cpu: Some(bytes as f64 / copied / 1e3), ..Figures::default() },
        reach: "≥ 200 MB/s per core".into(),
        reached: format!("{rate:.0} MB/s"),
        met: Some(rate >= 200.0),
    }])
}

fn copy_rate(answers: &[(Member, Bytes)]) -> f64 {
    let (start, mut copied) = (Instant::now(), 0usize);
    while start.elapsed() < Duration::from_millis(500) {
        copied += answers.iter().map(|(_, body)| std::hint::black_box(body.to_vec()).len()).sum::<usize>();
    }
    copied as f64 / start.elapsed().as_secs_f64() / 1e6
}

/// One community's answer as bytes.
fn answer(number: u64) -> Result<(Member, Bytes), String> {
    let home = HomeCommunityId::parse(&format!("urn:oid:1.2.392.200270.4.97.{number}"))
        .map_err(|error| error.to_string())?;
    let submission = data::registration(&data::patient(number), number, ENTRIES);
    let objects = submission.of(Kind::DocumentEntry).map(|entry| {
        let mut entry = entry.clone();
        entry.status = Some(codes::APPROVED.into());
        entry.lid = Some(entry.id.clone());
        let mut out = Writer::with_capacity(8 * 1024);
        entry.write(&mut out);
        let object = RegistryObject {
            kind: ObjectKind::DocumentEntry,
            id: entry.id.clone(),
            home: None,
            unique_id: None,
            repository: None,
            hash: None,
            size: None,
            patient_id: None,
            xml: (out.finish().into(), Bytes::new()),
        };
        with_home(object, &home.to_urn())
    });
    let response = QueryResponse { status: Status::Success, errors: Vec::new(), objects: objects.collect() };
    Ok((Member::new(Role::Peer, home.to_urn(), home, Vec::new()), write_response(&response).concat().into()))
}
