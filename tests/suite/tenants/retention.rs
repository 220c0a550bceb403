//! What a tenant keeps, and for how long: nothing goes by itself where nothing says so.

use std::path::Path;

use sekisho::transactions::errors::code;
use sekisho::transactions::iti42::ITI42;

use super::estate::{DOCUMENTS, FOLDER, PATIENT, REPORT, bytes, fill, related};
use super::queries::QUERIES;
use super::{CONFIG, EAST, WEST, everything};
use crate::support::hosted::Standalone;
use crate::support::postgres;
use crate::support::program::run;
use crate::support::waiting::{until, until_the_day_is_long_enough};

const OWN: &str = "1.2.3.4";

/// The same configuration with rules for two of the tenants.
fn with_rules() -> String {
    let east = "name = \"east\"\nretention = [{ days = 30, action = \"remove\", class = \"18842-5^^1.2.3.5\" }, \
                { days = 1, action = \"remove\", class = \"other^^1.2.3.5\" }]";
    let west = "name = \"west\"\nretention = [{ days = 30, action = \"deprecate\" }]";
    CONFIG.replace("name = \"east\"", east).replace("name = \"west\"", west)
}

/// Lets days go by.
fn age(folder: &Path, days: i64) {
    let update = format!("UPDATE registry_day SET day = day - {days}");
    if let Some(at) = postgres::connection_for(folder) {
        return postgres::run(&at, &update);
    }
    let database = rusqlite::Connection::open(folder.join("data/sekisho.db")).unwrap();
    assert!(database.execute(&update, []).unwrap() > 0);
}

/// What the rules would do, by tenant and rule: how many entries.
fn due(folder: &Path) -> Vec<(String, u64, u64)> {
    let (config, database) = (folder.join("sekisho.toml"), postgres::setting_for(folder));
    let mut arguments = vec!["retention", "--json", "--config", config.to_str().unwrap()];
    arguments.extend(database.iter().flat_map(|setting| ["--set", setting]));
    let (exit, told, log) = run(&arguments, "");
    assert_eq!(exit, 0, "{told}{log}");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let row = |row: &serde_json::Value| {
        let number = |key: &str| row[key].as_u64().unwrap();
        (row["tenant"].as_str().unwrap().to_owned(), number("due"), number("kept"))
    };
    told["rules"].as_array().unwrap().iter().map(row).collect()
}

async fn folders(tenant: &Standalone) -> usize {
    let query = QUERIES.iter().find(|query| query.name == "GetFolders").unwrap();
    query.ask(tenant).await.objects.len()
}

#[tokio::test]
async fn what_has_been_kept_for_long_enough_ends_as_each_tenant_says() {
    until_the_day_is_long_enough().await;
    let region = Standalone::configured(CONFIG, &[]).await;
    for (name, repository) in [("east", EAST), ("west", WEST)] {
        fill(&region.tenant(name), name, repository).await;
    }
    fill(&region, "own", OWN).await;
    let folder = region.stop().await;
    let config = folder.path().join("sekisho.toml");
    age(folder.path(), 29);
    std::fs::write(&config, with_rules()).unwrap();
    let nothing = [("east".to_owned(), 0, 0), ("east".to_owned(), 0, 0), ("west".to_owned(), 0, 0)];
    assert_eq!(due(folder.path()), nothing, "a day too early");
    age(folder.path(), 1);
    // Somebody adds to an old document: what is added is new.
    let region = Standalone::in_folder(folder, CONFIG, &[]).await;
    assert_eq!(
        region
            .tenant("east")
            .register(&ITI42, &related("urn:ihe:iti:2007:AssociationType:APND", REPORT))
            .await
            .errors,
        []
    );
    let own = everything(&region, OWN).await;
    let folder = region.stop().await;
    std::fs::write(&config, with_rules()).unwrap();
    // West's old letter is deprecated already.
    let expected = [("east".to_owned(), 5, 0), ("east".to_owned(), 0, 0), ("west".to_owned(), 4, 0)];
    assert_eq!(due(folder.path()), expected);
    assert_eq!(due(folder.path()), expected, "a report changes nothing");

    let region = Standalone::in_folder(folder, &with_rules(), &[]).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    until("east's are removed", async || east.entries_of(PATIENT).await.len() == 1).await;
    until("west's are deprecated", async || west.entries_of(PATIENT).await.is_empty()).await;
    for document in DOCUMENTS {
        assert_eq!(east.document(EAST, document).await.unwrap_err(), code::DOCUMENT_UNIQUE_ID_ERROR);
        assert_eq!(west.document(WEST, document).await.unwrap(), bytes("west", document));
    }
    // A folder is no document.
    assert_eq!((folders(&east).await, folders(&west).await), (1, 1), "{FOLDER}");
    assert_eq!(everything(&region, OWN).await, own);
    drop((east, west));
    let folder = region.stop().await;
    assert_eq!(due(folder.path()), nothing);
}
