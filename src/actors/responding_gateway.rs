//! The Responding Gateway (ITI TF-1: 18.1.1.2): answers ITI-38 and ITI-39 from the local registries and repositories.
