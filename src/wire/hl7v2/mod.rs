//! HL7 v2 on the wire: ER7 with any delimiters, character sets, MLLP. Knows no IHE.
