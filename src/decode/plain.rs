//! Plain text: the bytes are the story.
//!
//! Read: the text, after [`charset`] has told its character set. Not read here: headlines,
//! datelines and sign-offs inside the text are found by the stages.

use super::{DecodeError, charset};
use crate::story::{Format, Story};

pub(super) fn decode(input: &[u8]) -> Result<Story, DecodeError> {
    let decoded = charset::decode(input)?;
    Ok(Story {
        encoding: decoded.encoding,
        text: decoded.text,
        anomalies: decoded.anomalies,
        ..Story::blank(Format::Plain)
    })
}
