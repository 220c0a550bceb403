//! A submission's fingerprint: two that say the same have the same.

use openssl::sha::Sha256;

use crate::metadata::Submission;
use crate::wire::xml::Writer;

/// SHA-256 over a submission in canonical form, as it came to the registry: hashes of documents are in its entries.
/// Ids of classifications and external identifiers do not count, since writers make them up anew.
pub fn digest(submission: &Submission) -> [u8; 32] {
    let mut submission = submission.clone();
    for object in &mut submission.objects {
        for classification in &mut object.classifications {
            classification.id = Some(String::new());
        }
        for identifier in &mut object.external_identifiers {
            identifier.id = Some(String::new());
        }
    }
    let mut out = Writer::with_capacity(8 * 1024);
    submission.write(&mut out);
    let mut sha = Sha256::new();
    sha.update(&out.finish());
    sha.finish()
}
