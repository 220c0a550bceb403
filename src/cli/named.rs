//! Patients and character sets as options name them. An Individual Number (My Number) is sent to nobody; these commands have no configuration
//! that could say in which domain twelve digits are none, so an option does.

use clap::{Args, ValueEnum};

use super::{Exit, Stop};
use crate::demographics::is_my_number;
use crate::ids::PatientId;
use crate::wire::hl7v2::Charset;

/// How patients are named: options of `feed`, `query` and `submit`.
#[derive(Debug, Clone, Copy, Args)]
pub struct Naming {
    /// What twelve digits with the check digit of a My Number are: refused, or a number of the domain's own
    #[arg(long, value_enum, default_value_t = TwelveDigits::MyNumber)]
    twelve_digits: TwelveDigits,
}

/// As `domains.twelve_digits` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TwelveDigits {
    /// A My Number
    MyNumber,
    /// A number of the domain's own
    Own,
}

impl Naming {
    /// A patient as it was typed. What is wrong with it does not repeat it.
    pub fn patient(self, text: &str) -> Result<PatientId, Stop> {
        let usage = |problem: &str| Stop::new(Exit::Usage, problem);
        let patient = PatientId::parse(text).map_err(|_| usage("write the patient as ID^^^&OID&ISO"))?;
        if self.twelve_digits == TwelveDigits::MyNumber && is_my_number(patient.id()) {
            return Err(usage(
                "that is an Individual Number (My Number), which no medical network may use; \
                 --twelve-digits own says that it is a number of the domain's own",
            ));
        }
        Ok(patient)
    }
}

/// A character set as it was typed.
pub fn charset(name: &str) -> Result<Charset, String> {
    Charset::named(name).ok_or_else(|| "name it as MSH-18 does: UNICODE UTF-8, ISO IR87, 8859/1".to_owned())
}
