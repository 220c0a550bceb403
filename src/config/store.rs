//! `[store]`: the database, where it is not a file in `data.directory`.

use std::path::PathBuf;

use super::probe;
use super::section::Section;
use super::settings::check_authorities;
use crate::store::{Backend, PostgresSettings};

/// Reads the section; without it, the database is a file of ours.
pub fn read(top: &Section<'_>) -> Backend {
    let Some(section) = top.section("store") else { return Backend::Sqlite };
    let postgres = section.required::<String>("postgres").and_then(|text| {
        let help =
            "write it as \"host=db.example dbname=sekisho user=sekisho\", the password in password_file";
        PostgresSettings::parse(&text).map_err(|problem| section.error("postgres", problem, help)).ok()
    });
    let password = password(&section);
    let ca: Option<PathBuf> = section.optional("ca");
    check_authorities(&section, "ca", ca.as_ref());
    if postgres.as_ref().is_some_and(PostgresSettings::is_open_to_the_network) {
        let help = "leave sslmode=disable out, and name the CA of the server's certificate as ca = \"…pem\"";
        section.warning("postgres", "patients' data would travel unencrypted to the database", help);
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

/// The password, from a file or from the environment, but never from the configuration itself.
fn password(section: &Section<'_>) -> Option<String> {
    let file: Option<PathBuf> = section.optional("password_file");
    let variable: Option<String> = section.optional("password_variable");
    if file.is_some() && variable.is_some() {
        section.error("password_variable", "the password is given twice", "leave one of the two out");
    }
    if let Some(file) = file {
        if probe::is_open_to_others(&file) {
            section.warning("password_file", "every user of this machine may read it", "chmod 600 it");
        }
        let problem = match std::fs::read_to_string(&file) {
            Ok(text) if !text.trim().is_empty() => {
                return Some(text.trim_end_matches(['\r', '\n']).to_owned());
            }
            Ok(_) => format!("{} is empty", file.display()),
            Err(error) => format!("{} cannot be read: {error}", file.display()),
        };
        section.error("password_file", problem, "give a file that holds the password and nothing else");
    }
    let variable = variable?;
    let password = std::env::var(&variable).ok().filter(|password| !password.is_empty());
    if password.is_none() {
        let problem = format!("the environment has no {variable}");
        section.error("password_variable", problem, "set it where the service is started");
    }
    password
}
