//! Header lines → update, correction, writethru, kill, embargo.
//!
//! ```text
//! UPDATE 2-Rotterdam crane drivers walk out
//! ^^^^^^^^ update, number 2
//! ```
//!
//! Only what stands above the story, and the lead, is looked at. Where several cues stand there
//! the gravest counts: kill, correction, writethru, update, advisory, withheld. An embargo makes
//! a story `withheld`; the envelope's own version number counts when the text gives none.
//!
//! What this does not do: turn "0600 GMT Thursday" into a time, or follow the versions of a story.
//!
//! Sources: Reuters headline tags, AP slug lines ("1st Ld-Writethru"), the kills and advisories
//! of both, as described in their public handbooks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    layout::{Layout, ParagraphKind, opening},
    notes,
};
use crate::{
    story::{Anomaly, DeclaredStatus, Story},
    text::{Span, from, until},
};

/// What a story is in the life of its item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusKind {
    /// The first version.
    #[default]
    Original,
    /// A later version with more in it.
    Update,
    /// A later version that mends a mistake.
    Correction,
    /// A later version that replaces the whole story.
    Writethru,
    /// A message to editors.
    Advisory,
    /// Not to be used for now.
    Withheld,
    /// Never to be used.
    Kill,
}

impl StatusKind {
    /// How grave: the gravest of several cues counts.
    fn rank(self) -> u8 {
        match self {
            Self::Original => 0,
            Self::Withheld => 1,
            Self::Advisory => 2,
            Self::Update => 3,
            Self::Writethru => 4,
            Self::Correction => 5,
            Self::Kill => 6,
        }
    }
}

/// The status of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The kind.
    pub kind: StatusKind,
    /// The number of the update or writethru.
    pub number: Option<u32>,
    /// The words that say so.
    pub cue: Option<Span>,
}

/// A cue at the head of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cue {
    /// Bytes up to what the cue stands before, dash and spaces included.
    pub(super) bytes: usize,
    /// Bytes of the cue alone.
    words: usize,
    kind: StatusKind,
    number: Option<u32>,
}

/// Words that open a headline, before a number and a dash or a colon.
const CUES: [(&str, StatusKind); 17] = [
    ("UPDATE", StatusKind::Update),
    ("WRAPUP", StatusKind::Update),
    ("WRAP-UP", StatusKind::Update),
    ("CORRECTED", StatusKind::Correction),
    ("CORRECTION", StatusKind::Correction),
    ("REFILE", StatusKind::Correction),
    ("ADVISORY", StatusKind::Advisory),
    ("MEDIA ADVISORY", StatusKind::Advisory),
    ("NEWS ADVISORY", StatusKind::Advisory),
    ("KILL", StatusKind::Kill),
    ("MANDATORY KILL", StatusKind::Kill),
    ("BULLETIN KILL", StatusKind::Kill),
    ("STORY WITHDRAWN", StatusKind::Kill),
    ("WITHDRAWN", StatusKind::Kill),
    ("WITHHELD", StatusKind::Withheld),
    ("HOLD FOR RELEASE", StatusKind::Withheld),
    ("EMBARGOED", StatusKind::Withheld),
];

/// Bytes of a paragraph among which a cue stands.
const CUE_BYTES_MAX: usize = 120;
/// Header paragraphs that are looked at.
const PARAGRAPHS_READ_MAX: usize = 16;

/// Reads a cue at the head of a line: `UPDATE 2-`, `CORRECTED-`, `KILL`.
pub(super) fn cue_at(line: &str) -> Option<Cue> {
    let head = opening(line, CUE_BYTES_MAX);
    let (word, kind) =
        CUES.iter().filter(|(word, _)| head.starts_with(word)).max_by_key(|(word, _)| word.len()).copied()?;
    let mut at = word.len();
    let mut rest = from(head, at);
    if let Some(bracket) = rest.strip_prefix(" (").and_then(|rest| rest.find(')')) {
        at += 2 + bracket + 1;
        rest = from(head, at);
    }
    let (mut words, mut number) = (at, None);
    let spaces = rest.len() - rest.trim_start_matches([' ', '#']).len();
    let digits = from(rest, spaces).bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits) {
        number = until(from(rest, spaces), digits).parse().ok();
        words = at + spaces + digits;
    }
    let rest = from(head, words);
    let trimmed = rest.trim_start();
    let closed = trimmed.starts_with(['-', ':', '–', '—']) || trimmed.is_empty() || kind == StatusKind::Withheld;
    closed.then_some(())?;
    // "KILL-JOYS": a hyphen inside a word is no dash.
    let after = trimmed.trim_start_matches(['-', ':', '–', '—', ' ']);
    if kind == StatusKind::Kill
        && rest.starts_with('-')
        && after.chars().nth(1).is_some_and(char::is_uppercase)
        && !rest.starts_with("--")
    {
        return None;
    }
    Some(Cue { bytes: head.len() - after.len(), words, kind, number })
}

