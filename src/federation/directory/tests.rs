use super::*;

const EAST: &str = r#"
name = "東部"
home = ["urn:oid:1.2.3", "1.2.4"]
authorities = ["1.2.3.1"]
quirks = ["fill-home"]
[endpoints]
iti38 = "http://127.0.0.1:1/iti38"
iti39 = "http://127.0.0.1:1/iti39"
[limits]
deadline_ms = 500
"#;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sekisho-directory-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
    fn settings(&self) -> DirectorySettings {
        DirectorySettings { folder: self.0.clone(), ..DirectorySettings::default() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn home(text: &str) -> HomeCommunityId {
    HomeCommunityId::parse(text).unwrap()
}

#[tokio::test]
async fn a_community_is_found_by_each_of_its_homes() {
    let folder = Folder::new();
    folder.write("east.toml", EAST);
    folder.write("README.md", "not a community");
    let directory = Directory::load(folder.settings()).unwrap();
    let communities = directory.communities();
    let east = communities.find(&home("urn:oid:1.2.4")).unwrap();
    assert_eq!(east.peer.member.home().to_urn(), "urn:oid:1.2.3");
    assert_eq!(east.peer.member.quirks.missing_home, crate::federation::quirks::MissingHome::Fill);
    assert!(communities.find(&home("1.2.5")).is_none());
    let status = directory.status();
    assert!(!status.alarm);
    assert_eq!(status.communities[0].endpoints[0].1, "http://127.0.0.1:1/iti38");
}

#[tokio::test]
async fn every_problem_of_every_file_is_reported_with_its_place() {
    let folder = Folder::new();
    folder.write(
        "a.toml",
        "name = ''\nhome = ['urn:oid:1.2.x']\nauthorities = ['nobody']\nquirks = ['odd']\n\
         [endpoints]\niti38 = 'https://a/b'\niti99 = 'http://a/b'\niti39 = 'ftp://a/b'\n",
    );
    folder.write(
        "e.toml",
        "name = 'e'\nhome = ['1.2.7']\n[endpoints]\niti38 = 'http://a/b'\n[rules]\n'de.hash.sha' = 'off'\n",
    );
    // Answers that come later need a place to come to, and somebody who is asked.
    folder.write(
        "f.toml",
        "name = 'f'\nhome = ['1.2.8']\ndeferred = true\n[endpoints]\niti38 = 'http://a/b'\n",
    );
    folder.write("b.toml", "name = 'b'\nhme = []\n");
    folder.write("c.toml", EAST);
    folder.write("d.toml", EAST);
    let problems = Directory::load(folder.settings()).unwrap_err();
    let places: Vec<_> =
        problems.iter().map(|p| (p.file.file_name().unwrap().to_str().unwrap().to_owned(), p.line)).collect();
    let of = |file: &str| {
        let mut lines: Vec<_> = places.iter().filter(|(f, _)| f == file).map(|(_, line)| *line).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(of("a.toml"), [1, 2, 3, 4, 6, 7, 8], "{problems:#?}");
    assert_eq!(of("b.toml"), [2], "{problems:#?}");
    assert_eq!(of("e.toml"), [6], "{problems:#?}");
    assert_eq!(of("f.toml"), [3, 3], "{problems:#?}");
    assert_eq!(of("c.toml"), [] as [usize; 0]);
    assert_eq!(of("d.toml"), [0], "its homes are c's");
}

#[tokio::test]
async fn nobody_else_may_claim_our_own_home() {
    let folder = Folder::new();
    folder.write("east.toml", EAST);
    let settings = DirectorySettings { own: vec![home("1.2.4")], ..folder.settings() };
    assert!(Directory::load(settings).unwrap_err()[0].message.contains("our own"));
}

#[tokio::test]
async fn a_bad_new_file_leaves_the_old_one_in_force_and_others_change_all_the_same() {
    let folder = Folder::new();
    folder.write("east.toml", EAST);
    let directory = Directory::load(folder.settings()).unwrap();
    let before = directory.communities();
    folder.write("east.toml", "name = 'broken'");
    folder.write("west.toml", &EAST.replace("1.2.3", "1.3.3").replace("1.2.4", "1.3.4"));
    assert!(directory.has_changed());
    assert_eq!(directory.reload().len(), 1);
    assert!(directory.alarm() && !directory.has_changed());
    let after = directory.communities();
    let peer = |communities: &Communities, id| Arc::clone(&communities.find(&home(id)).unwrap().peer);
    assert!(Arc::ptr_eq(&peer(&before, "1.2.3"), &peer(&after, "1.2.3")), "pool and breaker are kept");
    assert!(after.find(&home("1.3.4")).is_some());

    folder.write("east.toml", &EAST.replace("東部", "East"));
    std::fs::remove_file(folder.0.join("west.toml")).unwrap();
    assert_eq!(directory.reload(), []);
    assert!(!directory.alarm());
    assert_eq!(peer(&directory.communities(), "1.2.3").member.name, "East");
    assert!(directory.communities().find(&home("1.3.3")).is_none());
}

#[tokio::test]
async fn an_unreadable_folder_changes_nothing() {
    let folder = Folder::new();
    folder.write("east.toml", EAST);
    let directory = Directory::load(folder.settings()).unwrap();
    let away = folder.0.with_extension("away");
    std::fs::rename(&folder.0, &away).unwrap();
    assert!(!directory.reload().is_empty());
    assert!(directory.communities().find(&home("1.2.3")).is_some());
    std::fs::rename(&away, &folder.0).unwrap();
    assert_eq!(directory.reload(), []);
}

#[tokio::test]
async fn quirk_sets_of_a_folder_come_over_those_compiled_in() {
    let folder = Folder::new();
    let quirks = folder.0.join("quirks");
    std::fs::create_dir(&quirks).unwrap();
    std::fs::write(quirks.join("fill-home.toml"), "description = 'not any more'\nrelates_to_optional = true")
        .unwrap();
    folder.write("east.toml", EAST);
    let settings = DirectorySettings { quirks: Some(quirks.clone()), ..folder.settings() };
    let directory = Directory::load(settings).unwrap();
    let of = |directory: &Directory| directory.communities().all()[0].peer.member.quirks.clone();
    assert!(of(&directory).relates_to_optional);
    std::fs::write(quirks.join("fill-home.toml"), "description = 'bad'\nrelates = true").unwrap();
    assert_eq!(directory.reload()[0].line, 2);
    assert!(of(&directory).relates_to_optional, "the last good version stays");
}
