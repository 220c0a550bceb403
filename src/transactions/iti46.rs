//! ITI-46 PIXV3 Update Notification (ITI TF-2: 3.46).
