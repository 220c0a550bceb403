//! ITI-45 PIXV3 Query (ITI TF-2: 3.45).
