//! The one integration-test binary: whole messages over real sockets, files and databases.

mod support;
mod transactions;
