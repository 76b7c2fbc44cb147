//! The life of one story in the worker, steps 4 to 9.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    admission::{self, Admission},
    broker,
    config::{Config, EmbargoMode, Limits},
    egress::{Egress, Sink, Tombstone, Unpublished},
    embargo::{self, Parked},
    failpoint,
    flight::{Entry, Flight, Origin, Registry},
    lineage::Keeper,
    metrics::{self, Metrics, Outcome, Stage},
    names::{self, Part},
    poison::{AGAIN, Leave, Poison, Suspect, Unmarked},
    pool::{Enriched, Pool, Rejection, Slot, Stories},
    state::{StateError, Stopped},
    trace,
    turns::Lane,
};
use crate::{
    decode::{Hints, peek},
    lineage::{Lineage, Place, Standing, put},
    story::Format,
};

/// What every delivery needs.
#[derive(Debug)]
pub struct Context {
    /// The configuration.
    pub config: Config,
    /// The client.
    pub client: Client,
    /// The limits.
    pub admission: Admission,
    /// Marks of stories that may kill a worker.
    pub poison: Poison,
    /// The CPU pool.
    pub pool: Pool,
    /// The way out.
    pub egress: Egress,
    /// The broker's JetStream side.
    pub jetstream: async_nats::jetstream::Context,
    /// The versions of stories.
    pub keeper: Keeper,
    /// What is known to be no kill.
    pub looked_at: LookedAt,
    /// All stories that are in the worker.
    pub registry: Arc<Registry>,
    /// Metrics.
    pub metrics: Metrics,
    /// Begins the end: nothing new is begun.
    pub stopping: CancellationToken,
}

impl Context {
    /// Puts other limits in force, all of them: each key of `[limits]` is read from [`Admission::limits`]
    /// when it is needed, or handed on here.
    pub fn limit(&self, limits: &Limits) {
        self.admission.reload(limits);
        self.poison.keep_rest(limits.rest_every);
        self.pool.allow(Duration::from_millis(limits.story_deadline_ms));
    }
}

/// Takes one story to its end. Exactly one outcome a delivery; never panics on its own account.
pub async fn deliver(context: &Context, entry: Entry) -> Outcome {
    let flight = &*entry.flight;
    let limits = context.admission.limits();
    let queued = context.metrics.queued();
    let admitted = admit(context, flight, &limits).await;
    drop(queued);
    let (slot, leave) = match admitted {
        Ok(admitted) => admitted,
        Err(Kept::GivenBack) => return give_back(context, flight).await,
        Err(Kept::Throttled) => {
            nak(context, flight, Duration::from_millis(limits.throttled_delay_ms)).await;
            return Outcome::Throttled;
        }
        Err(Kept::Unmarked(error)) => return without_state(context, flight, &error).await,
        Err(Kept::Rejected(rejection)) => {
            return end(context, flight, bury(context, flight, &rejection, Part::WHOLE).await).await;
        }
        Err(Kept::Killer(suspect)) => {
            let detail = format!("{} workers died while they read the story", suspect.begun());
            let rejection = Rejection { code: "read.killed_worker", detail, id: None };
            let ended = end(context, flight, bury(context, flight, &rejection, Part::WHOLE).await).await;
            // After its end: whoever dies before that finds the mark, and buries it again under the same id.
            if ended == Outcome::DeadLettered {
                context.poison.forget(&suspect).await;
            }
            return ended;
        }
    };
    context.metrics.took(Stage::Wait, flight.received.elapsed());
    // Step 5.
    let began = Instant::now();
    let read = context.pool.read(slot, flight.payload.clone(), hints(flight, context)).await;
    context.metrics.took(Stage::Read, began.elapsed());
    context.poison.end(leave).await;
    failpoint::hit("read");
    let outcome = match read {
        Ok(stories) => publish_all(context, flight, stories).await,
        Err(rejection) => end(context, flight, bury(context, flight, &rejection, Part::WHOLE).await).await,
    };
    if matches!(outcome, Outcome::Recorded | Outcome::Repeated | Outcome::Held | Outcome::DeadLettered) {
        let now = jiff::Timestamp::now();
        context.metrics.lagged(now.duration_since(flight.origin.stored()).as_secs_f64());
    }
    outcome
}

