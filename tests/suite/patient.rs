//! `sekisho patient` as an operator uses it, and a bulk load that is killed.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::certs::TempDir;
use crate::support::postgres;
use crate::support::program::{Served, run, sekisho};

/// How often the load is killed.
const KILLS: u64 = 4;
const PERSONS: usize = 1_500;

/// A configuration with two domains in a folder of its own.
fn configuration(folder: &Path) -> PathBuf {
    let text = format!(
        "[community]\nhome = \"urn:oid:2.25.318902478213461.10.1\"\nname = \"Region\"\n\n\
         [listen.http]\naddress = \"127.0.0.1:0\"\n\n[listen.operator]\naddress = \"127.0.0.1:0\"\n\n\
         [data]\ndirectory = \"{}\"\n\n[standalone]\nrepository = \"2.25.318902478213461.10.2\"\npatients = \"any\"\n\n\
         [[identity.domains]]\noid = \"1.2.1\"\nnamespace = \"A\"\n\n\
         [[identity.domains]]\noid = \"1.2.2\"\nnamespace = \"B\"\n\n{}",
        folder.join("data").display(),
        postgres::section_for(&folder.join("data")),
    );
    let file = folder.join("sekisho.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Runs `sekisho patient` with JSON; gives exit code, the object and what it complained of.
fn patient(config: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let config = config.to_str().unwrap();
    let all = [&["patient", "--config", config, "--operator", "tester", "--json"], arguments].concat();
    let (code, stdout, stderr) = run(&all, "");
    (code, serde_json::from_str(&stdout).unwrap_or_default(), stderr)
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn identifiers(shown: &Value) -> Vec<&str> {
    let records = shown["records"].as_array().unwrap().iter();
    // Rows are loaded many at once: which is older is left to chance.
    let mut identifiers: Vec<_> = records.map(|record| record["identifier"].as_str().unwrap()).collect();
    identifiers.sort_unstable();
    identifiers
}

#[test]
fn an_operator_loads_looks_decides_and_takes_it_back() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let header = "id,domain,family,given,birth,sex,postcode,telephone\n";
    let row = |id: &str, domain: &str, person: &str| format!("{id},{domain},{person}\n");
    let hanako = "山田,花子,1960-02-29,F,980-0011,022-123-4567";
    let table = [
        header.to_owned(),
        row("1", "1.2.1", hanako),
        row("2", "1.2.2", hanako),
        row("3", "1.2.2", "鈴木,一郎,S48.10.22,M,980-0012,022-765-4321"),
        row("4", "1.2.3", hanako),
        row("123456789018", "1.2.1", hanako),
    ];
    let table = file(folder.path(), "patients.csv", &table.concat());
    let (code, counts, problems) = patient(&config, &["import", &table]);
    assert_eq!((code, &counts["added"], &counts["bad"]), (1, &Value::from(3), &Value::from(2)), "{problems}");
    assert!(problems.contains("patients.csv:5: ") && problems.contains("patients.csv:6: "), "{problems}");
    assert!(!problems.contains("123456789018"), "{problems}");
    let (_, counts, _) = patient(&config, &["import", &table]);
    assert_eq!((&counts["unchanged"], &counts["changed"]), (&Value::from(3), &Value::from(0)));

    let one = "1^^^&1.2.1&ISO";
    let (code, shown, _) = patient(&config, &["show", one]);
    assert_eq!((code, identifiers(&shown)), (0, vec![one, "2^^^&1.2.2&ISO"]));
    assert_eq!(shown["links"][0]["by"], "matcher");
    assert!(!shown["links"][0]["fields"].as_array().unwrap().is_empty());

    let (_, link, _) = patient(&config, &["link", one, "3^^^&1.2.2&ISO"]);
    let decision = link["decision"].to_string();
    assert_eq!(identifiers(&patient(&config, &["show", one]).1).len(), 3);
    assert_eq!(patient(&config, &["undo", &decision]).0, 0);
    assert_eq!(identifiers(&patient(&config, &["show", one]).1).len(), 2);
    assert_eq!(patient(&config, &["undo", &decision]).0, 1);
    assert_eq!(patient(&config, &["show", "9^^^&1.2.1&ISO"]).0, 1);
    assert_eq!(patient(&config, &["show", "9"]).0, 2);
}

#[test]
fn batches_of_messages_are_loaded_with_their_merges_in_order() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let message = |event: &str, id: &str, rest: &str| {
        format!(
            "MSH|^~\\&|APP|FAC|SEKISHO|REGION|20260101120000||ADT^{event}|{id}{event}|P|2.3.1\r\
             EVN|{event}|20260101120000\rPID|||{id}^^^&1.2.1&ISO||YAMADA^{id}||19600229|F\r{rest}"
        )
    };
    let text = [
        "FHS|^~\\&|APP\rBHS|^~\\&|APP\r".to_owned(),
        message("A04", "HANA", "PV1||O\r"),
        message("A04", "UME", "PV1||O\r"),
        message("A40", "UME", "MRG|HANA^^^&1.2.1&ISO\r"),
        message("A03", "UME", "PV1||O\r"),
        "BTS|3\rFTS|1\r".to_owned(),
    ];
    let batch = file(folder.path(), "adt.hl7", &text.concat());
    // The second run ends well: what it tells of HANA is known to have ended.
    for (added, merged, already) in [(2, 1, 0), (0, 0, 2)] {
        let (code, counts, problems) = patient(&config, &["import", &batch]);
        assert_eq!(
            (code, &counts["added"], &counts["merged"], &counts["already_merged"], &counts["bad"]),
            (1, &added.into(), &merged.into(), &already.into(), &1.into()),
            "{problems}"
        );
        assert!(problems.contains("adt.hl7:15: "), "{problems}");
    }
    assert_eq!(patient(&config, &["show", "HANA^^^&1.2.1&ISO"]).0, 1);
    assert_eq!(patient(&config, &["show", "UME^^^&1.2.1&ISO"]).0, 0);
}

#[test]
fn a_registry_beside_the_index_hears_of_whoever_is_loaded() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("name = \"Region\"\n", "name = \"Region\"\nauthorities = [\"1.2.1\"]\n");
    let clinic = "\n[[tenants]]\nname = \"clinic\"\nfacility = \"2.25.318902478213461.10.3\"\n\
        repository = \"2.25.318902478213461.10.4\"\npatients = \"fed\"\npermit = { submit = [\"*\"] }\n";
    std::fs::write(&config, text.replace("patients = \"any\"", "patients = \"fed\"") + clinic).unwrap();
    let row = |id: &str| format!("{id},1.2.1,山田,花子{id},19600229,F\n");
    let rows = ["id,domain,family,given,birth,sex\n", &row("1"), &row("2"), &row("3")].concat();
    let table = file(folder.path(), "patients.csv", &rows);
    let merge = "MSH|^~\\&|A|B|C|D|20260101||ADT^A40|1|P|2.3.1||||||UNICODE UTF-8\rEVN||20260101\r\
                 PID|||2^^^&1.2.1&ISO||山田^花子\rMRG|1^^^&1.2.1&ISO\r";
    let merge = file(folder.path(), "merge.hl7", merge);
    let (code, counts, problems) = patient(&config, &["import", &table, &merge]);
    assert_eq!((code, &counts["added"], &counts["merged"]), (0, &3.into(), &1.into()), "{problems}");

    let served = Served::start(config.to_str().unwrap(), &folder.path().join("data"), &[]);
    let letter = file(folder.path(), "letter.txt", "letter");
    for registry in ["iti41", "hosted-clinic-iti41"] {
        for (id, exit) in [("2", 0), ("3", 0), ("1", 1), ("4", 1)] {
            let (id, url) = (format!("{id}^^^&1.2.1&ISO"), served.endpoint(registry));
            let (code, told, log) = run(&["submit", "--url", &url, "--patient", &id, &letter], "");
            assert_eq!(code, exit, "{registry} {id}: {told}{log}");
            assert_eq!(told.contains("XDSUnknownPatientId"), exit == 1, "{registry} {id}: {told}");
        }
    }
}