/// Tells the status.
pub fn run(text: &str, layout: &Layout, story: &Story) -> Status {
    let mut status = Status::default();
    let mut take = |found: Status| {
        if found.kind.rank() > status.kind.rank() {
            status = found;
        }
    };
    for paragraph in layout.paragraphs.iter().take(PARAGRAPHS_READ_MAX) {
        let words = paragraph.span.of(text);
        let start = paragraph.span.start();
        let piece = |from: usize, to: usize| Some(Span::new(start + from, start + to));
        if let Some(cue) = cue_at(words) {
            let end =
                if cue.kind == StatusKind::Withheld { words.find('\n').unwrap_or(words.len()) } else { cue.words };
            take(Status { kind: cue.kind, number: cue.number, cue: piece(0, end) });
        }
        if notes::is_change(words) {
            let correction = notes::is_correction(words);
            let kind = if correction { StatusKind::Correction } else { StatusKind::Update };
            take(Status { kind, number: None, cue: Some(first_words(text, paragraph.span)) });
        }
        if paragraph.kind == ParagraphKind::Header
            && let Some((kind, number, from, to)) = writethru(words)
        {
            take(Status { kind, number, cue: piece(from, to) });
        }
        if paragraph.kind == ParagraphKind::Note && !notes::is_change(words) {
            let inner = words.trim_start_matches(['(', '[', '*', ' ']);
            let low = opening(inner, CUE_BYTES_MAX).to_lowercase();
            if low.starts_with("embargo")
                || low.starts_with("hold for release")
                || low.starts_with("not for publication")
            {
                take(Status { kind: StatusKind::Withheld, number: None, cue: Some(paragraph.span) });
            } else if low.contains("kill the story") || low.contains("withdraw the story") {
                take(Status { kind: StatusKind::Kill, number: None, cue: Some(paragraph.span) });
            }
        }
        if paragraph.kind == ParagraphKind::Lead {
            break;
        }
    }
    // A headline that came beside the text may carry the cue; it has no place in the text.
    if status.kind == StatusKind::Original
        && let Some(cue) = story.headline.as_deref().and_then(cue_at)
    {
        return Status { kind: cue.kind, number: cue.number, cue: None };
    }
    status
}

/// Weighs what the words say against what the format's own fields say: the graver counts, and
/// where both say something and disagree, that is told. `Usable` says nothing of versions.
///
/// An embargo that could not be read holds: the story is withheld, whatever else it is, unless it is a kill.
pub fn weigh(found: Status, story: &Story, anomalies: &mut Vec<Anomaly>) -> Status {
    let weighed = by_rank(found, story, anomalies);
    if story.has_unread_embargo() && !matches!(weighed.kind, StatusKind::Kill | StatusKind::Withheld) {
        return Status { kind: StatusKind::Withheld, number: weighed.number, cue: None };
    }
    weighed
}

fn by_rank(found: Status, story: &Story, anomalies: &mut Vec<Anomaly>) -> Status {
    let declared = match story.status {
        None | Some(DeclaredStatus::Usable) => return found,
        Some(DeclaredStatus::Update) => StatusKind::Update,
        Some(DeclaredStatus::Correction) => StatusKind::Correction,
        Some(DeclaredStatus::Writethru) => StatusKind::Writethru,
        Some(DeclaredStatus::Advisory) => StatusKind::Advisory,
        Some(DeclaredStatus::Withheld) => StatusKind::Withheld,
        Some(DeclaredStatus::Kill) => StatusKind::Kill,
    };
    // An update that replaces the whole story is both.
    let is_version = |kind| matches!(kind, StatusKind::Update | StatusKind::Writethru);
    let agree = found.kind == declared || is_version(found.kind) && is_version(declared);
    if found.kind != StatusKind::Original && !agree {
        anomalies.push(Anomaly::story("status.disagrees"));
    }
    if declared.rank() > found.kind.rank() {
        return Status { kind: declared, number: found.number, cue: found.cue.filter(|_| agree) };
    }
    found
}