/// Why a story is not read.
#[derive(Debug)]
enum Kept {
    /// The worker stops: somebody else is to have it.
    GivenBack,
    /// Its key has enough stories here.
    Throttled,
    /// Its mark cannot be seen or raised.
    Unmarked(StateError),
    /// It cannot be read.
    Rejected(Rejection),
    /// So many workers died over it that it is not read again.
    Killer(Suspect),
}

impl From<Unmarked> for Kept {
    fn from(unmarked: Unmarked) -> Self {
        match unmarked {
            Unmarked::Stopped => Self::GivenBack,
            Unmarked::Taken(error) => Self::Unmarked(error),
        }
    }
}

/// Steps 4 and 5b: the limits, a place in the pool, and leave to read. Until then a story can be given
/// back.
///
/// ```text
///                   first delivery          comes again               a worker died over it
/// its mark          –                       looked at                 looked at; at its limit: dead letter
/// a kill?           looked at               looked at under its mark  –
/// limit of its key  waits, but for a kill   waits, but for a kill     –
/// turn of suspects  –                       waits                     waits
/// limits of all     waits, but for a kill   waits, but for a kill     –
/// place in the pool waits                   waits                     waits
/// leave             beside others           marked, beside others     marked, alone
/// ```
///
/// The turn of suspects is taken behind the limit of the key: a key that is throttled holds up no other
/// story that comes again. A story over which a worker died waits for no limit: it has passed them
/// before.
async fn admit<'a>(context: &'a Context, flight: &Flight, limits: &Limits) -> Result<(Slot, Leave<'a>), Kept> {
    let lane = lane(flight, &context.config, limits);
    let input = context.config.inputs.0.get(&*flight.input).ok_or(Kept::GivenBack)?;
    let suspect = if flight.attempt > 1 {
        let look = context.poison.look(&input.durable, &flight.origin);
        Some(unless_stopped(context, look).await?.map_err(Kept::Unmarked)?)
    } else {
        None
    };
    let is_looked_at = || context.admission.has_limits() && !context.looked_at.has(&flight.origin);
    let is_kill = || context.pool.is_kill(flight.payload.clone(), hints(flight, context));
    let key = key(flight, limits);
    let by_input = key.is_none() && limits.key_input;
    let mut request = admission::Request {
        input: &flight.input,
        lane,
        key: key.as_deref().or(by_input.then_some(&*flight.input)),
        bytes: flight.payload.len(),
        // Where the key is the input, it has nobody beside it to be held up.
        parked_max: match by_input {
            true => input.stories_max as usize,
            false => (input.stories_max / PARKED_SHARE).max(1) as usize,
        },
    };
    let Some(suspect) = suspect else {
        // Beside nobody who is read alone: decoding is part of reading.
        let is_kill = is_looked_at() && {
            let _leave = context.poison.first().await;
            is_kill().await.map_err(Kept::Rejected)?
        };
        let slot = if is_kill {
            unless_stopped(context, place(context)).await?
        } else {
            let passed = unless_stopped(context, context.admission.pass(request, place(context))).await?;
            passed.map_err(|_| throttled(context, flight))?
        };
        failpoint::hit("admitted");
        return Ok((slot, context.poison.first().await));
    };
    if suspect.begun() >= context.poison.begun_max {
        return Err(Kept::Killer(suspect));
    }
    let is_at_once = suspect.begun() > 0;
    if is_at_once || is_looked_at() {
        let turn = unless_stopped(context, context.poison.turn(lane, &flight.input)).await?;
        let slot = unless_stopped(context, place(context)).await?;
        failpoint::hit("admitted");
        let leave = context.poison.begin(&suspect, turn).await?;
        failpoint::hit("marked");
        if is_at_once {
            return Ok((slot, leave));
        }
        match is_kill().await {
            Ok(true) => return Ok((slot, leave)),
            Ok(false) => context.poison.end(leave).await,
            Err(rejection) => {
                context.poison.end(leave).await;
                return Err(Kept::Rejected(rejection));
            }
        }
    }
    let own = unless_stopped(context, context.admission.pass_own(request)).await?;
    let own = own.map_err(|_| throttled(context, flight))?;
    let turn = unless_stopped(context, context.poison.turn(lane, &flight.input)).await?;
    request.input = &AGAIN;
    let slot = unless_stopped(context, context.admission.pass_all(request, own, place(context))).await?;
    failpoint::hit("admitted");
    let leave = context.poison.begin(&suspect, turn).await?;
    failpoint::hit("marked");
    Ok((slot, leave))
}

