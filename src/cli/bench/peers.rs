//! Rows 6 and 7: a question to many communities that each answer in 50 ms, with and without silent ones.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::figures::{Figures, Row};
use super::load::{self, Outcome, Shot};
use super::setting::{Neighbour, Region};
use super::{Run, data};
use crate::metadata::Kind;
use crate::transactions::errors::Status;
use crate::transactions::iti18::{
    ITI18, ObjectKind, QueryResponse, RegistryObject, ReturnType, with_home, write_response,
};
use crate::transactions::iti38::ITI38;
use crate::wire::http::{Client, ClientSettings};
use crate::wire::soap::{Form, Outgoing, send};
use crate::wire::xml::Writer;

/// What each community takes for its answer.
const THINKING: Duration = Duration::from_millis(50);
/// The deadline of the question with silent communities.
const DEADLINE: Duration = Duration::from_secs(2);
const QUESTIONS: usize = 40;

/// Rows 6 and 7.
pub async fn fan_out(run: &Run) -> Result<Vec<Row>, String> {
    let address = communities().await?;
    Ok(vec![
        all_answer(run, address, 10, 5.0).await?,
        all_answer(run, address, 250, 25.0).await?,
        some_are_silent(run, address, 250).await?,
    ])
}

fn home(number: usize) -> String {
    format!("urn:oid:1.2.392.200270.4.97.{number}")
}

/// Row 6: nobody is silent.
async fn all_answer(run: &Run, address: SocketAddr, count: usize, at_most: f64) -> Result<Row, String> {
    let (outcome, figures) = ask(run, address, "answering", count, QUESTIONS).await?;
    let overhead = outcome.quantile(0.5) - THINKING.as_secs_f64() * 1e3;
    Ok(Row {
        work: format!("row 6: ITI-38 to {count} communities of 50 ms"),
        reach: format!("≤ {at_most} ms more"),
        reached: format!("{overhead:.1} ms more"),
        met: Some(overhead <= at_most),
        ours: figures,
        limit: Figures::default(),
    })
}

/// Row 7: one in ten never answers.
async fn some_are_silent(run: &Run, address: SocketAddr, count: usize) -> Result<Row, String> {
    let (outcome, figures) = ask(run, address, "silent", count, 2).await?;
    let beyond = outcome.quantile(1.0) - DEADLINE.as_secs_f64() * 1e3;
    Ok(Row {
        work: format!("row 7: the same, {} of {count} silent, all live results there", count / 10),
        reach: "≤ 50 ms behind the deadline".into(),
        reached: format!("{beyond:+.1} ms"),
        met: Some(beyond <= 50.0),
        ours: figures,
        limit: Figures::default(),
    })
}

/// Asks through a gateway, one question after the other.
async fn ask(
    run: &Run,
    address: SocketAddr,
    kind: &str,
    count: usize,
    questions: usize,
) -> Result<(Outcome, Figures), String> {
    let patient = data::patient(1);
    let neighbours: Vec<_> = (0..count)
        .map(|number| Neighbour { home: home(number), base: format!("http://{address}/{kind}/{number}") })
        .collect();
    let mut region = Region::new(run, &format!("fan-out-{kind}-{count}"), 5)?;
    region.deadline_ms = Some(DEADLINE.as_millis() as u64);
    let gateway = region.start(&neighbours, std::slice::from_ref(&patient))?;
    let (content_type, body) =
        data::query_request(ITI18, &data::find_documents(&patient, ReturnType::LeafClass)).await?;
    let url = format!("{}/services/iti-18", gateway.http());
    let shot = Shot {
        url: url.parse().map_err(|_| url.clone())?,
        content_type,
        body: Arc::new(move |_| body.clone()),
        expect: "AdhocQueryResponse",
    };
    let client = Client::new(&ClientSettings::default()).map_err(|error| error.to_string())?;
    let silent = if kind == "silent" { count / 10 } else { 0 };
    let mut outcome = Outcome::default();
    // The first question opens the connections.
    if silent == 0 {
        load::exchange(&client, &shot, 0).await?;
    }
    let before = gateway.cpu_seconds();
    for number in 0..questions {
        let began = Instant::now();
        let answer = load::exchange(&client, &shot, number as u64).await?.concat();
        outcome.millis.push(began.elapsed().as_secs_f64() * 1e3);
        outcome.good += 1;
        let found = memchr::memmem::find_iter(&answer, b"<rim:ExtrinsicObject ").count();
        if found != count - silent {
            return Err(format!("{found} of {} live communities are in the answer", count - silent));
        }
    }
    let cpu = gateway.cpu_seconds() - before;
    outcome.seconds = outcome.millis.iter().sum::<f64>() / 1e3;
    outcome.millis.sort_by(f64::total_cmp);
    let figures = Figures::of(&outcome, cpu, gateway.peak_mib());
    Ok((outcome, figures))
}

/// Communities in this process: `/answering/N/…` answers after 50 ms with one entry, `/silent/N/…` the same but for every
/// tenth, which never does.
async fn communities() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.set_nodelay(true);
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                // The gateway may go away; there is nobody to tell.
                let _ = http.serve_connection(TokioIo::new(socket), service_fn(community)).await;
            });
        }
    });
    Ok(address)
}

async fn community(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let mut parts = path.trim_start_matches('/').split('/');
    let silent = parts.next() == Some("silent");
    let number: usize = parts.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    let question = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if silent && number % 10 == 9 {
        std::future::pending::<()>().await;
    }
    let (content_type, answer) = answer(number, &question).await;
    tokio::time::sleep(THINKING).await;
    let mut response = Response::new(Full::new(answer));
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    Ok(response)
}

async fn answer(number: usize, question: &[u8]) -> (String, Bytes) {
    let submission = data::registration(&data::patient(1), 1_000 + number as u64, 1);
    let objects = submission.of(Kind::DocumentEntry).map(|entry| {
        let mut entry = entry.clone();
        entry.status = Some(crate::metadata::codes::APPROVED.into());
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
        with_home(object, &home(number))
    });
    let response = QueryResponse { status: Status::Success, errors: Vec::new(), objects: objects.collect() };
    let message = send(Outgoing {
        form: Form::Simple,
        action: ITI38.response_action.into(),
        relates_to: Some(message_id(question)),
        body: write_response(&response),
        ..Outgoing::default()
    });
    let body = message.body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (message.content_type, body)
}

/// The text of the first MessageID: our own gateway wrote it.
fn message_id(question: &[u8]) -> String {
    let from = memchr::memmem::find(question, b"MessageID>").map_or(0, |at| at + 10);
    let to = memchr::memchr(b'<', &question[from..]).map_or(from, |n| from + n);
    String::from_utf8_lossy(&question[from..to]).into_owned()
}
