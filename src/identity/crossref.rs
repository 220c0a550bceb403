//! The cross-reference cache in sled (design: section 4).