/// A place in the pool. Whoever has it waits with it until there is room for its record: while the output
/// stands still, a few are read and the rest stays as small as it came.
async fn place(context: &Context) -> Slot {
    let slot = context.pool.slot().await;
    context.egress.room.free().await;
    slot
}

/// Waits for something, or for the worker to stop.
async fn unless_stopped<T>(context: &Context, waiting: impl Future<Output = T>) -> Result<T, Kept> {
    context.stopping.run_until_cancelled(waiting).await.ok_or(Kept::GivenBack)
}

/// A throttled story was looked at, and is no kill: it need not be looked at each time it comes.
fn throttled(context: &Context, flight: &Flight) -> Kept {
    context.looked_at.note(&flight.origin);
    Kept::Throttled
}

/// Stories that were looked at and are no kills, where it is worth while to know.
#[derive(Debug, Default)]
pub struct LookedAt(Mutex<HashSet<(u64, i64)>>);

/// Stories that are remembered so; then it begins anew.
const LOOKED_AT_MAX: usize = 65_536;

impl LookedAt {
    fn has(&self, origin: &Origin) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(origin.sequence, origin.stored_ns))
    }

    fn note(&self, origin: &Origin) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= LOOKED_AT_MAX {
            all.clear();
        }
        all.insert((origin.sequence, origin.stored_ns));
    }
}

/// What became of one story of a message, before the message is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stored {
    /// Its dead letter is stored.
    Dead,
    /// Its record was stored before.
    Repeated,
    /// It waits on the held stream.
    Held,
    /// Its record is stored.
    Recorded,
    /// It fits nowhere for now.
    Nowhere,
    /// The worker stopped first.
    Stopped,
}

/// Steps 6 to 8 for every story of a message: only when all are stored is it acknowledged.
async fn publish_all(context: &Context, flight: &Flight, stories: Stories<Rejection>) -> Outcome {
    let of = u32::try_from(stories.len()).unwrap_or(u32::MAX);
    let bytes = stories.iter().flatten().map(|enriched| enriched.body.len() as u64).sum();
    let _taken = context.egress.room.take(bytes);
    let mut ended = Stored::Dead;
    for (number, story) in (1..).zip(stories) {
        let part = Part { number, of };
        let stored = match story {
            Ok(enriched) => publish_record(context, flight, enriched, part).await,
            Err(rejection) => bury(context, flight, &rejection, part).await,
        };
        ended = ended.max(stored);
        if ended >= Stored::Nowhere {
            break;
        }
    }
    end(context, flight, ended).await
}

/// Step 7, or what stands in its place.
async fn end(context: &Context, flight: &Flight, stored: Stored) -> Outcome {
    match stored {
        Stored::Dead => confirm(context, flight, b"+TERM", Outcome::DeadLettered).await,
        Stored::Repeated => confirm(context, flight, b"+ACK", Outcome::Repeated).await,
        Stored::Held => confirm(context, flight, b"+ACK", Outcome::Held).await,
        Stored::Recorded => confirm(context, flight, b"+ACK", Outcome::Recorded).await,
        Stored::Nowhere => {
            nak(context, flight, UNPLACEABLE_DELAY).await;
            Outcome::GivenBack
        }
        Stored::Stopped => Outcome::Left,
    }
}