/// Merges along a chain, of somebody with two identifiers, and with another name: the second run changes nothing.
#[test]
fn a_batch_with_merges_is_loaded_again_without_harm() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let message = |event: &str, ids: &str, name: &str, rest: &str| {
        format!(
            "MSH|^~\\&|A|B|C|D|20260101||ADT^{event}|1|P|2.3.1||||||UNICODE UTF-8\rEVN||20260101\r\
             PID|||{ids}||{name}||19600229|F\r{rest}\r"
        )
    };
    let text = [
        message("A04", "1^^^&1.2.1&ISO~B1^^^&1.2.2&ISO", "山田^花子", "PV1||O"),
        message("A04", "2^^^&1.2.1&ISO", "山田^はな", "PV1||O"),
        message("A04", "3^^^&1.2.1&ISO", "鈴木^花", "PV1||O"),
        message("A40", "2^^^&1.2.1&ISO", "山田^花子", "MRG|1^^^&1.2.1&ISO"),
        message("A40", "3^^^&1.2.1&ISO", "鈴木^花子", "MRG|2^^^&1.2.1&ISO"),
    ];
    let batch = file(folder.path(), "adt.hl7", &text.concat());
    let table = "id,domain,family,given,birth,sex\n1,1.2.1,山田,花子,19600229,F\n";
    let table = file(folder.path(), "patients.csv", table);
    let who = || patient(&config, &["show", "3^^^&1.2.1&ISO"]).1;
    let (code, counts, problems) = patient(&config, &["import", &batch]);
    assert_eq!((code, &counts["added"], &counts["merged"]), (0, &3.into(), &2.into()), "{problems}");
    let before = who();
    assert_eq!(identifiers(&before), ["3^^^&1.2.1&ISO", "B1^^^&1.2.2&ISO"]);
    let (code, counts, problems) = patient(&config, &["import", &batch, &table]);
    assert_eq!((code, &counts["already_merged"], &counts["bad"]), (0, &5.into(), &0.into()), "{problems}");
    let shown = |who: &Value| {
        who["records"].as_array().unwrap().iter().map(|one| one["demographics"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((identifiers(&who()), shown(&who())), (identifiers(&before), shown(&before)));
}

/// A batch as an old system writes it: LF, a byte order mark, blank lines, no MSH-18.
#[test]
fn a_batch_is_read_in_its_character_set_or_not_at_all() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let message = |id: &str, name: &str| {
        format!(
            "MSH|^~\\&|A|B|C|D|20260101||ADT^A04|1|P|2.3.1\nEVN||20260101\nPID|||{id}^^^&1.2.1&ISO||{name}||19600229|F\nPV1||O\n\n"
        )
    };
    let text = format!(
        "FHS|^~\\&|A\nBHS|^~\\&|A\n{}{}BTS|2\nFTS|1\n",
        message("1", "表^能"),
        message("2", "TANAKA^JIRO")
    );
    let shift_jis = sekisho::wire::hl7v2::Charset::ShiftJis.encode(&text).bytes;
    let bytes = folder.path().join("sjis.hl7");
    std::fs::write(&bytes, shift_jis).unwrap();
    let bytes = bytes.to_str().unwrap();
    let (code, counts, problems) = patient(&config, &["import", bytes]);
    assert_eq!((code, &counts["added"], &counts["bad"]), (1, &1.into(), &1.into()), "{problems}");
    assert!(problems.contains("sjis.hl7:3: ") && problems.contains("--charset"), "{problems}");
    let (code, counts, problems) = patient(&config, &["import", "--charset", "Shift_JIS", bytes]);
    assert_eq!((code, &counts["added"], &counts["unchanged"]), (0, &1.into(), &1.into()), "{problems}");
    let shown = patient(&config, &["show", "1^^^&1.2.1&ISO"]).1.to_string();
    assert!(shown.contains("表") && shown.contains("能"), "{shown}");

    let marked = file(folder.path(), "marked.hl7", &format!("\u{feff}{text}"));
    let (code, counts, problems) = patient(&config, &["import", &marked]);
    assert_eq!((code, &counts["unchanged"]), (0, &2.into()), "{problems}");
}

/// A merge is final, wherever it comes from.
#[test]
fn a_batch_is_refused_what_a_feed_is_refused() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let head = |event: &str| {
        format!("MSH|^~\\&|A|B|C|D|20260101||ADT^{event}|1|P|2.3.1||||||UNICODE UTF-8\rEVN||20260101\r")
    };
    let id = |id: &str| format!("{id}^^^&1.2.{}&ISO", if id.starts_with('B') { 2 } else { 1 });
    let pid = |patient: &str| format!("PID|||{}||山田^{patient}||19600229|F", id(patient));
    let pair = |stays: &str, ends: &str| format!("{}\rMRG|{}\r", pid(stays), id(ends));
    let merge = |stays: &str, ends: &str| head("A40") + &pair(stays, ends);
    let my_number = format!("{}{}123456789018^^^&1.2.1&ISO", pid("A1"), "|".repeat(10));
    let mut messages: Vec<String> =
        ["A1", "A2", "A3", "B1"].iter().map(|id| head("A04") + &pid(id) + "\rPV1||O\r").collect();
    messages.push(merge("A2", "A1"));
    let wrong = [
        (merge("A2", "B1"), "a merge joins two identifiers of one domain"),
        (merge("A2", "A3") + &pair("A2", "B1"), "the segment PID may be there once"),
        (merge("A2", "A3").replace("MRG|", "MRG|B1^^^&1.2.2&ISO~"), "a merge subsumes one identifier"),
        (merge("A1", "A3"), "this identifier was subsumed by a merge"),
        (merge("A3", "A1"), "this identifier was subsumed by a merge"),
        (merge("A2", "A3").replace("A3^^^", "A9^^^"), "no record has this identifier"),
        (
            head("A04") + &pid("A1").replace("||山田", "~B9^^^&1.2.2&ISO||山田") + "\rPV1||O\r",
            "was subsumed by a merge",
        ),
        (head("A04") + &my_number + "\rPV1||O\r", "an Individual Number (My Number)"),
        (head("A40") + &my_number + "\rMRG|A3^^^&1.2.1&ISO\r", "an Individual Number (My Number)"),
    ];
    messages.extend(wrong.iter().map(|(message, _)| message.clone()));
    // Once more: what was done is known.
    messages.push(merge("A2", "A1"));
    let batch = file(folder.path(), "adt.hl7", &messages.concat());
    let (code, counts, problems) = patient(&config, &["import", &batch]);
    assert_eq!((code, &counts["bad"], &counts["merged"]), (1, &wrong.len().into(), &1.into()), "{problems}");
    assert_eq!((&counts["added"], &counts["already_merged"]), (&4.into(), &1.into()), "{problems}");
    for (_, why) in &wrong {
        assert!(problems.contains(why), "{why}: {problems}");
    }
    for (patient_id, exit) in [("A1", 1), ("A2", 0), ("A3", 0), ("B1", 0)] {
        assert_eq!(patient(&config, &["show", &id(patient_id)]).0, exit, "{patient_id}");
    }
}

