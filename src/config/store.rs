//! `[store]`: the database, where it is not a file in `data.directory`.

use std::path::PathBuf;

use super::documents::Secret;
use super::probe;
use super::section::Section;
use super::settings::check_authorities;
use crate::repository::S3Settings;
use crate::store::{Backend, PostgresSettings};

/// Reads the section; without it, the database is a file of ours. `documents` says where those are kept.
pub fn read(top: &Section<'_>, documents: Option<&S3Settings>) -> Backend {
    let Some(section) = top.section("store") else { return Backend::Sqlite };
    let postgres = section.required::<String>("postgres").and_then(|text| {
        let help =
            "write it as \"host=db.example dbname=sekisho user=sekisho\", and the password as password = { file = … }";
        PostgresSettings::parse(&text).map_err(|problem| section.error("postgres", problem, help)).ok()
    });
    let password =
        section.optional::<Secret>("password").map(|password| password.reveal(&section, "password"));
    let ca: Option<PathBuf> = section.optional("ca");
    check_authorities(&section, "ca", ca.as_ref());
    if postgres.as_ref().is_some_and(PostgresSettings::is_open_to_the_network) {
        let help = "leave sslmode=disable out, and name the CA of the server's certificate as ca = \"…pem\"";
        section.warning("postgres", "patients' data would travel unencrypted to the database", help);
    }
    if documents.is_none() {
        let help = "add [documents.s3]; else give each gateway on this database a repository of its own";
        let problem = "documents lie in this gateway's folder: another one on this database is refused the same repository";
        section.warning("postgres", problem, help);
    }
    section.close();
    let authorities = ca.and_then(|file| probe::authorities(&file).ok()).unwrap_or_default();
    postgres.map_or(Backend::Sqlite, |postgres| {
        let postgres = postgres.trusting(authorities);
        Backend::Postgres(match password {
            Some(password) => postgres.with_password(&password),
            None => postgres,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tests::{Folder, STANDALONE};

    const STORE: &str =
        "[store]\npostgres = \"host=db.example user=sekisho\"\npassword = { file = \"password\" }\n";
    const S3: &str = "[documents.s3]\nendpoint = \"http://127.0.0.1:9000\"\nbucket = \"documents\"\n\
                      access_key = { file = \"password\" }\nsecret_key = { file = \"password\" }\n";

    /// What loading it tells: problems or warnings.
    fn told(text: &str) -> String {
        let folder = Folder::with(&format!("{STANDALONE}{text}"));
        let password = folder.0.join("password");
        std::fs::write(&password, "open sesame\n").unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        match folder.load(&[]) {
            Ok((settings, warnings)) => {
                assert!(!format!("{settings:?}").contains("sesame"), "a password is shown");
                warnings.to_string()
            }
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn a_database_of_several_gateways_wants_documents_that_they_share() {
        assert_eq!(told(&format!("{STORE}{S3}")), "");
        let alone = told(STORE);
        assert!(
            alone.contains("is refused the same repository") && alone.contains("[documents.s3]"),
            "{alone}"
        );
    }

    #[test]
    fn a_password_is_a_secret_as_others_are() {
        for (password, expected) in [
            ("\"open sesame\"", "secrets do not stand in this file"),
            ("{ file = \"nowhere\" }", "cannot be read"),
            ("{ env = \"SEKISHO_NOT_THERE\" }", "has no variable"),
        ] {
            let problems = told(&STORE.replace("{ file = \"password\" }", password));
            assert!(problems.contains(expected), "{password}: {problems}");
        }
        let inside = told(&STORE.replace("user=sekisho", "user=sekisho password=sesame"));
        assert!(inside.contains("a password does not belong into a connection string"), "{inside}");
    }
}
