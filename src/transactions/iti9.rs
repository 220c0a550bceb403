//! ITI-9 PIX Query (ITI TF-2: 3.9).
