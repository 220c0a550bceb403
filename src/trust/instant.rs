//! Times of an assertion: xs:dateTime in UTC (SAML 2.0 Core, 1.3.3), compared with a clock that may differ a little.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::refused::{EXPIRED, INSTANT, NOT_BEFORE, Refused};
use crate::wire::xml::Element;

/// The time that an attribute names. Without a zone, it is UTC.
fn instant(element: Element<'_>, name: &'static str) -> Result<Option<Timestamp>, Refused> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    let text = text.trim();
    let zoned = text.parse::<Timestamp>().ok();
    let local = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let instant = zoned.or_else(|| Some(local()?.timestamp()));
    instant.map(Some).ok_or_else(|| INSTANT.because(format!("{name} of {}", element.local())))
}

/// That now is within NotBefore and NotOnOrAfter, as far as they are there.
pub(super) fn check(element: Element<'_>, now: Timestamp, skew: Duration) -> Result<(), Refused> {
    let late = |end: Timestamp| end.saturating_add(skew).is_ok_and(|end| now >= end);
    if let Some(start) = instant(element, "NotBefore")?
        && start.saturating_sub(skew).is_ok_and(|start| now < start)
    {
        let early = start.as_second().saturating_sub(now.as_second());
        return Err(NOT_BEFORE.because(format!("{early} s too early by this gateway's clock")));
    }
    for name in ["NotOnOrAfter", "SessionNotOnOrAfter"] {
        if let Some(end) = instant(element, name)?.filter(|end| late(*end)) {
            let ago = now.as_second().saturating_sub(end.as_second());
            return Err(EXPIRED.because(format!("{name} was {ago} s ago by this gateway's clock")));
        }
    }
    Ok(())
}

/// The same where there must be an end.
pub(super) fn check_ended(element: Element<'_>, now: Timestamp, skew: Duration) -> Result<(), Refused> {
    if element.attr("NotOnOrAfter").is_none() {
        return Err(INSTANT.because(format!("{} has no NotOnOrAfter", element.local())));
    }
    check(element, now, skew)
}
