//! What is printed.

use serde_json::{Value, json};

use super::load::Outcome;
use crate::cli::output::Output;

/// The figures of one side of a row; what does not apply is None.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Answers per second.
    pub rate: Option<f64>,
    /// Milliseconds, median.
    pub p50: Option<f64>,
    /// Milliseconds, 99th percentile.
    pub p99: Option<f64>,
    /// CPU milliseconds of the server's process per answer.
    pub cpu: Option<f64>,
    /// Highest resident memory of the server's process, MiB.
    pub peak_mib: Option<f64>,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The work.
    pub work: String,
    /// Ours.
    pub ours: Figures,
    /// The limit's.
    pub limit: Figures,
    /// What is to be reached, in words.
    pub reach: String,
    /// What was reached, in the same terms.
    pub reached: String,
    /// Whether it was; None where nothing is asked.
    pub met: Option<bool>,
}

impl Figures {
    /// From a load and what it cost the server.
    pub fn of(outcome: &Outcome, cpu_seconds: f64, peak_mib: f64) -> Self {
        Self {
            rate: Some(outcome.rate()),
            p50: Some(outcome.quantile(0.5)),
            p99: Some(outcome.quantile(0.99)),
            cpu: Some(cpu_seconds * 1e3 / outcome.good.max(1) as f64),
            peak_mib: Some(peak_mib),
        }
    }
    fn json(&self) -> Value {
        json!({
            "perSecond": self.rate, "p50Millis": self.p50, "p99Millis": self.p99,
            "cpuSecondsPer1000": self.cpu, "peakMiB": self.peak_mib,
        })
    }
}

impl Row {
    /// A row whose reach is a bound on our CPU milliseconds per answer.
    pub fn cpu(work: impl Into<String>, ours: Figures, limit: Figures, at_most: f64) -> Self {
        let cpu = ours.cpu.unwrap_or(f64::NAN);
        Self {
            work: work.into(),
            reach: format!("≤ {at_most} ms CPU"),
            reached: format!("{cpu:.3} ms CPU"),
            met: Some(cpu <= at_most),
            ours,
            limit,
        }
    }
    /// A row whose reach is a share of the limit's rate.
    pub fn share(work: impl Into<String>, ours: Figures, limit: Figures, at_least: f64) -> Self {
        let share = ours.rate.unwrap_or(0.0) / limit.rate.unwrap_or(f64::NAN);
        Self {
            work: work.into(),
            reach: format!("≥ {:.0} % of the limit", at_least * 100.0),
            reached: format!("{:.0} %", share * 100.0),
            met: Some(share >= at_least),
            ours,
            limit,
        }
    }
}

/// Shows all rows.
pub fn show(output: Output, rows: &[Row]) {
    const HEADER: [&str; 13] = [
        "work",
        "/s",
        "limit /s",
        "p50 ms",
        "p99 ms",
        "limit p50",
        "limit p99",
        "CPU ms",
        "limit CPU ms",
        "peak MiB",
        "reach",
        "reached",
        "",
    ];
    let number =
        |value: Option<f64>, digits: usize| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
    // What takes microseconds shows them.
    let millis = |value: Option<f64>| number(value, if value.is_some_and(|v| v < 0.1) { 4 } else { 2 });
    let line = |row: &Row| {
        [
            row.work.clone(),
            number(row.ours.rate, 0),
            number(row.limit.rate, 0),
            millis(row.ours.p50),
            millis(row.ours.p99),
            millis(row.limit.p50),
            millis(row.limit.p99),
            number(row.ours.cpu, 3),
            number(row.limit.cpu, 3),
            number(row.ours.peak_mib, 0),
            row.reach.clone(),
            row.reached.clone(),
            row.met.map_or("", |met| if met { "met" } else { "MISSED" }).to_owned(),
        ]
    };
    output.table(HEADER, &rows.iter().map(line).collect::<Vec<_>>());
    let value = |row: &Row| {
        json!({
            "work": row.work, "ours": row.ours.json(), "limit": row.limit.json(),
            "reach": row.reach, "reached": row.reached, "met": row.met,
        })
    };
    output.json(&json!({ "rows": rows.iter().map(value).collect::<Vec<_>>() }));
}
