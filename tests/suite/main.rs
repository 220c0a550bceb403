//! The one integration-test binary: whole messages over real sockets, files and databases.

mod http_tls;
mod soap_call;
mod soap_forms;
mod support;
mod transactions;
