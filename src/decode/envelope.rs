//! The JSON envelope: one object around a text, or around the bytes of a transmission.
//!
//! | field | kind | meaning |
//! | --- | --- | --- |
//! | `text` or `data` | string; base64 (RFC 4648) | the story, decoded already, or its bytes |
//! | `id` | string | the provider's id |
//! | `reference_time`, `received_at`, `embargo` | RFC 3339 | see [`crate::record`] |
//! | `source`, `headline`, `slugline`, `keyword`, `category`, `language`, `copyright` | string | header facts |
//! | `urgency`, `version` | number | 1 (flash) to 9; 0 and up |
//! | `format` | string | the format of `data`; told from the content when left out |
//!
//! Every other field is kept in the story's `extra`. An envelope inside an envelope is refused.
//! Where the bytes carry several stories, the envelope's facts hold for each of them; where
//! envelope and transmission give the same fact, the envelope wins.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{DecodeError, Packages, Stories, charset, detect, may_share, read_as};
use crate::story::{Anomaly, Format, ReferenceTime, Story, TimeBasis};

pub(super) fn decode(input: &[u8], packages: Packages) -> Result<Stories, DecodeError> {
    let body = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let mut fields = Fields(parse(body, input.len() - body.len())?);
    let id = fields.take_string("id").unwrap_or(None);
    let named = |mut error: DecodeError| {
        error.id = id.clone().or(error.id);
        error
    };
    let stories = read(&mut fields, packages).map_err(named)?;
    let named = |story: Result<Story, DecodeError>| match story {
        Ok(story) => Ok(Story { id: id.clone().unwrap_or(story.id), ..story }),
        Err(error) => Err(named(error)),
    };
    Ok(stories.into_iter().map(named).collect())
}

fn parse(body: &[u8], skipped: usize) -> Result<Map<String, Value>, DecodeError> {
    serde_json::from_slice(body).map_err(|error| {
        DecodeError::new("decode.envelope", format!("the JSON is broken at line {}", error.line()))
            .at(skipped + byte_offset(body, error.line(), error.column()))
    })
}

/// serde_json counts lines from 1 and columns in bytes from 1.
pub(super) fn byte_offset(body: &[u8], line: usize, column: usize) -> usize {
    let line_start = memchr::memchr_iter(b'\n', body).nth(line.saturating_sub(2)).map_or(0, |at| at + 1);
    let line_start = if line <= 1 { 0 } else { line_start };
    (line_start + column.saturating_sub(1)).min(body.len())
}

fn read(fields: &mut Fields, packages: Packages) -> Result<Stories, DecodeError> {
    let format = fields.take_string("format")?;
    let mut stories = match (fields.take_string("text")?, fields.take_string("data")?) {
        (Some(text), None) => {
            let text = charset::unify_line_ends(&text);
            let mut anomalies = Vec::new();
            charset::note_odd_characters(&text, &mut anomalies);
            vec![Ok(Story { text, anomalies, ..Story::blank(Format::Envelope) })]
        }
        (None, Some(data)) => read_data(&data, format.as_deref(), packages)?,
        (Some(_), Some(_)) => return Err(wrong("has both `text` and `data`")),
        (None, None) => return Err(wrong("has neither `text` nor `data`")),
    };
    let mut facts = Story::blank(Format::Envelope);
    facts.source = fields.take_string("source")?;
    facts.headline = fields.take_string("headline")?;
    facts.slugline = fields.take_string("slugline")?;
    facts.keyword = fields.take_string("keyword")?;
    facts.category = fields.take_string("category")?;
    facts.language = fields.take_string("language")?;
    facts.copyright = fields.take_string("copyright")?;
    facts.urgency = fields.take_number("urgency", 9)?.map(|n| n as u8);
    facts.version = fields.take_number("version", u32::MAX)?;
    facts.embargo = fields.take_time("embargo", "envelope.embargo", &mut facts.anomalies)?;
    let given = fields.take_time("reference_time", "envelope.reference_time", &mut facts.anomalies)?;
    let received = fields.take_time("received_at", "envelope.received_at", &mut facts.anomalies)?;
    facts.reference_time = given.map(|value| ReferenceTime { value, basis: TimeBasis::Envelope });
    let received = received.map(|value| ReferenceTime { value, basis: TimeBasis::Received });
    facts.extra = std::mem::take(&mut fields.0).into_iter().filter(|(_, value)| !value.is_null()).collect();
    let bytes = serde_json::to_string(&facts.extra).map_or(0, |extra| extra.len())
        + [&facts.headline, &facts.slugline, &facts.keyword, &facts.category, &facts.copyright, &facts.source]
            .into_iter()
            .flatten()
            .map(String::len)
            .sum::<usize>();
    if !may_share(bytes, stories.len()) {
        return Err(wrong("has facts too large to be copied to each of its stories"));
    }
    for story in stories.iter_mut().flatten() {
        give(story, &facts, received.as_ref());
    }
    Ok(stories)
}

/// Gives the envelope's facts to a story.
fn give(story: &mut Story, facts: &Story, received: Option<&ReferenceTime>) {
    let put = |own: &mut Option<String>, given: &Option<String>| *own = given.clone().or(own.take());
    put(&mut story.source, &facts.source);
    put(&mut story.headline, &facts.headline);
    put(&mut story.slugline, &facts.slugline);
    put(&mut story.keyword, &facts.keyword);
    put(&mut story.category, &facts.category);
    put(&mut story.language, &facts.language);
    put(&mut story.copyright, &facts.copyright);
    put(&mut story.embargo, &facts.embargo);
    story.urgency = facts.urgency.or(story.urgency);
    story.version = facts.version.or(story.version);
    let own = story.reference_time.take();
    story.reference_time = facts.reference_time.clone().or(own).or_else(|| received.cloned());
    story.anomalies.extend(facts.anomalies.iter().cloned());
    story.extra.extend(facts.extra.clone());
}

fn read_data(data: &str, format: Option<&str>, packages: Packages) -> Result<Stories, DecodeError> {
    let bytes = STANDARD.decode(data).map_err(|error| DecodeError::new("decode.base64", error.to_string()))?;
    let format = match format {
        None | Some("auto") => Some(detect(&bytes)),
        Some(name) => Format::from_name(name),
    };
    match format {
        Some(Format::Envelope) => Err(wrong("holds another envelope")),
        Some(format) => read_as(&bytes, format, packages),
        None => Err(wrong("names a format that is not known")),
    }
}

fn wrong(what: &str) -> DecodeError {
    DecodeError::new("decode.envelope", format!("the envelope {what}"))
}

/// The fields that are still to be read; `null` counts as absent.
struct Fields(Map<String, Value>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn take_string(&mut self, name: &str) -> Result<Option<String>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(_) => Err(wrong(&format!("has a `{name}` that is no string"))),
        }
    }

    fn take_number(&mut self, name: &str, max: u32) -> Result<Option<u32>, DecodeError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number <= max);
        number.map(Some).ok_or_else(|| wrong(&format!("has a `{name}` that is no whole number up to {max}")))
    }

    /// A time that does not parse is no reason to refuse a story: it is left out and told.
    fn take_time(
        &mut self,
        name: &str,
        code: &'static str,
        anomalies: &mut Vec<Anomaly>,
    ) -> Result<Option<String>, DecodeError> {
        let Some(value) = self.take_string(name)? else { return Ok(None) };
        if value.parse::<jiff::Timestamp>().is_ok() {
            return Ok(Some(value));
        }
        anomalies.push(Anomaly::story(code));
        self.0.insert(name.to_owned(), Value::String(value));
        Ok(None)
    }
}
