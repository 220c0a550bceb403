//! ITI-56 Patient Location Query (ITI TF-2: 3.56).
