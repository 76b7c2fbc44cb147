//! A span for each story, and the trace context that goes from its message to its record.
//!
//! `traceparent` and `tracestate` (W3C Trace Context) pass through as they are. In a program built with
//! the feature `otel` and with `trace.endpoint` set, the span of the story is sent to a collector as a
//! child of the message's, and the record carries the span of the story.

use async_nats::HeaderMap;
use tracing::Span;

use super::{flight::Flight, names};

#[cfg(feature = "otel")]
pub mod export;

/// The span of one story; `outcome` is filled in at its end.
pub fn span(flight: &Flight) -> Span {
    let span = tracing::info_span!(
        "story",
        story.stream = %flight.origin.stream,
        story.sequence = flight.origin.sequence,
        story.attempt = flight.attempt,
        story.bytes = flight.payload.len(),
        story.input = %flight.input,
        outcome = tracing::field::Empty,
    );
    #[cfg(feature = "otel")]
    export::adopt(&span, flight.headers.as_ref());
    span
}

/// Longest `tracestate` that is passed on: W3C Trace Context asks for 512 characters at least, and a
/// broker stores 64 KiB of headers.
const STATE_BYTES_MAX: usize = 4096;

/// Gives the trace context of a story to what comes of it.
pub fn carry_on(flight: &Flight, headers: &mut HeaderMap) {
    for name in [names::TRACE_PARENT, names::TRACE_STATE] {
        if let Some(value) = flight.headers.as_ref().and_then(|own| own.get(name))
            && value.as_str().len() <= STATE_BYTES_MAX
        {
            headers.insert(name, value.clone());
        }
    }
    #[cfg(feature = "otel")]
    export::inject(&Span::current(), headers);
}
