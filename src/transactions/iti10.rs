//! ITI-10 PIX Update Notification (ITI TF-2: 3.10).
