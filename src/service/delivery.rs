//! The life of one story in the worker, steps 4 to 9.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    admission::Admission,
    broker,
    config::Config,
    egress::{Egress, Sink, Unpublished},
    flight::{Entry, Flight, Registry},
    metrics::{self, Metrics, Outcome, Stage},
    names,
    pool::{Enriched, Pool, Rejection},
};
use crate::decode::Hints;

/// What every delivery needs.
#[derive(Debug)]
pub struct Context {
    /// The configuration.
    pub config: Config,
    /// The client.
    pub client: Client,
    /// The limits.
    pub admission: Admission,
    /// The CPU pool.
    pub pool: Pool,
    /// The way out.
    pub egress: Egress,
    /// All stories that are in the worker.
    pub registry: Arc<Registry>,
    /// Metrics.
    pub metrics: Metrics,
    /// Begins the end: nothing new is begun.
    pub stopping: CancellationToken,
}

/// Takes one story to its end. Exactly one outcome a delivery; never panics on its own account.
pub async fn deliver(context: &Context, entry: Entry) -> Outcome {
    let flight = &*entry.flight;
    // Step 4: limits, then a place in the pool. Until then the story can be given back.
    let waited = async {
        context.admission.pass(flight.payload.len()).await;
        context.pool.slot().await
    };
    let slot = tokio::select! {
        biased;
        () = context.stopping.cancelled() => return give_back(context, flight).await,
        slot = waited => slot,
    };
    context.metrics.took(Stage::Wait, flight.received.elapsed());
    // Step 5.
    let began = Instant::now();
    let read = context.pool.read(slot, flight.payload.clone(), hints(flight, &context.config)).await;
    context.metrics.took(Stage::Read, began.elapsed());
    let outcome = match read {
        Ok(enriched) => publish_record(context, flight, &enriched).await,
        Err(rejection) => bury(context, flight, &rejection).await,
    };
    if matches!(outcome, Outcome::Recorded | Outcome::Repeated | Outcome::DeadLettered) {
        let now = jiff::Timestamp::now();
        context.metrics.lagged(now.duration_since(flight.origin.stored()).as_secs_f64());
    }
    outcome
}

fn hints(flight: &Flight, config: &Config) -> Hints {
    let header = |name| flight.headers.as_ref().and_then(|headers| headers.get(name)).map(ToString::to_string);
    Hints {
        format: None,
        id: None,
        reference_time: header(names::REFERENCE_TIME).filter(|time| time.parse::<jiff::Timestamp>().is_ok()),
        received_at: Some(flight.origin.stored().to_string()),
        story_bytes_max: config.limits.story_bytes_max as usize,
    }
}

/// Steps 6 and 7: the record, its PubAck, the confirmed acknowledgement.
async fn publish_record(context: &Context, flight: &Flight, enriched: &Enriched) -> Outcome {
    let began = Instant::now();
    let subject = record_subject(&context.config.streams.output.subject, enriched);
    let id = names::message_id(&flight.origin);
    let mut headers = names::origin_headers(&flight.origin, &flight.subject, flight.attempt, &id);
    if let Some(id) = header_value(&enriched.id) {
        headers.insert(names::STORY_ID, id);
    }
    headers.insert(names::CONTENT_TYPE, "application/json");
    headers.insert(names::EXPECTED_STREAM, context.config.streams.output.name.as_str());
    if let Some(trace) = flight.headers.as_ref().and_then(|own| own.get(names::TRACE_PARENT)) {
        headers.insert(names::TRACE_PARENT, trace.clone());
    }
    match context.egress.publish(Sink::Output, &subject, &headers, &enriched.body, &context.metrics).await {
        Ok(duplicate) => {
            context.metrics.took(Stage::Publish, began.elapsed());
            confirm(context, flight, b"+ACK", if duplicate { Outcome::Repeated } else { Outcome::Recorded }).await
        }
        Err(Unpublished::Stopped) => Outcome::Left,
        Err(Unpublished::TooLarge(why)) => {
            let detail = format!("the record has {} bytes: {why}", enriched.body.len());
            let id = Some(enriched.id.clone());
            bury(context, flight, &Rejection { code: "record.too_large", detail, id }).await
        }
    }
}

/// Step 8: the dead letter, its PubAck, and only then the end of the story.
async fn bury(context: &Context, flight: &Flight, rejection: &Rejection) -> Outcome {
    let subject = context.config.streams.dead.subject.replace("{reason}", &names::token(Some(rejection.code)));
    let expected = |mut headers: HeaderMap| {
        headers.insert(names::EXPECTED_STREAM, context.config.streams.dead.name.as_str());
        headers
    };
    let mut headers = expected(dead_letter_headers(flight, rejection));
    let body: Bytes = flight.payload.clone();
    let mut published = context.egress.publish(Sink::Dead, &subject, &headers, &body, &context.metrics).await;
    if matches!(published, Err(Unpublished::TooLarge(_))) {
        headers = expected(without_originals(flight, rejection));
        published = context.egress.publish(Sink::Dead, &subject, &headers, &body, &context.metrics).await;
    }
    match published {
        Ok(_) => {
            metrics::dead_letter(rejection.code);
            tracing::warn!(
                story.stream = %flight.origin.stream, story.sequence = flight.origin.sequence,
                story.bytes = flight.payload.len(), reason = rejection.code, detail = %rejection.detail,
                "story became a dead letter"
            );
            confirm(context, flight, b"+TERM", Outcome::DeadLettered).await
        }
        Err(Unpublished::Stopped) => Outcome::Left,
        Err(Unpublished::TooLarge(why)) => {
            // Start-up makes this impossible unless the broker's limits were lowered since. The story
            // stays in the input stream and comes again later; nothing is lost, and nobody is silent.
            tracing::error!(
                story.stream = %flight.origin.stream, story.sequence = flight.origin.sequence, error = %why,
                "a dead letter does not fit the dead-letter stream; raise its limits"
            );
            nak(context, flight, UNPLACEABLE_DELAY).await;
            Outcome::GivenBack
        }
    }
}

