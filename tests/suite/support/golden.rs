//! Golden files: what we write, byte for byte, with identifiers numbered in their order of appearance.

use std::path::Path;

/// Compares with `tests/golden/<name>`; with `UPDATE_GOLDEN=1` writes it instead.
#[track_caller]
pub fn check(name: &str, actual: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let actual = number_uuids(&String::from_utf8_lossy(actual));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes it", path.display()));
    assert!(expected == actual, "{name} differs.\n--- expected\n{expected}\n--- actual\n{actual}");
}

/// An HL7 v2 message, a segment on each line, with what differs every time replaced: a segment, its field, what stands there
/// instead. Without its MLLP frame.
pub fn segments(message: &str, varying: &[(&str, usize, &str)]) -> String {
    let message = message.trim_matches(['\u{b}', '\u{1c}', '\r']);
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split('|').collect();
        for (_, field, instead) in varying.iter().filter(|(segment, ..)| **segment == line[..3]) {
            fields[*field] = instead;
        }
        fields.join("|") + "\n"
    };
    message.split('\r').map(line).collect()
}

/// Every UUID that is no constant of the metadata model becomes `UUID-n`: the n-th different one.
pub fn number_uuids(text: &str) -> String {
    const CONSTANTS: &str = include_str!("../../../src/metadata/codes.rs");
    const SHAPE: [usize; 5] = [8, 4, 4, 4, 12];
    const LENGTH: usize = 36;
    let is_uuid = |candidate: &str| {
        candidate.split('-').map(str::len).eq(SHAPE)
            && candidate.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
    };
    let (mut out, mut seen, mut at) = (String::with_capacity(text.len()), Vec::<&str>::new(), 0);
    while at < text.len() {
        match text.get(at..at + LENGTH) {
            Some(candidate) if is_uuid(candidate) && !CONSTANTS.contains(candidate) => {
                let number = seen.iter().position(|known| *known == candidate).unwrap_or_else(|| {
                    seen.push(candidate);
                    seen.len() - 1
                });
                out.push_str(&format!("UUID-{}", number + 1));
                at += LENGTH;
            }
            _ => {
                let next = text[at..].chars().next().unwrap();
                out.push(next);
                at += next.len_utf8();
            }
        }
    }
    out
}
