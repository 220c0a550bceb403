//! One bad file, all of its problems; one good file; overrides.

use std::path::PathBuf;

use super::*;
use crate::actors::permits::Callers;
use crate::demographics::DomainKind;
use crate::metadata::validate::Level;
use crate::wire::hl7v2::Charset;

pub(super) const STANDALONE: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "試験"
[listen.http]
address = "127.0.0.1:8080"
[standalone]
repository = "1.2.3.4"
patients = "any"
"#;

pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn with(text: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sekisho-config-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("sekisho.toml"), text).unwrap();
        Self(folder)
    }
    pub(super) fn load(&self, overrides: &[&str]) -> Result<(Settings, Problems), Problems> {
        let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
        load(&self.0.join("sekisho.toml"), &overrides)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_small_configuration_is_enough() {
    let folder = Folder::with(STANDALONE);
    let (settings, warnings) = folder.load(&[]).unwrap();
    assert_eq!(warnings, Problems::default());
    assert_eq!(settings.data, folder.0.join("data"));
    assert!(settings.federation.is_none());
    assert!(matches!(settings.mode, Mode::Standalone(Hosted { patients: Patients::Any, .. })));
}

#[test]
fn overrides_are_toml_values_or_else_strings() {
    let folder = Folder::with(STANDALONE);
    let (settings, _) = folder
        .load(&[
            "listen.http.address=127.0.0.1:0",
            "community.name=\"quoted\"",
            "limits.max_connections=7",
            "data.directory=elsewhere",
        ])
        .unwrap();
    assert_eq!(settings.listen.http.unwrap().address.port(), 0);
    assert_eq!(settings.community.name, "quoted");
    assert_eq!(settings.limits.max_connections, 7);
    assert_eq!(settings.data, folder.0.join("elsewhere"));
    let problems = folder.load(&["listen.http.adress=x", "novalue"]).unwrap_err().to_string();
    assert!(problems.contains("--set listen.http.adress=x:1:13: error: unknown key `adress`"), "{problems}");
    assert!(problems.contains("--set novalue: error: has no `=`"), "{problems}");
}

#[test]
fn all_problems_are_told_at_once() {
    let folder = Folder::with(
        r#"
[community]
home = "urn:oid:1.2.x"
nmae = "region"
authorities = ["1.2.3", 4]
[listen.soap]
address = "0.0.0.0:8443"
tls = { certificate = "missing.pem", key = "missing.key" }
[listen.http]
address = "0.0.0.0:8443"
[hosted]
repository = "1.2.3"
patients = "nobody"
[federation]
correlation = [["only", "two"]]
[log]
level = "verbose"
"#,
    );
    let problems = folder.load(&[]).unwrap_err().to_string();
    for expected in [
        ":3:8: error: \"1.2.x\" is no OID",
        ":4:1: error: unknown key `nmae` in [community]",
        "did you mean `name`?",
        ":2:2: error: `community.name` is missing",
        ":5:25: error: `community.authorities` is an integer",
        "anybody could ask",
        "missing.pem: No such file",
        ":10:11: error: 0.0.0.0:8443 is not loopback",
        "both want port 8443",
        ":13:12: error: \"nobody\" is not known for `hosted.patients`",
        "each item of `federation.correlation` has the form",
        "\"verbose\" is not known for `log.level`",
    ] {
        assert!(problems.contains(expected), "{expected} is not in:\n{problems}");
    }
}

#[test]
fn rules_are_taken_as_the_file_says() {
    let rules = "[rules]\n\"de.hash.sha1\" = \"report\"\n\"de.size.number\" = { level = \"enforce\", from = \"2999-01-01\" }\n";
    let folder = Folder::with(&format!("{STANDALONE}{rules}"));
    let (settings, _) = folder.load(&["rules.\"de.hash.sha1\"=off"]).unwrap();
    let rules = settings.rules.unwrap();
    let today = jiff::civil::date(2026, 1, 1);
    assert_eq!(rules.level("de.hash.sha1", today), Level::Off);
    assert_eq!(rules.level("de.size.number", today), Level::Report);
    assert_eq!(rules.level("de.hash.cardinality", today), Level::Enforce, "the built-in level");
}

#[test]
fn what_is_wrong_with_rules_has_its_place() {
    let rules = "[rules]\n\"de.hash.sha\" = \"off\"\n\"de.hash.sha1\" = \"loud\"\n\
                 \"de.size.number\" = { level = \"off\", from = \"2999-01-01\" }\n\"de.uri.uri\" = { from = 3 }\n";
    let folder = Folder::with(&format!("{STANDALONE}{rules}"));
    let problems = folder.load(&[]).unwrap_err().to_string();
    for expected in [
        "there is no rule \"de.hash.sha\"; did you mean \"de.hash.sha1\"?",
        "unknown variant `loud`",
        "its level must be \"enforce\"",
        "`from` is an integer",
    ] {
        assert!(problems.contains(expected), "{expected} is not in:\n{problems}");
    }
}

#[test]
fn no_patient_is_in_what_is_told_of_problems() {
    let federation = r#"
[federation]
correlation = [
    ["CANARY^^^&1.2.3&ISO", "urn:oid:1.2.4"],
    ["CANARY^^^1.2.3", "urn:oid:1.2.4", "CANARY^^^&1.2.4&ISO"],
    ["CANARY^^^&1.2.3&ISO", "urn:oid:1.2.x", "CANARY^^^&1.2.4&ISO"],
    ["CANARY^^^&1.2.3&ISO", broken
]
"#;
    let folder = Folder::with(&format!("{}{federation}", STANDALONE.replace("standalone", "hosted")));
    let problems = folder.load(&[]).unwrap_err().to_string();
    assert!(problems.contains("this is no patient identifier") && problems.contains("no OID"), "{problems}");
    assert!(problems.contains("not TOML") && !problems.contains("CANARY"), "{problems}");
}

#[test]
fn broken_toml_says_where() {
    let folder = Folder::with("[community\nname = \n");
    let problems = folder.load(&[]).unwrap_err().to_string();
    assert!(problems.contains("sekisho.toml:1:"), "{problems}");
    assert!(problems.contains("sekisho.toml:2:"), "{problems}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = load(Path::new("/nowhere/sekisho.toml"), &[]).unwrap_err().to_string();
    assert!(problems.starts_with("/nowhere/sekisho.toml: error: cannot be read"), "{problems}");
}

#[test]
fn code_lists_come_from_their_own_file() {
    let standalone = STANDALONE.replace("patients = \"any\"", "patients = \"any\"\ncodes = \"codes.toml\"");
    let folder = Folder::with(&standalone);
    let problems = folder.load(&[]).unwrap_err().to_string();
    assert!(problems.contains("codes.toml cannot be read"), "{problems}");
    std::fs::write(folder.0.join("codes.toml"), "[clasCode]\n\"1.2\" = [\"a\"]").unwrap();
    let problems = folder.load(&[]).unwrap_err().to_string();
    assert!(problems.contains("did you mean \"classCode\"?"), "{problems}");
    std::fs::write(folder.0.join("codes.toml"), "[classCode]\n\"1.2\" = [\"a\"]").unwrap();
    let (settings, _) = folder.load(&[]).unwrap();
    let Mode::Standalone(hosted) = &settings.mode else { panic!("it is stand-alone") };
    assert!(hosted.codes.is_some() && settings.rules.is_some());
}

const TENANTS: &str = r#"
[[tenants]]
name = "east"
home = "urn:oid:1.2.4"
repository = "1.2.4.4"
authorities = ["1.2.4.1"]
permit = { submit = ["CN=east"] }
rules = { "de.logical-id.uuid" = "enforce" }
[[tenants]]
name = "clinic"
facility = "1.2.3.9"
repository = "1.2.3.5"
patients = "any"
"#;

#[test]
fn tenants_begin_with_nobody_and_the_regions_own_with_everybody() {
    let folder = Folder::with(&format!("{STANDALONE}{TENANTS}"));
    let (settings, warnings) = folder.load(&[]).unwrap();
    assert!(warnings.to_string().contains("nobody may submit to this tenant"), "{warnings}");
    let all = settings.all_tenants();
    let [own, east, clinic] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((own.name.as_str(), &own.hosted.permits.query), (OWN, &Callers::Anybody));
    assert_eq!((&east.hosted.permits.query, east.federation), (&Callers::Nobody, Federated::No));
    assert_eq!(east.hosted.permits.submit, Callers::Certified(vec!["CN=east".to_owned()]));
    assert!(east.rules.is_some() && clinic.rules.is_none());
    assert_eq!((clinic.home.to_urn(), clinic.federation), ("urn:oid:1.2.3".to_owned(), Federated::Yes));
}

#[test]
fn tenants_stay_apart() {
    for (from, to, expected) in [
        ("name = \"clinic\"", "name = \"east\"", "another tenant has this name"),
        ("\"clinic\"", "\"Clinic\"", "this cannot be a tenant's name"),
        ("\"clinic\"", "\"../clinic\"", "this cannot be a tenant's name"),
        ("\"clinic\"", "\"iti-18\"", "this cannot be a tenant's name"),
        ("\"clinic\"", "\"own\"", "this cannot be a tenant's name"),
        ("\"clinic\"", "\"сlinic\"", "this cannot be a tenant's name"),
        ("1.2.3.5", "1.2.4.4", "another repository here has this repositoryUniqueId"),
        ("1.2.3.5", "1.2.3.4", "another repository here has this repositoryUniqueId"),
        ("facility = \"1.2.3.9\"", "", "this is the region itself"),
        ("facility = \"1.2.3.9\"", "home = \"urn:oid:1.2.4\"", "the same community and facility"),
        ("[\"1.2.4.1\"]", "[]", "its registry would accept nobody"),
        (
            "facility = \"1.2.3.9\"",
            "facility = \"1.2.3.9\"\nhome = \"urn:oid:1.2.4\"\nfederated = true",
            "its community has no gateway here",
        ),
    ] {
        let folder = Folder::with(&format!("{STANDALONE}{}", TENANTS.replace(from, to)));
        let problems = folder.load(&[]).unwrap_err().to_string();
        assert!(problems.contains(expected), "{expected} is not in:\n{problems}");
    }
}

const IDENTITY: &str = r#"
[[identity.domains]]
oid = "1.2.3.1"
namespace = "REGION"
[[identity.domains]]
oid = "1.2.3.2"
namespace = "INS"
name = "被保険者"
kind = "insured"
source = { application = "HIS", facility = "HOSPITAL" }
[[identity.consumers]]
name = "clinic"
url = "mllp://127.0.0.1:2575"
domains = ["1.2.3.1"]
charset = "ISO IR87"
"#;

#[test]
fn mllp_has_defaults_and_domains_are_tables() {
    let folder = Folder::with(&format!("{STANDALONE}{IDENTITY}"));
    let (settings, _) = folder
        .load(&["listen.mllp.charset=Shift_JIS", "listen.mllp.insecure=false", "identity.link=0.95"])
        .unwrap();
    let mllp = settings.listen.mllp.unwrap();
    assert_eq!(
        (mllp.listener.address.to_string().as_str(), mllp.charset),
        ("127.0.0.1:2575", Charset::ShiftJis)
    );
    let identity = settings.identity.unwrap();
    let [region, insured] = identity.domains.as_slice() else { panic!("{:?}", identity.domains) };
    assert_eq!((region.name.as_str(), region.kind, &region.source), ("REGION", DomainKind::Patients, &None));
    assert_eq!((insured.name.as_str(), insured.kind), ("被保険者", DomainKind::Insured));
    let source = insured.source.clone().unwrap();
    assert_eq!((source.system, source.certificates.len()), (Some(("HIS".into(), "HOSPITAL".into())), 0));
    assert_eq!(identity.thresholds.link, 0.95);
    assert_eq!(identity.consumers[0].peer.url.to_string(), "mllp://127.0.0.1:2575");
    assert_eq!(identity.consumers[0].peer.charset, Charset::Iso2022Jp);
    assert_eq!(identity.consumers[0].peer.application, "clinic", "MSH-5 is never empty");
}

#[test]
fn what_is_wrong_with_patient_identity_has_its_place() {
    let identity = r#"
[listen.mllp]
address = "0.0.0.0:2575"
charset = "UTF-16"
[listen.mllps]
tls = { certificate = "missing.pem", key = "missing.key" }
[identity]
link = 0.4
review = 0.5
domains = [{ oid = "1.2.3.1", namespace = "A" }, { oid = "1.2.3.1", namespace = "B" }, { oid = "1.2.3.3", namespace = "A&B" }, 7]
[[identity.consumers]]
name = "far"
url = "mllp://his.example:2575"
domains = ["1.2.9"]
[[identity.registries]]
name = "registry"
url = "https://registry.example/"
"#;
    let folder = Folder::with(&format!("{STANDALONE}{identity}"));
    let problems = folder.load(&[]).unwrap_err().to_string();
    for expected in [
        "0.0.0.0:2575 is not loopback",
        "\"UTF-16\" is no character set that is read",
        "anybody could ask",
        "`review` (0.5) is above `link` (0.4)",
        "have the same OID or namespace",
        "this is no namespace",
        "`identity.domains` has an integer in it",
        "mllp://his.example:2575 is not loopback",
        "1.2.9 is no domain",
        "ITI-64 is HL7 v2 only",
        "nothing says whom to trust",
        "`identity.registries.domain` is missing",
    ] {
        assert!(problems.contains(expected), "{expected} is not in:\n{problems}");
    }
}

#[test]
fn a_domains_source_is_named_by_system_by_certificates_or_by_both() {
    let digest = "AB:".repeat(31) + "CD";
    let load = |source: &str| {
        let source = IDENTITY.replace("source = { application = \"HIS\", facility = \"HOSPITAL\" }", source);
        let loaded = Folder::with(&format!("{STANDALONE}{source}")).load(&[]);
        loaded.map(|(settings, warnings)| {
            let certified = source.contains("certificates");
            assert_eq!(
                warnings.to_string().contains("nobody could feed the domain 被保険者"),
                certified,
                "{warnings}"
            );
            settings.identity.unwrap().domains[1].source.clone().unwrap()
        })
    };
    let source = load(&format!("source = {{ certificates = [\"CN=his\", \"{digest}\"] }}")).unwrap();
    let expected = ["CN=his".to_owned(), "ab".repeat(31) + "cd"];
    assert_eq!((source.system, source.certificates), (None, expected.to_vec()));
    let both = "source = { application = \"HIS\", facility = \"\", certificates = [\"CN=his\"] }";
    assert_eq!(load(both).unwrap().system, Some(("HIS".to_owned(), String::new())));
    for (wrong, why) in [
        ("source = {}", "nothing says who the source is"),
        (
            "source = { application = \"HIS\", certificates = [\"CN=his\"] }",
            "`identity.domains.source.facility` is missing",
        ),
    ] {
        let problems = load(wrong).unwrap_err().to_string();
        assert!(problems.contains(why), "{problems}");
    }
}

#[test]
fn a_bridge_listens_for_hl7_v2_with_an_index_only() {
    let bridge = STANDALONE.replace("[standalone]\nrepository = \"1.2.3.4\"\npatients = \"any\"", "");
    let bridge = format!(
        "{bridge}[listen.mllp]\n[bridge]\niti18 = \"http://127.0.0.1:1/\"\niti43 = {{}}\n[federation]\ncommunities = \".\"\n"
    );
    let problems = Folder::with(&bridge).load(&[]).unwrap_err().to_string();
    assert!(problems.contains("nobody would answer over MLLP"), "{problems}");
    assert!(Folder::with(&format!("{bridge}{IDENTITY}")).load(&[]).is_ok());
}

const HOSTED: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "試験"
[listen.http]
address = "127.0.0.1:8080"
[hosted]
repository = "1.2.3.4"
patients = "any"
[federation]
communities = "."
correlation = [["123456789018^^^&1.2.3.1&ISO", "urn:oid:1.5", "A^^^&1.5.1&ISO"]]
[[identity.domains]]
oid = "1.2.3.1"
namespace = "HOSPITAL"
"#;

#[test]
fn what_is_missing_makes_nothing_else_unknown() {
    let bare = STANDALONE.replace("repository = \"1.2.3.4\"\n", "quota = { bytes = 1 }\nretention = []\n");
    let problems = Folder::with(&bare).load(&[]).unwrap_err();
    assert_eq!(problems.0.len(), 1, "{problems}");
}

#[test]
fn a_data_directory_that_everybody_may_look_into_is_warned_about() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with(STANDALONE);
    let data = folder.0.join("data");
    std::fs::create_dir(&data).unwrap();
    for (mode, warned) in [(0o755, true), (0o700, false), (0o750, false)] {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
        for set in [vec![], vec![format!("data.directory={}", data.display())]] {
            let set: Vec<_> = set.iter().map(String::as_str).collect();
            let (_, warnings) = folder.load(&set).unwrap();
            let told = warnings.to_string().contains("every user of this machine may look into");
            assert_eq!(told, warned, "{mode:o}: {warnings}");
        }
    }
}

/// It would permit nothing: the region's own patients come by other ways.
#[test]
fn only_a_tenant_permits_a_feed() {
    let folder = Folder::with(&format!("{STANDALONE}permit = {{ feed = [\"CN=his\"] }}\n"));
    let problems = folder.load(&[]).unwrap_err().to_string();
    assert!(problems.contains("unknown key `feed` in [standalone.permit]"), "{problems}");
}

#[test]
fn a_tenant_has_no_repository_of_a_bridge() {
    let bridge = STANDALONE.replace("[standalone]\nrepository = \"1.2.3.4\"\npatients = \"any\"", "");
    let bridge = format!(
        "{bridge}[bridge]\niti18 = \"http://127.0.0.1:1/\"\niti43 = {{ \"1.2.3.4\" = \"http://127.0.0.1:1/\" }}\n\
         [federation]\ncommunities = \".\"\n[[tenants]]\nname = \"clinic\"\nfacility = \"1.2.3.9\"\npatients = \"any\"\n\
         permit = {{ query = [\"*\"] }}\n"
    );
    let with = |repository: &str| Folder::with(&format!("{bridge}repository = \"{repository}\"\n"));
    assert!(with("1.2.3.5").load(&[]).is_ok());
    let problems = with("1.2.3.4").load(&[]).unwrap_err().to_string();
    assert!(problems.contains("another repository here has this repositoryUniqueId"), "{problems}");
}

#[test]
fn a_my_number_is_no_row_of_the_correlation_table() {
    let folder = Folder::with(HOSTED);
    let problems = folder.load(&[]).unwrap_err().to_string();
    assert!(problems.contains("sekisho.toml:12:17: error: an Individual Number (My Number)"), "{problems}");
    let own = Folder::with(&format!("{HOSTED}twelve_digits = \"own\"\n"));
    assert_eq!(own.load(&[]).unwrap().0.federation.unwrap().correlation.len(), 1);
}

#[test]
fn managers_outside_are_asked_in_the_standard_of_their_address() {
    let text = HOSTED.replace("123456789018", "1") + "[identity.manager]\n";
    let with = |manager: &str| Folder::with(&format!("{text}{manager}"));
    let (settings, _) = with("url = \"mllp://127.0.0.1:2575\"\napplication = \"MPI\"\n").load(&[]).unwrap();
    let manager = settings.identity.unwrap().manager.unwrap();
    assert!(matches!(manager.url, Destination::Mllp { port: 2575, tls: false, .. }));
    let (settings, _) = with("iti45 = \"http://127.0.0.1/iti45\"\n").load(&[]).unwrap();
    assert!(matches!(settings.identity.unwrap().manager.unwrap().url, Destination::Soap(_)));
    for (manager, problem) in [
        ("url = \"mllps://mpi.example:2576\"\n", "nothing says whom to trust"),
        ("url = \"mllp://mpi.example:2575\"\n", "would travel unencrypted"),
        ("iti45 = \"http://mpi.example/iti45\"\n", "would travel unencrypted"),
        ("application = \"MPI\"\n", "url"),
    ] {
        let problems = with(manager).load(&[]).unwrap_err().to_string();
        assert!(problems.contains(problem), "{problems}");
    }
}

#[test]
fn without_an_index_there_is_nobody_to_tell() {
    let consumer =
        "[[identity.consumers]]\nname = \"a\"\nurl = \"mllp://127.0.0.1:1\"\ndomains = [\"1.2.3.1\"]\n";
    let folder = Folder::with(&format!("{}{consumer}", HOSTED.replace("123456789018", "1")));
    assert!(folder.load(&[]).is_ok());
    let problems = folder.load(&["identity.index=false"]).unwrap_err().to_string();
    assert!(problems.contains("no patient index inside"), "{problems}");
}
