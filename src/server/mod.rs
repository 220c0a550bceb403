//! Listeners, routing, admission limits, faults, WSDL, reload, shutdown.
