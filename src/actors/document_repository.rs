//! The Document Repository (ITI TF-1: 10.1.1.4): answers ITI-41 and ITI-43.
