//! ITI-21 Patient Demographics Query (ITI TF-2: 3.21).
