//! The Document Registry (ITI TF-1: 10.1.1.3): answers ITI-18 and ITI-42.
