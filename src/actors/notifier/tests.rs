//! Consumers of straw: order, isolation, repetition, and places that survive.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::demographics::DemographicsChange;
use crate::ids::PatientId;
use crate::store::Store;

struct Scratch {
    folder: PathBuf,
    store: Store,
    index: Index,
    outbox: Outbox,
}

impl Scratch {
    async fn open(folder: PathBuf) -> Self {
        tokio::task::spawn_blocking(move || {
            let store =
                Store::open(&folder, &[crate::identity::index::MIGRATION, crate::delivery::MIGRATION])
                    .unwrap();
            let index = Index::open(store.clone(), "urn:oid:1.2").unwrap();
            let outbox = Outbox::open(store.clone(), "urn:oid:1.2").unwrap();
            Self { folder, store, index, outbox }
        })
        .await
        .unwrap()
    }
    async fn new() -> Self {
        Self::open(std::env::temp_dir().join(format!("sekisho-notifier-{}", uuid::Uuid::new_v4()))).await
    }
    async fn again(self) -> Self {
        let Self { folder, store, .. } = self;
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        Self::open(folder).await
    }
    async fn announce(&self, identifiers: &[(u32, &str)]) {
        let identifiers = identifiers.iter().map(|(domain, text)| id(*domain, text)).collect::<Vec<_>>();
        self.index.announce(identifiers, DemographicsChange::default(), None).await.unwrap();
    }
    fn notify(&self, consumers: Vec<Consumer>) -> Notifier {
        Notifier::start(&self.index, &self.outbox, consumers)
    }
    async fn end(self) {
        let Self { folder, store, .. } = self;
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn oid(domain: u32) -> Oid {
    Oid::parse(&format!("1.2.{domain}")).unwrap()
}
fn id(domain: u32, text: &str) -> PatientId {
    PatientId::new(text, oid(domain))
}

/// Takes notices while it is up; the first one may be refused.
struct Straw {
    up: Arc<AtomicBool>,
    refuses: Mutex<Option<NotTold>>,
    told: UnboundedSender<(String, String)>,
}

impl Channel for Straw {
    fn transaction(&self) -> &'static str {
        "ITI-10"
    }
    fn tell<'a>(&'a self, id: &'a str, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotTold>> {
        Box::pin(async move {
            if let Some(refusal) = self.refuses.lock().unwrap().take() {
                return Err(refusal);
            }
            if !self.up.load(Ordering::SeqCst) {
                return Err(NotTold::Later("no connection".to_owned()));
            }
            let shown = match notice {
                Notice::Identifiers(changed) => {
                    changed.identifiers.iter().map(PatientId::id).collect::<Vec<_>>().join(" ")
                }
                Notice::Link(link) => format!("{}: {} -> {}", link.local.id, link.previous.id, link.new.id),
            };
            self.told.send((id.to_owned(), shown)).unwrap();
            Ok(())
        })
    }
}

type Told = UnboundedReceiver<(String, String)>;

fn consumer(name: &str, interest: Interest, refuses: Option<NotTold>) -> (Consumer, Arc<AtomicBool>, Told) {
    let (told, came) = unbounded_channel();
    let up = Arc::new(AtomicBool::new(true));
    let channel = Box::new(Straw { up: Arc::clone(&up), refuses: Mutex::new(refuses), told });
    (Consumer { name: name.to_owned(), interest, channel }, up, came)
}

fn all() -> Interest {
    Interest::Identifiers(Vec::new())
}

async fn next(came: &mut Told) -> (String, String) {
    tokio::time::timeout(Duration::from_secs(20), came.recv()).await.expect("nobody was told").unwrap()
}