/// One key of an input may have this part of its permits waiting for its own limit.
const PARKED_SHARE: u32 = 4;

/// How urgent a story is. What its headers say goes first, then the lane of the input that it came by,
/// then what the copy says: on an input for backfill old copy overtakes nobody, flash or not.
fn lane(flight: &Flight, config: &Config, limits: &Limits) -> Lane {
    let header =
        |name| flight.headers.as_ref().and_then(|headers| headers.get(name)).map(|value| value.as_str().trim());
    let of = |urgency: u8| match (1..=limits.urgent_max).contains(&urgency) {
        true => Lane::Urgent,
        false => Lane::Routine,
    };
    let named = header(names::LANE).and_then(|name| Lane::ALL.into_iter().find(|lane| lane.label() == name));
    let told = || header(names::URGENCY).and_then(|urgency| urgency.parse().ok()).map(of);
    let input = || config.inputs.0.get(&*flight.input).and_then(|input| input.lane);
    let copy = || peek::urgency(&flight.payload).map(of);
    named.or_else(told).or_else(input).or_else(copy).unwrap_or(Lane::Routine)
}

/// What a story's own limit goes by, but for the input that it came by.
fn key(flight: &Flight, limits: &Limits) -> Option<String> {
    let headers = flight.headers.as_ref().filter(|_| !limits.key_header.is_empty());
    let header = headers.and_then(|headers| headers.get(limits.key_header.as_str())).map(ToString::to_string);
    let token = || {
        let place = usize::from(limits.key_subject_token).checked_sub(1)?;
        flight.subject.split('.').nth(place).map(str::to_owned)
    };
    header.or_else(token)
}

/// A story that comes again can be neither read nor blamed while its mark cannot be seen.
async fn without_state(context: &Context, flight: &Flight, error: &StateError) -> Outcome {
    tracing::warn!(
        story.sequence = flight.origin.sequence, error = %error,
        "a story that came again cannot be looked up in the state bucket; it waits at the broker"
    );
    nak(context, flight, Duration::from_millis(context.config.delivery.retry_delay_max_ms)).await;
    Outcome::GivenBack
}

/// How a story is read, by the limits in force now.
fn hints(flight: &Flight, context: &Context) -> Hints {
    let header = |name| flight.headers.as_ref().and_then(|headers| headers.get(name)).map(ToString::to_string);
    let input = context.config.inputs.0.get(&*flight.input);
    Hints {
        format: header(names::FORMAT).and_then(|name| Format::from_name(name.trim())).or(input.and_then(|i| i.format)),
        packages: input.map(|input| input.packages).unwrap_or_default(),
        id: None,
        reference_time: header(names::REFERENCE_TIME).filter(|time| time.parse::<jiff::Timestamp>().is_ok()),
        received_at: Some(flight.origin.stored().to_string()),
        story_bytes_max: context.admission.limits().story_bytes_max as usize,
    }
}

