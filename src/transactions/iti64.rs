//! ITI-64 Notify XAD-PID Link Change (ITI TF-2: 3.64).
