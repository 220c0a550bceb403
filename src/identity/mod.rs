//! Who is who: the region's patient index, matching, links and their history, and the cross-reference to other communities
//! (ITI TF-1: 5, 8, 27; 広域MPI, 名寄せ). Called by the actors; knows no message.
//!
//! | room | what it knows |
//! |---|---|
//! | [`index`] | records and their history, persons, links, merges, the review queue, events |
//! | [`matching`] | whether two records are one person: comparators, weights, blocking; pure, without a store |
//! | [`crossref`] | who a patient is elsewhere: the cache in sled |

pub mod crossref;
pub mod index;
pub mod matching;
