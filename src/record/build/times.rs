//! Times → record.

use super::Put;
use crate::{
    extract::times,
    record::times::{DatelineDate, Time},
    text::Span,
};

/// The id of a time by its place in the list.
pub(super) fn time_id(index: usize) -> String {
    format!("t{}", index + 1)
}

impl Put<'_> {
    pub(super) fn dateline_date(&self, span: Span, times: &times::Times) -> DatelineDate {
        DatelineDate { span: self.span(span), time: times.dateline.map(time_id) }
    }

    pub(super) fn times(&self, times: &times::Times) -> Vec<Time> {
        let put = |(index, time): (usize, &times::Time)| Time {
            id: time_id(index),
            span: self.span(time.span),
            kind: time.kind,
            value: time.value.clone(),
            value_text_only: time.value_text_only.clone(),
            modifier: time.modifier,
            zone: time.zone_minutes.map(|minutes| {
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }),
            anchor: time.anchor.map(time_id),
            basis: time.basis,
            rule: time.rule.to_owned(),
        };
        times.list.iter().enumerate().map(put).collect()
    }
}