/// Step 6: the record, and its PubAck; or the held stream, or a dead letter where it was killed.
async fn publish_record(context: &Context, flight: &Flight, mut enriched: Enriched, part: Part) -> Stored {
    let began = Instant::now();
    let subject = record_subject(&context.config.streams.output.subject, &enriched);
    let id = names::part_id(names::message_id(&flight.origin), part);
    let mut headers = names::origin_headers(&flight.origin, &flight.subject, flight.attempt, &id);
    put_part(&mut headers, part);
    if let Some(id) = header_value(&enriched.id) {
        headers.insert(names::STORY_ID, id);
    }
    headers.insert(names::CONTENT_TYPE, "application/json");
    headers.insert(names::EXPECTED_STREAM, context.config.streams.output.name.as_str());
    trace::carry_on(flight, &mut headers);
    let place = Place { message: flight.origin.stored_ns, part: part.number };
    let is_kill = enriched.sighting.as_ref().is_some_and(|sighting| sighting.is_kill);
    let until = enriched.embargo.filter(|until| {
        context.config.embargo.mode == EmbargoMode::Hold && !is_kill && *until > jiff::Timestamp::now()
    });
    if let Some(until) = until {
        return park(context, flight, &enriched, part, until, subject, &headers).await;
    }
    let mut body = std::mem::take(&mut enriched.body);
    // Looked at last, just before the record goes out: a kill may have come meanwhile.
    if let Some(sighting) = &enriched.sighting {
        match context.keeper.see(sighting, place).await {
            Err(Stopped) => return Stored::Stopped,
            Ok(lineage) if lineage.state == Some(Standing::Killed) && !is_kill => {
                return bury_killed(context, flight, &enriched, part).await;
            }
            Ok(lineage) => {
                put_lineage(&mut headers, &lineage);
                body = put(body.into(), &lineage).into();
            }
        }
    }
    let tombstone = enriched.sighting.as_ref().filter(|_| !is_kill);
    let tombstone = tombstone.map(|sighting| Tombstone { keeper: &context.keeper, key: &sighting.key });
    let published =
        context.egress.publish_unless(tombstone, Sink::Output, &subject, &headers, &body, &context.metrics).await;
    match published {
        Ok(duplicate) => {
            context.metrics.took(Stage::Publish, began.elapsed());
            failpoint::hit("published");
            if is_kill
                && context.config.embargo.mode == EmbargoMode::Hold
                && let Some(sighting) = &enriched.sighting
            {
                embargo::retract(context, &sighting.key).await;
            }
            if duplicate { Stored::Repeated } else { Stored::Recorded }
        }
        Err(Unpublished::Stopped) => Stored::Stopped,
        Err(Unpublished::Killed) => bury_killed(context, flight, &enriched, part).await,
        Err(Unpublished::TooLarge(why)) => {
            let detail = format!("the record has {} bytes: {why}", body.len());
            let id = Some(enriched.id.clone());
            bury(context, flight, &Rejection { code: "record.too_large", detail, id }, part).await
        }
    }
}

/// A story that was killed before its record went out: nobody is to print it.
async fn bury_killed(context: &Context, flight: &Flight, enriched: &Enriched, part: Part) -> Stored {
    let detail = "a kill of this story came before its record was published".to_owned();
    let id = Some(enriched.id.clone());
    bury(context, flight, &Rejection { code: embargo::KILLED, detail, id }, part).await
}

/// Puts a story under an embargo where it waits.
async fn park(
    context: &Context,
    flight: &Flight,
    enriched: &Enriched,
    part: Part,
    until: jiff::Timestamp,
    subject: String,
    headers: &HeaderMap,
) -> Stored {
    let named = |(name, values): (&async_nats::HeaderName, &Vec<async_nats::HeaderValue>)| {
        Some((name.to_string(), values.first()?.to_string()))
    };
    let parked = Parked {
        until,
        subject,
        headers: headers.iter().filter_map(named).collect(),
        sighting: enriched.sighting.clone(),
        place: Place { message: flight.origin.stored_ns, part: part.number },
        stream: flight.origin.stream.clone(),
        sequence: flight.origin.sequence,
    };
    match embargo::park(context, &parked, &enriched.body).await {
        Ok(_) => Stored::Held,
        Err(Unpublished::TooLarge(why)) => {
            let detail = format!("the record has {} bytes: {why}", enriched.body.len());
            let id = Some(enriched.id.clone());
            bury(context, flight, &Rejection { code: "record.too_large", detail, id }, part).await
        }
        Err(Unpublished::Stopped | Unpublished::Killed) => Stored::Stopped,
    }
}

