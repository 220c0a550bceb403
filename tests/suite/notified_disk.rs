//! A PIX Manager tells a gateway of changes (ITI-10, ITI-46) whose disk fails.

use sekisho::identity::crossref::{Crossref, CrossrefSettings, Decided, Digest, Entry, Lookup, now};
use sekisho::ids::HomeCommunityId;

use super::outside_identity::{DOMAINS, LOCAL, tell_at, tell_v2_at, without_trace};
use super::sqlite_steps::Toll;
use super::support::certs::TempDir;
use super::support::community::patient;
use super::support::golden;
use super::support::straw::THERE;

/// What a manager tells is acknowledged when it is on disk: on one that fails it gets an error that lets it try again, and
/// does so until a process with a disk that is well takes it (attack 64).
#[tokio::test(flavor = "multi_thread")]
async fn attack_64_a_manager_learns_that_its_notification_is_not_on_disk() {
    let (folder, toll) = (TempDir::new(), Toll::new());
    std::fs::create_dir_all(folder.path().join("communities")).unwrap();
    let file = folder.path().join("sekisho.toml");
    let config = format!(
        "[community]\nhome = \"urn:oid:1.2.82\"\nname = \"Region\"\nauthorities = [\"1.2.81.3\"]\n\
         [listen.http]\naddress = \"127.0.0.1:0\"\n[listen.mllp]\naddress = \"127.0.0.1:0\"\n\
         [hosted]\nrepository = \"1.2.82.2\"\npatients = \"any\"\n[federation]\n[identity]\nindex = false\n\
         {DOMAINS}[identity.manager]\nurl = \"mllp://127.0.0.1:1\"\n"
    );
    std::fs::write(&file, config).unwrap();
    let data = folder.path().join("data");
    let (local, there) = (patient(LOCAL), HomeCommunityId::parse(THERE).unwrap());
    let cache = || {
        let (directory, tenant) = (data.join("crossref"), "urn:oid:1.2.82".to_owned());
        Crossref::open(&CrossrefSettings { directory, tenant, most: 100, memory: 1 << 20 }).unwrap()
    };
    {
        let cache = cache();
        let entry = Entry {
            remote: Vec::new(),
            digest: Digest::NONE,
            score: 100,
            decided: Decided::Community,
            obtained: now(),
            expires: now() + 3_600,
        };
        cache.keep(cache.ticket(&local), there.clone(), entry).await;
        cache.flush().await.unwrap();
    }
    let config = file.display().to_string();
    let v2 = "HERE^^^HOSPITAL~X^^^&1.2.81.4&ISO";
    {
        let served = toll.serve_as(&config, &data, "fail write crossref/db");
        let mllp = served.ready["mllp"].as_str().unwrap().to_owned();
        toll.arm();
        // The second finds a cache that takes nothing any more.
        for _ in 0..2 {
            let refused = without_trace(&tell_v2_at(&mllp, "A31", v2).await);
            golden::check("hl7v2/update-not-on-disk.hl7", refused.as_bytes());
            let refused = without_trace(&tell_at(&served.endpoint("iti46"), &[LOCAL]).await);
            golden::check("iti46/not-on-disk.xml", refused.as_bytes());
        }
        assert!(toll.is_reached());
        toll.disarm();
    }
    let served = toll.serve_as(&config, &data, "fail write crossref/db");
    let mllp = served.ready["mllp"].as_str().unwrap().to_owned();
    assert!(tell_v2_at(&mllp, "A31", v2).await.contains("MSA|AA|"));
    // SIGKILL: what was acknowledged is on disk.
    served.kill();
    assert_eq!(cache().get(&local, &there), Lookup::Miss);
}
