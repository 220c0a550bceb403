//! ITI-44 Patient Identity Feed HL7 V3 (ITI TF-2: 3.44).