#[tokio::test]
async fn everybody_is_told_in_order_and_one_that_is_away_holds_nobody_up() {
    let scratch = Scratch::new().await;
    let (good, _, mut at_good) = consumer("good", all(), None);
    let (away, up, mut at_away) = consumer("away", Interest::Identifiers(vec![oid(2)]), None);
    up.store(false, Ordering::SeqCst);
    let notifier = scratch.notify(vec![good, away]);
    tokio::task::yield_now().await;
    while scratch.outbox.position("away", 99).await.unwrap() == 99 {}
    for n in 0..5 {
        scratch.announce(&[(1, &format!("a{n}")), (2, &format!("b{n}"))]).await;
    }
    for n in 0..5 {
        assert_eq!(next(&mut at_good).await.1, format!("a{n} b{n}"));
    }
    let waits = async {
        while !notifier.statuses().iter().any(|status| status.failing && status.waiting == 5) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.expect("the one that is away is shown");
    up.store(true, Ordering::SeqCst);
    for n in 0..5 {
        assert_eq!(next(&mut at_away).await.1, format!("b{n}"));
    }
    drop(notifier);
    scratch.end().await;
}

#[tokio::test]
async fn what_was_not_told_before_a_restart_is_told_after_it_and_what_was_is_not() {
    let scratch = Scratch::new().await;
    let (first, up, mut came) = consumer("pix", all(), None);
    let notifier = scratch.notify(vec![first]);
    while scratch.outbox.position("pix", 99).await.unwrap() == 99 {}
    scratch.announce(&[(1, "a")]).await;
    let (told, _) = next(&mut came).await;
    while scratch.outbox.position("pix", 0).await.unwrap() == 0 {}
    up.store(false, Ordering::SeqCst);
    scratch.announce(&[(1, "b")]).await;
    drop(notifier);
    let scratch = scratch.again().await;
    let (second, _, mut came) = consumer("pix", all(), None);
    let (new, _, mut at_new) = consumer("new", all(), None);
    let notifier = scratch.notify(vec![second, new]);
    let (id, shown) = next(&mut came).await;
    assert_eq!(shown, "b");
    let epoch = scratch.outbox.epoch().to_owned();
    assert!(told.starts_with(&epoch) && id.starts_with(&epoch) && id != told && id.len() <= 20);
    while scratch.outbox.position("new", 99).await.unwrap() == 99 {}
    scratch.announce(&[(1, "c")]).await;
    assert_eq!(next(&mut at_new).await.1, "c", "a new consumer is told what happens from now on");
    assert_eq!(next(&mut came).await.1, "c");
    drop(notifier);
    scratch.end().await;
}

#[tokio::test]
async fn a_refused_notification_is_counted_and_does_not_hold_up_the_next() {
    let scratch = Scratch::new().await;
    let refusal = Some(NotTold::Refused("AE 204".to_owned()));
    let (picky, _, mut came) = consumer("picky", all(), refusal);
    let notifier = scratch.notify(vec![picky]);
    while scratch.outbox.position("picky", 99).await.unwrap() == 99 {}
    scratch.announce(&[(1, "a")]).await;
    scratch.announce(&[(1, "b")]).await;
    assert_eq!(next(&mut came).await.1, "b");
    let status = &notifier.statuses()[0];
    assert_eq!((status.refused, status.transaction), (1, "ITI-10"));
    assert_eq!(status.last_problem.as_ref().map(|(problem, _)| problem.as_str()), Some("AE 204"));
    drop(notifier);
    scratch.end().await;
}

#[tokio::test]
async fn a_registry_is_told_when_a_local_patient_is_somebody_else_now() {
    let scratch = Scratch::new().await;
    let links = Interest::Links { affinity: oid(9), source: oid(5) };
    let (registry, _, mut came) = consumer("registry", links, None);
    let notifier = scratch.notify(vec![registry]);
    while scratch.outbox.position("registry", 99).await.unwrap() == 99 {}
    scratch.announce(&[(1, "a"), (9, "X")]).await;
    scratch.announce(&[(1, "z"), (9, "Y")]).await;
    scratch.index.merge(id(1, "a"), id(1, "z"), DemographicsChange::default(), None).await.unwrap();
    let (_, shown) = next(&mut came).await;
    assert!(shown.starts_with("a: ") || shown.starts_with("z: "), "{shown}");
    drop(notifier);
    scratch.end().await;
}
