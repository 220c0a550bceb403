//! ITI-22 Patient Demographics and Visit Query (ITI TF-2: 3.22).
