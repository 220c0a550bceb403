//! ITI-8 Patient Identity Feed (ITI TF-2: 3.8).