/// The paragraph up to its first two words, for `(Adds quotes, background)`.
fn first_words(text: &str, span: Span) -> Span {
    let words = span.of(text);
    let end = words.find(' ').unwrap_or(words.len());
    let end = until(words, end).trim_end_matches([',', ';', ':', '.']).len();
    let start = words.len() - words.trim_start_matches(['(', '[', ' ']).len();
    Span::new(span.start() + start, span.start() + end.max(start))
}

/// `1st Ld-Writethru`, `2nd Ld`, `3rd Lead-Writethru` in a slug line.
fn writethru(words: &str) -> Option<(StatusKind, Option<u32>, usize, usize)> {
    let head = opening(words, CUE_BYTES_MAX);
    let low = head.to_ascii_lowercase();
    let is_writethru = low.contains("writethru") || low.contains("writethrough");
    let (ld, length) = ["ld-", "lead-", "ld,", "ld ", "lead "]
        .iter()
        .find_map(|mark| low.find(&format!(" {mark}")).map(|at| (at, mark.len())))
        .or_else(|| low.strip_suffix(" ld").map(|rest| (rest.len(), 2)))?;
    let before = until(&low, ld);
    let ordinal_start = before.rfind([' ', ',', '-']).map_or(0, |at| at + 1);
    let ordinal = from(before, ordinal_start);
    let digits = ordinal.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.parse().ok();
    (number.is_some() || is_writethru).then_some(())?;
    let end = if is_writethru {
        low.find("writethru").map_or(ld + 1 + length, |at| at + "writethru".len())
    } else {
        // Without the mark's own last character.
        (ld + length).min(low.len())
    };
    let kind = if is_writethru { StatusKind::Writethru } else { StatusKind::Update };
    let start = if number.is_some() { ordinal_start } else { ld + 1 };
    Some((kind, number, start, end.max(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        extract::{dateline, layout, testing::check},
        story::Format,
    };

    fn status(text: &str) -> Status {
        let mut anomalies = Vec::new();
        let blocks = layout::split(text, &mut anomalies);
        let dateline = dateline::run(text, &blocks, &mut anomalies);
        let layout = layout::run(text, &blocks, dateline.as_ref());
        run(text, &layout, &Story::blank(Format::Plain))
    }

    fn cue(text: &str) -> Vec<(&'static str, Span)> {
        let status = status(text);
        let label = match (status.kind, status.number) {
            (StatusKind::Original, _) => return Vec::new(),
            (StatusKind::Update, None) => "update",
            (StatusKind::Update, Some(1)) => "update 1",
            (StatusKind::Update, Some(_)) => "update 2",
            (StatusKind::Correction, _) => "correction",
            (StatusKind::Writethru, Some(1)) => "writethru 1",
            (StatusKind::Writethru, _) => "writethru",
            (StatusKind::Advisory, _) => "advisory",
            (StatusKind::Withheld, _) => "withheld",
            (StatusKind::Kill, _) => "kill",
        };
        status.cue.map(|span| (label, span)).into_iter().collect()
    }

    #[test]
    fn cues_above_the_story() {
        for marked in [
            "
UPDATE 2-Rotterdam crane drivers walk out
^^^^^^^^ update 2

ROTTERDAM (Northwire) - Rain fell.
",
            "
WRAPUP 1-Storm leaves five dead
^^^^^^^^ update 1

ROTTERDAM (Northwire) - Rain fell.
",
            "
CORRECTED-Brewer buys rival
^^^^^^^^^ correction

ROTTERDAM (Northwire) - Rain fell.
",
            "
Brewer buys rival

(Corrects price in first paragraph)
 ^^^^^^^^ correction

ROTTERDAM (Northwire) - Rain fell.
",
            "
Brewer buys rival

(Adds quotes)
 ^^^^ update

ROTTERDAM (Northwire) - Rain fell.
",
            "
BC-US--Footbridge Collapse, 1st Ld-Writethru,0318
                            ^^^^^^^^^^^^^^^^ writethru 1
Footbridge gives way
SPRINGFIELD, Ill. (AP) _ Rain fell.
",
            "
ADVISORY-News schedule for Monday
^^^^^^^^ advisory

The following stories are planned.
",
            "
EMBARGOED until 06:00 GMT Thursday
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ withheld

CANBERRA (Coral News) -- Corals grew.
",
            "
UPDATE 1 - Rotterdam crane drivers walk out
^^^^^^^^ update 1

ROTTERDAM (Northwire) - Rain fell.
",
            "
REFILE-Brewer buys rival
^^^^^^ correction

ROTTERDAM (Northwire) - Rain fell.
",
            "
CORRECTION: Brewer buys rival
^^^^^^^^^^ correction

ROTTERDAM (Northwire) - Rain fell.
",
            "
Brewer buys rival

(Updates with comment from union, paragraphs 3-5)
 ^^^^^^^ update

ROTTERDAM (Northwire) - Rain fell.
",
            "
Brewer buys rival

(Recasts, adds analyst)
 ^^^^^^^ update

ROTTERDAM (Northwire) - Rain fell.
",
            "
BC-US--Footbridge Collapse, 2nd Ld,0318
                            ^^^^^^ update 2
Footbridge gives way
SPRINGFIELD, Ill. (AP) _ Rain fell.
",
            "
BULLETIN KILL
^^^^^^^^^^^^^ kill

The story about the tunnel is wrong. Please do not use it.
",
            "
STORY WITHDRAWN
^^^^^^^^^^^^^^^ kill

The story about the tunnel is wrong.
",
            "
KILL: Tunnel opens
^^^^ kill

The story about the tunnel is wrong.
",
            "
HOLD FOR RELEASE until 0600 GMT Thursday
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ withheld

CANBERRA (Coral News) -- Corals grew.
",
            "
MANDATORY KILL
^^^^^^^^^^^^^^ kill

The story about the tunnel is wrong. Please do not use it.
",
        ] {
            check(marked, cue);
        }
    }

    #[test]
    fn the_graver_of_words_and_fields_counts() {
        let weighed = |found, declared| {
            let story = Story { status: Some(declared), ..Story::blank(Format::Nitf) };
            let mut anomalies = Vec::new();
            let status = weigh(Status { kind: found, ..Status::default() }, &story, &mut anomalies);
            (status.kind, anomalies.len())
        };
        assert_eq!(weighed(StatusKind::Original, DeclaredStatus::Kill), (StatusKind::Kill, 0));
        assert_eq!(weighed(StatusKind::Update, DeclaredStatus::Kill), (StatusKind::Kill, 1));
        assert_eq!(weighed(StatusKind::Correction, DeclaredStatus::Update), (StatusKind::Correction, 1));
        assert_eq!(weighed(StatusKind::Update, DeclaredStatus::Writethru), (StatusKind::Writethru, 0));
        assert_eq!(weighed(StatusKind::Update, DeclaredStatus::Usable), (StatusKind::Update, 0));
    }

    #[test]
    fn an_embargo_that_cannot_be_read_holds() {
        let weighed = |found, code, embargo: Option<&str>| {
            let mut story = Story::blank(Format::Email);
            story.anomalies.push(Anomaly::story(code));
            story.embargo = embargo.map(str::to_owned);
            weigh(Status { kind: found, ..Status::default() }, &story, &mut Vec::new()).kind
        };
        for code in ["embargo.unread", "envelope.embargo"] {
            assert_eq!(weighed(StatusKind::Original, code, None), StatusKind::Withheld);
            assert_eq!(weighed(StatusKind::Correction, code, None), StatusKind::Withheld);
            assert_eq!(weighed(StatusKind::Kill, code, None), StatusKind::Kill);
        }
        assert_eq!(weighed(StatusKind::Original, "embargo.unread", Some("2031-03-04T05:06:07Z")), StatusKind::Original);
        assert_eq!(weighed(StatusKind::Original, "date.unreadable", None), StatusKind::Original);
    }

    #[test]
    fn an_unread_embargo_of_every_format_is_withheld() {
        for input in [
            "Subject: Tunnel opens\nEmbargo: Friday 6pm London\n\nThe tunnel opened.\n",
            r#"{"text": "The tunnel opened.", "embargo": "Friday 6pm London"}"#,
            r#"{"uri": "a", "embargoed": "Friday 6pm", "headline": "Tunnel opens", "body_text": "The tunnel opened."}"#,
            "<nitf><head><docdata><date.release norm='Friday'/></docdata></head><body><body.content><p>The tunnel \
             opened.</p></body.content></body></nitf>",
        ] {
            let story = crate::decode::decode(input.as_bytes(), &crate::decode::Hints::default()).expect("a story");
            assert_eq!(crate::extract::Desk::without_models().peek(&story), StatusKind::Withheld, "of {input}");
        }
    }

    #[test]
    fn ordinary_headlines_say_nothing() {
        for text in [
            "KILL-JOYS of Bath win again\n\nBATH (Northwire) - Rain fell.",
            "Update your maps, says rambler\n\nBATH (Northwire) - Rain fell.",
            "BATH (Northwire) - An update 2-3 days later.",
            "Corrected vision for all\n\nBATH (Northwire) - Rain fell.",
        ] {
            assert_eq!(status(text), Status::default(), "in {text:?}");
        }
    }
}
