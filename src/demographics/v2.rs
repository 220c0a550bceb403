//! HL7 v2: PID, MRG and their data types (XPN, XAD, XTN, CX) as [`crate::demographics`] has them, read and written
//! (HL7 2.3.1 and 2.5, chapter 3; ITI TF-2: 3.8, 3.21).