#[test]
fn a_region_learns_from_its_own_records_and_goes_back() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let mut table = "id,domain,family,given,family_kana,given_kana,birth,sex\n".to_owned();
    for (number, domain) in [(1, "1.2.1"), (2, "1.2.2")] {
        writeln!(table, "{number},{domain},山田,花子,ヤマダ,ハナコ,19600229,F").unwrap();
    }
    let table = file(folder.path(), "patients.csv", &table);
    // Nothing is linked at this threshold: it is shown to people.
    assert_eq!(patient(&config, &["--set", "identity.link=1.0", "import", &table]).0, 0);
    let (_, reviews, _) = patient(&config, &["review"]);
    assert_eq!(reviews["reviews"].as_array().unwrap().len(), 1);

    let (code, learnt, problems) = patient(&config, &["learn", "--dry-run"]);
    assert_eq!((code, &learnt["model"], &learnt["before"]), (0, &Value::Null, &Value::Null), "{problems}");
    assert_eq!((&learnt["records"], &learnt["sampled"]), (&Value::from(2), &Value::from(2)));
    assert_eq!(learnt["weights_from"], "built_in");
    assert_eq!(
        (&learnt["readings"]["before"], &learnt["readings"]["now"]),
        (&Value::from(0), &Value::from(2))
    );
    assert!(learnt["pairs_compared"]["now"]["linked"].is_u64());
    assert!(!learnt["weights"].as_array().unwrap().is_empty());

    assert_eq!(patient(&config, &["learn"]).1["model"], 1);
    let (_, learnt, _) = patient(&config, &["learn", "--dry-run"]);
    assert_eq!((&learnt["before"]["operator"], &learnt["before"]["records"]), (&"tester".into(), &2.into()));
    assert_eq!(learnt["readings"]["before"], 2);
    assert_eq!(patient(&config, &["learn", "--built-in"]).1["model"], 2);
    let (_, learnt, _) = patient(&config, &["learn", "--dry-run"]);
    assert_eq!((&learnt["before"]["records"], &learnt["readings"]["before"]), (&0.into(), &0.into()));
}

