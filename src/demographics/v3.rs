//! HL7 V3: Patient and Person of PRPA_MT201301 to 201310 as [`crate::demographics`] has them, read and written (ITI TF-2:
//! 3.44 to 3.47, 3.55; Appendix E).
