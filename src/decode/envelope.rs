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

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{DecodeError, charset, plain};
use crate::story::{Anomaly, Format, ReferenceTime, Story, TimeBasis};

pub(super) fn decode(input: &[u8]) -> Result<Story, DecodeError> {
    let body = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let mut fields = Fields(parse(body, input.len() - body.len())?);
    let id = fields.take_string("id").unwrap_or(None);
    read(&mut fields).map(|story| Story { id: id.clone().unwrap_or_default(), ..story }).map_err(|mut error| {
        error.id = id;
        error
    })
}

fn parse(body: &[u8], skipped: usize) -> Result<Map<String, Value>, DecodeError> {
    serde_json::from_slice(body).map_err(|error| {
        DecodeError::new("decode.envelope", format!("the JSON is broken at line {}", error.line()))
            .at(skipped + byte_offset(body, error.line(), error.column()))
    })
}

/// serde_json counts lines from 1 and columns in bytes from 1.
fn byte_offset(body: &[u8], line: usize, column: usize) -> usize {
    let line_start = memchr::memchr_iter(b'\n', body).nth(line.saturating_sub(2)).map_or(0, |at| at + 1);
    let line_start = if line <= 1 { 0 } else { line_start };
    (line_start + column.saturating_sub(1)).min(body.len())
}

fn read(fields: &mut Fields) -> Result<Story, DecodeError> {
    let format = fields.take_string("format")?;
    let mut story = match (fields.take_string("text")?, fields.take_string("data")?) {
        (Some(text), None) => {
            let text = charset::unify_line_ends(&text);
            let mut anomalies = Vec::new();
            charset::note_odd_characters(&text, &mut anomalies);
            Story { text, anomalies, ..Story::blank(Format::Envelope) }
        }
        (None, Some(data)) => read_data(&data, format.as_deref())?,
        (Some(_), Some(_)) => return Err(wrong("has both `text` and `data`")),
        (None, None) => return Err(wrong("has neither `text` nor `data`")),
    };
    story.source = fields.take_string("source")?;
    story.headline = fields.take_string("headline")?;
    story.slugline = fields.take_string("slugline")?;
    story.keyword = fields.take_string("keyword")?;
    story.category = fields.take_string("category")?;
    story.language = fields.take_string("language")?;
    story.copyright = fields.take_string("copyright")?;
    story.urgency = fields.take_number("urgency", 9)?.map(|n| n as u8);
    story.version = fields.take_number("version", u32::MAX)?;
    story.embargo = fields.take_time("embargo", "envelope.embargo", &mut story.anomalies)?;
    let given = fields.take_time("reference_time", "envelope.reference_time", &mut story.anomalies)?;
    let received = fields.take_time("received_at", "envelope.received_at", &mut story.anomalies)?;
    story.reference_time = given
        .map(|value| ReferenceTime { value, basis: TimeBasis::Envelope })
        .or_else(|| received.map(|value| ReferenceTime { value, basis: TimeBasis::Received }));
    story.extra = std::mem::take(&mut fields.0).into_iter().filter(|(_, value)| !value.is_null()).collect();
    Ok(story)
}

fn read_data(data: &str, format: Option<&str>) -> Result<Story, DecodeError> {
    let bytes = STANDARD.decode(data).map_err(|error| DecodeError::new("decode.base64", error.to_string()))?;
    match format {
        None | Some("auto" | "plain") => plain::decode(&bytes),
        Some("envelope") => Err(wrong("holds another envelope")),
        Some(_) => Err(wrong("names a format that is not known")),
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
