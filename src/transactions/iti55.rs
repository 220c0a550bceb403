//! ITI-55 Cross Gateway Patient Discovery (ITI TF-2: 3.55).
