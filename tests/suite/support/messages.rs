//! Messages that we wrote, kept for the standards' own schemas (CI runs them over the folder).

use std::sync::atomic::{AtomicUsize, Ordering};

/// Keeps an XML message under `$SEKISHO_TEST_MESSAGES`, where that is set.
pub fn keep(name: &str, xml: &[u8]) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let Some(folder) = std::env::var_os("SEKISHO_TEST_MESSAGES") else { return };
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    std::fs::write(folder.join(format!("{safe}-{}-{number:04}.xml", std::process::id())), xml).unwrap();
}

/// Keeps every envelope in what we sent: of an HTTP message in either form, or of several. Our own are known by their
/// prefix, which peers of straw do not use.
pub fn keep_envelopes(name: &str, sent: &[u8]) {
    const END: &str = "</soap:Envelope>";
    let text = String::from_utf8_lossy(sent);
    let mut rest = &*text;
    while let Some((_, envelope)) = rest.split_once("<soap:Envelope ") {
        let Some((envelope, after)) = envelope.split_once(END) else { return };
        keep(name, format!("<soap:Envelope {envelope}{END}").as_bytes());
        rest = after;
    }
}
