//! The SOAP header CorrelationTimeToLive (ITI TF-2: 3.55.4.1.2.6): in a request it tells the answering side how long it may
//! keep what it learnt of the asking side's patient, in an answer the other way round. Absent, nothing is kept.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::soap::Envelope;
use crate::wire::xml::{Ns, Writer};

const HEADER: &str = "CorrelationTimeToLive";
const DAY: u64 = 24 * 60 * 60;

/// The header of a message. None if it is absent, or no duration.
pub fn read(envelope: &Envelope) -> Option<Duration> {
    parse(envelope.header()?.child(Ns::XCPD, HEADER)?.text().trim())
}

/// The header block.
pub fn write(lifetime: Duration) -> Bytes {
    let mut out = Writer::with_capacity(128);
    out.start(Ns::XCPD, HEADER).declare(&[Ns::XCPD]).text(&text(lifetime)).end();
    Bytes::from(out.finish())
}

/// An xs:duration of whole days where it is one, of seconds otherwise.
fn text(lifetime: Duration) -> String {
    match lifetime.as_secs() {
        seconds if seconds % DAY == 0 && seconds > 0 => format!("P{}D", seconds / DAY),
        seconds => format!("PT{seconds}S"),
    }
}

/// An xs:duration. A negative one is none at all; a month is taken as 30 days, a year as 365.
fn parse(text: &str) -> Option<Duration> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date = sum(date, &[('Y', 365 * DAY), ('M', 30 * DAY), ('D', DAY)])?;
    let time = sum(time, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    Some(if negative { Duration::ZERO } else { Duration::from_secs(date.checked_add(time)?) })
}

/// Numbers with their units, in the order of the units. Fractions of a second are dropped.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut sum = 0u64;
    for (unit, seconds) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            let whole = match number.split_once('.') {
                Some((whole, fraction)) if *unit == 'S' && fraction.bytes().all(|b| b.is_ascii_digit()) => {
                    whole
                }
                Some(_) => return None,
                None => number,
            };
            // `parse` would take a sign.
            whole.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
            sum = sum.checked_add(whole.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (given, seconds) in [
            ("P7D", 7 * DAY),
            ("P0Y0M7D", 7 * DAY),
            ("P1Y2M", 425 * DAY),
            ("PT90M", 5_400),
            ("P1DT1.5S", DAY + 1),
            ("-P7D", 0),
            ("PT0S", 0),
        ] {
            assert_eq!(parse(given), Some(Duration::from_secs(seconds)), "{given}");
            assert_eq!(parse(&text(Duration::from_secs(seconds))), Some(Duration::from_secs(seconds)));
        }
        for bad in
            ["", "P", "PT", "7D", "P7", "P7DT", "P1M1Y", "P1.5D", "PxD", "P99999999999999999999D", "P+7D"]
        {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