#[test]
fn while_the_server_runs_it_is_told_so() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let served = Served::start(config.to_str().unwrap(), &folder.path().join("data"), &[]);
    let (code, _, problems) = patient(&config, &["review"]);
    assert_eq!(code, 3);
    assert!(problems.contains("stop it first"), "{problems}");
    drop(served);
}

#[test]
fn attack_65_a_load_that_is_killed_goes_on_where_it_was_and_nothing_is_there_twice() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let mut table = "id,domain,family,given,birth,sex,telephone\n".to_owned();
    for number in 0..PERSONS {
        let (day, month, year) = (1 + number % 28, 1 + number / 28 % 12, 1940 + number % 71);
        let birth = format!("{year}{month:02}{day:02}");
        for domain in ["1.2.1", "1.2.2"] {
            let person = format!("家{number},名{},{birth},F,022-555-{number:04}", number % 97);
            writeln!(table, "{number},{domain},{person}").unwrap();
        }
    }
    let table = file(folder.path(), "patients.csv", &table);
    let arguments = ["patient", "--config", config.to_str().unwrap(), "--json", "import", &table];
    for kill in 1..=KILLS {
        let mut child = sekisho(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 * kill));
        // SIGKILL.
        let _ = child.kill();
        child.wait().unwrap();
    }
    let (code, counts, problems) = patient(&config, &["import", &table]);
    assert_eq!((code, &counts["changed"]), (0, &Value::from(0)), "{problems}");
    let all = counts["added"].as_u64().unwrap() + counts["unchanged"].as_u64().unwrap();
    assert_eq!(all as usize, 2 * PERSONS);
    for number in [0, 1, PERSONS / 2, PERSONS - 1] {
        let (_, shown, _) = patient(&config, &["show", &format!("{number}^^^&1.2.2&ISO")]);
        let both = [1, 2].map(|domain| format!("{number}^^^&1.2.{domain}&ISO"));
        assert_eq!(identifiers(&shown), both);
    }
}