/// How long a story rests that could not be stored anywhere.
const UNPLACEABLE_DELAY: Duration = Duration::from_mins(10);

async fn confirm(context: &Context, flight: &Flight, kind: &'static [u8], outcome: Outcome) -> Outcome {
    let began = Instant::now();
    let timeout = Duration::from_millis(context.config.delivery.ack_timeout_ms);
    match broker::confirm(&context.client, flight.reply(), kind, timeout).await {
        Ok(()) => {
            context.metrics.took(Stage::Ack, began.elapsed());
            outcome
        }
        Err(_) if context.stopping.is_cancelled() => Outcome::Left,
        Err(error) => {
            tracing::warn!(
                story.stream = %flight.origin.stream, story.sequence = flight.origin.sequence, error = %error,
                "acknowledgement is not confirmed; the story will come again and give no second record"
            );
            Outcome::Unconfirmed
        }
    }
}

async fn give_back(context: &Context, flight: &Flight) -> Outcome {
    nak(context, flight, Duration::from_millis(context.config.delivery.give_back_delay_ms)).await;
    Outcome::GivenBack
}

/// Negative acknowledgement, always with a delay: without one it is a hot loop.
async fn nak(context: &Context, flight: &Flight, delay: Duration) {
    let body = format!("-NAK {{\"delay\": {}}}", broker::jitter(delay).as_nanos());
    if let Err(error) = context.client.publish(flight.reply(), body.into()).await {
        tracing::warn!(error = %error, "cannot give a story back; it will come again after ack_wait");
    }
}

fn record_subject(template: &str, enriched: &Enriched) -> String {
    let mut subject = template.to_owned();
    for (name, value) in [
        ("{agency}", &enriched.agency),
        ("{language}", &enriched.language),
        ("{status}", &enriched.status),
        ("{source}", &enriched.source),
    ] {
        if subject.contains(name) {
            subject = subject.replace(name, &names::token(value.as_deref()));
        }
    }
    subject
}

fn dead_letter_headers(flight: &Flight, rejection: &Rejection) -> HeaderMap {
    let mut headers = reason_headers(flight, rejection);
    for (name, values) in flight.headers.iter().flat_map(HeaderMap::iter) {
        for value in values {
            headers.append(format!("{}{name}", names::ORIGINAL_PREFIX).as_str(), value.clone());
        }
    }
    headers
}

fn without_originals(flight: &Flight, rejection: &Rejection) -> HeaderMap {
    let mut headers = reason_headers(flight, rejection);
    let count = flight.headers.iter().map(HeaderMap::len).sum::<usize>();
    headers.insert(names::ORIGINALS_LEFT_OUT, count.to_string());
    headers
}

fn reason_headers(flight: &Flight, rejection: &Rejection) -> HeaderMap {
    let id = format!("dead:{}", names::message_id(&flight.origin));
    let mut headers = names::origin_headers(&flight.origin, &flight.subject, flight.attempt, &id);
    headers.insert(names::REASON, rejection.code);
    if let Some(detail) = header_value(&rejection.detail) {
        headers.insert(names::DETAIL, detail);
    }
    if let Some(id) = rejection.id.as_deref().and_then(header_value) {
        headers.insert(names::STORY_ID, id);
    }
    headers
}

/// Longest value that is put into a header.
const HEADER_BYTES_MAX: usize = 512;

/// A value that is safe in a header: one line, bounded.
fn header_value(value: &str) -> Option<String> {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = crate::text::until(&line, line.floor_char_boundary(HEADER_BYTES_MAX)).trim().to_owned();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_filled_in_with_safe_tokens() {
        let enriched = Enriched { agency: Some("Example News".into()), ..Enriched::default() };
        assert_eq!(record_subject("wire.enriched.{agency}", &enriched), "wire.enriched.example-news");
        assert_eq!(record_subject("w.{source}.{agency}", &enriched), "w.unknown.example-news");
        assert_eq!(record_subject("w.fixed", &enriched), "w.fixed");
    }

    #[test]
    fn header_values_are_one_bounded_line() {
        assert_eq!(header_value("a\r\nNats-Rollup: all"), Some("a  Nats-Rollup: all".to_owned()));
        assert_eq!(header_value(&"é".repeat(600)).map(|v| v.len()), Some(512));
        assert_eq!(header_value(" \n"), None);
    }
}