/// Says in the headers how a story stands to its other versions.
pub(super) fn put_lineage(headers: &mut HeaderMap, lineage: &Lineage) {
    if let Some(key) = header_value(&lineage.key) {
        headers.insert(names::LINEAGE_KEY, key);
    }
    if let Some(version) = lineage.version {
        headers.insert(names::LINEAGE_VERSION, version.to_string());
    }
    let state = lineage.state.and_then(|state| serde_json::to_value(state).ok());
    if let Some(state) = state.as_ref().and_then(serde_json::Value::as_str) {
        headers.insert(names::LINEAGE_STATE, state);
    }
}

fn put_part(headers: &mut HeaderMap, part: Part) {
    if part.of > 1 {
        headers.insert(names::PART, part.number.to_string());
        headers.insert(names::PARTS, part.of.to_string());
    }
}

/// Step 8: the dead letter and its PubAck; only then may the story end.
async fn bury(context: &Context, flight: &Flight, rejection: &Rejection, part: Part) -> Stored {
    let subject = context.config.streams.dead.subject.replace("{reason}", &names::token(Some(rejection.code)));
    let expected = |mut headers: HeaderMap| {
        headers.insert(names::EXPECTED_STREAM, context.config.streams.dead.name.as_str());
        headers
    };
    let mut headers = expected(dead_letter_headers(flight, rejection, part));
    let body: Bytes = flight.payload.clone();
    let mut published = context.egress.publish(Sink::Dead, &subject, &headers, &body, &context.metrics).await;
    if matches!(published, Err(Unpublished::TooLarge(_))) {
        headers = expected(without_originals(flight, rejection, part));
        published = context.egress.publish(Sink::Dead, &subject, &headers, &body, &context.metrics).await;
    }
    match published {
        Ok(_) => {
            metrics::dead_letter(rejection.code);
            failpoint::hit("buried");
            tracing::warn!(
                story.stream = %flight.origin.stream, story.sequence = flight.origin.sequence,
                story.part = part.number, story.bytes = flight.payload.len(), reason = rejection.code,
                detail = %rejection.detail, "story became a dead letter"
            );
            Stored::Dead
        }
        Err(Unpublished::Stopped | Unpublished::Killed) => Stored::Stopped,
        Err(Unpublished::TooLarge(why)) => {
            // Start-up makes this impossible unless the broker's limits were lowered since. The story
            // stays in the input stream and comes again later; nothing is lost, and nobody is silent.
            tracing::error!(
                story.stream = %flight.origin.stream, story.sequence = flight.origin.sequence, error = %why,
                "a dead letter does not fit the dead-letter stream; raise its limits"
            );
            Stored::Nowhere
        }
    }
}

/// How long a story rests that could not be stored anywhere.
const UNPLACEABLE_DELAY: Duration = Duration::from_mins(10);

async fn confirm(context: &Context, flight: &Flight, kind: &'static [u8], outcome: Outcome) -> Outcome {
    let began = Instant::now();
    let timeout = Duration::from_millis(context.config.delivery.ack_timeout_ms);
    failpoint::hit("before_ack");
    match broker::confirm(&context.client, flight.reply(), kind, timeout).await {
        Ok(()) => {
            failpoint::hit("acked");
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

fn dead_letter_headers(flight: &Flight, rejection: &Rejection, part: Part) -> HeaderMap {
    let mut headers = reason_headers(flight, rejection, part);
    if let Some(originals) = &flight.headers {
        names::put_originals(&mut headers, originals);
    }
    headers
}

fn without_originals(flight: &Flight, rejection: &Rejection, part: Part) -> HeaderMap {
    let mut headers = reason_headers(flight, rejection, part);
    let count = flight.headers.iter().map(HeaderMap::len).sum::<usize>();
    headers.insert(names::ORIGINALS_LEFT_OUT, count.to_string());
    headers
}

fn reason_headers(flight: &Flight, rejection: &Rejection, part: Part) -> HeaderMap {
    let id = format!("dead:{}", names::part_id(names::message_id(&flight.origin), part));
    let mut headers = names::origin_headers(&flight.origin, &flight.subject, flight.attempt, &id);
    put_part(&mut headers, part);
    headers.insert(names::REASON, rejection.code);
    trace::carry_on(flight, &mut headers);
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
