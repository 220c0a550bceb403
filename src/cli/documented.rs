//! `docs/cli.md` tells of every command and every option, each where its command is told of, and of none that is not there.
//! How measurements are begun stands in `BENCHMARKING.md`.

use clap::{Arg, Command, CommandFactory as _};

const PAGE: &str = include_str!("../../docs/cli.md");
const BENCHMARKING: &str = include_str!("../../BENCHMARKING.md");

/// What the pages say of a command: what holds for all, its row, and the sections whose headings name it.
fn about(command: &str) -> String {
    let (general, sections) = PAGE.split_once("\n## ").unwrap();
    let rows =
        general.lines().filter(|line| !line.starts_with('|') || line.starts_with(&format!("| `{command}")));
    let mut text = rows.collect::<Vec<_>>().join("\n");
    for section in sections.split("\n## ") {
        let heading = section.lines().next().unwrap();
        if heading == "Who and where" || heading.split(' ').any(|word| word == command) {
            text.push_str(section);
        }
    }
    if command == "bench" {
        text.push_str(BENCHMARKING);
    }
    text
}

fn has_option(text: &str, long: &str) -> bool {
    options(text).any(|option| option == long)
}

/// Everything in a text that is written as an option.
fn options(text: &str) -> impl Iterator<Item = &str> {
    let after = text.match_indices("--").filter(|(at, _)| text[..*at].ends_with([' ', '`', '(', '[', '\n']));
    after.filter_map(|(at, _)| {
        let rest = &text[at + 2..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
    })
}

/// The long options of a command and of those below it.
fn longs(command: &Command) -> Vec<String> {
    let shown = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    let own = command.get_arguments().filter(shown).filter_map(|argument| argument.get_long());
    let below = command.get_subcommands().flat_map(longs);
    own.map(str::to_owned).chain(below).collect()
}

fn program() -> Command {
    let mut program = super::Arguments::command();
    program.build();
    program
}

#[test]
fn every_command_and_option_is_documented() {
    let mut untold = Vec::new();
    for command in program().get_subcommands() {
        let name = command.get_name();
        let text = about(name);
        if !PAGE.contains(&format!("`{name}")) && !PAGE.contains(&format!("\n## {name}")) {
            untold.push(name.to_owned());
        }
        for below in command.get_subcommands().filter(|below| !text.contains(below.get_name())) {
            untold.push(format!("{name} {}", below.get_name()));
        }
        let longs = longs(command).into_iter().filter(|long| !has_option(&text, long));
        untold.extend(longs.map(|long| format!("{name} --{long}")));
    }
    assert!(untold.is_empty(), "docs/cli.md does not tell of {untold:#?}");
}

#[test]
fn every_documented_option_is_there() {
    let known: Vec<_> = program().get_subcommands().flat_map(longs).collect();
    let strange: Vec<_> = options(PAGE).filter(|option| !["help", "version"].contains(option)).collect();
    let strange: Vec<_> =
        strange.iter().filter(|option| !known.iter().any(|long| long == **option)).collect();
    assert!(strange.is_empty(), "docs/cli.md tells of {strange:?}, which no command has");
}
