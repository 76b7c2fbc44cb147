//! What the old wires have in common: controls, transmissions in a row, words of status.

use std::borrow::Cow;

use super::{charset::Decoded, entities};
use crate::{
    story::{Anomaly, DeclaredStatus, Story},
    text::{Span, from, slice, until},
};

pub(super) const SOH: char = '\u{1}';
pub(super) const STX: char = '\u{2}';
pub(super) const ETX: char = '\u{3}';
const SYN: char = '\u{16}';
const EOT: char = '\u{4}';

/// The transmissions in a text: each starts with SOH, what stands before the first is filler.
/// A text without one is a single transmission that lost its controls.
pub(super) fn transmissions(text: &str) -> Vec<Span> {
    let starts: Vec<usize> = memchr::memchr_iter(SOH as u8, text.as_bytes()).collect();
    let mut found = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        let inner = Span::new(start + 1, end);
        if inner.of(text).contains(|c: char| c.is_alphanumeric()) {
            found.push(inner);
        }
    }
    if found.is_empty() {
        found.push(Span::whole(text));
    }
    found
}

/// The three parts of a transmission: header, text, trailer.
pub(super) struct Parts<'a> {
    pub(super) header: &'a str,
    pub(super) body: &'a str,
    pub(super) trailer: &'a str,
    /// Whether the marks that set the parts apart were there.
    pub(super) has_start: bool,
    pub(super) has_end: bool,
}

/// Takes a transmission apart at STX and ETX.
pub(super) fn parts(transmission: &str) -> Parts<'_> {
    let trimmed = transmission.trim_end_matches([EOT, SYN, '\n', ' ', '\0']);
    let (header, rest) = trimmed.split_once(STX).unwrap_or(("", trimmed));
    let has_start = trimmed.contains(STX);
    let (body, trailer) = rest.split_once(ETX).unwrap_or((rest, ""));
    Parts { header, body, trailer, has_start, has_end: rest.contains(ETX) }
}

/// What was odd about the bytes is told of every story in them; odd characters are looked for
/// in its own text.
pub(super) fn note_encoding(anomalies: &[Anomaly], story: &mut Story) {
    story.anomalies.extend(anomalies.iter().filter(|anomaly| anomaly.span.is_none()).cloned());
}

/// A line without controls; the wires' own white space becomes spaces.
pub(super) fn plain_line(line: &str) -> Cow<'_, str> {
    // 0xC2 may begin a control character from 128 on.
    if !line.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7F || byte == 0xC2) {
        return Cow::Borrowed(line);
    }
    let kept = line.chars().filter_map(|character| match character {
        '\t' => Some('\t'),
        '\u{10}' | '\u{8}' | '\u{c}' => Some(' '),
        character if character.is_control() => None,
        character => Some(character),
    });
    Cow::Owned(kept.collect())
}

/// White space joined, none at the ends.
pub(super) fn join(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    push_joined(&mut out, words);
    out
}

/// Appends words with one space between.
pub(super) fn push_joined(out: &mut String, words: &str) {
    let words = words.trim();
    let mut before = b'.';
    let is_joined = words.bytes().all(|byte| {
        let fits = byte < 0x80 && !(byte.is_ascii_whitespace() && (byte != b' ' || before == b' '));
        before = byte;
        fits
    });
    if is_joined {
        out.push_str(words);
        return;
    }
    for (index, word) in words.split_whitespace().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// What a header word says of the status, and the number of the version.
///
/// Read: the whole of a part of a slug line, or of a line, such as `1st Ld-Writethru`, `2ND LEAD`,
/// `UPDATE 2`, `CORRECTION`, `REFILE`, `Mandatory Kill`, `ADVISORY`, `Adv 17`, `EMBARGO`.
pub(super) fn status(words: &str) -> Option<(DeclaredStatus, Option<u32>)> {
    let low = words.trim().trim_matches(['(', ')', '/', '-', '*']).trim().to_lowercase();
    if low.len() > 48 {
        return None;
    }
    let number = low
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find_map(|word| until(word, word.bytes().take_while(u8::is_ascii_digit).count()).parse().ok());
    let bare: String = low
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()))
        .filter(|word| !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(" ");
    let kind = match bare.as_str() {
        "kill" | "mandatory kill" | "bulletin kill" | "story kill" | "withdrawn" | "story withdrawn" | "withdrawal"
        | "annulled" | "cancel" | "cancelled" | "canceled" | "retraction" | "elimination" | "story elimination"
        | "annule" | "annulation" | "annullierung" => DeclaredStatus::Kill,
        "correction" | "corrected" | "corrective" | "corr" | "refile" | "clarification" | "berichtigung"
        | "korrektur" | "rectification" | "rectificatif" | "correctif" => DeclaredStatus::Correction,
        "ld writethru" | "lead writethru" | "writethru" | "ld writethrough" | "wrt" | "writethrough" | "recast" => {
            DeclaredStatus::Writethru
        }
        "ld" | "lead" | "update" | "ld update" | "lead update" | "new lead" | "night lead" | "leadall" | "wrapup"
        | "roundup lead" | "zusammenfassung" => DeclaredStatus::Update,
        "advisory" | "advisory note" | "advisory to editors" | "note to editors" | "editors advisory" => {
            DeclaredStatus::Advisory
        }
        "embargo" | "embargoed" | "adv" | "advance" | "hold" | "hold for release" | "withhold" | "withheld"
        | "sperrfrist" => DeclaredStatus::Withheld,
        _ => return None,
    };
    Some((kind, number))
}

/// How far behind two strokes others are looked for that would close the same quotation.
const QUOTATION_BYTES: usize = 400;

/// Whether no other '' follows before the next ``.
fn is_last_close(rest: &[u8]) -> bool {
    let near = rest.get(..rest.len().min(QUOTATION_BYTES)).unwrap_or_default();
    let (close, open) = (memchr::memmem::find(near, b"''"), memchr::memmem::find(near, b"``"));
    close.is_none_or(|close| open.is_some_and(|open| open < close))
}

/// The marks of teletypesetters: ``` ``…'' ``` becomes “…”, `` ` `` becomes ‘, ` _ ` a dash.
pub(super) fn typeset(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let bytes = line.as_bytes();
    let mut at = 0;
    let mut copied = 0;
    let (mut is_open, mut is_double_open) = (false, false);
    let mut put = |out: &mut String, at: usize, length: usize, mark: &str| {
        out.push_str(slice(line, copied, at));
        out.push_str(mark);
        copied = at + length;
    };
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr3(b'`', b'\'', b'_', rest)) {
        let here = at + found;
        let before = here.checked_sub(1).and_then(|index| bytes.get(index)).copied();
        let after = bytes.get(here + 1).copied();
        at = here + 1;
        match (bytes.get(here).copied(), after) {
            (Some(b'`'), Some(b'`')) => {
                put(&mut out, here, 2, "“");
                is_double_open = true;
                at = here + 2;
            }
            (Some(b'`'), _) => {
                put(&mut out, here, 1, "‘");
                is_open = true;
            }
            // A stroke that closes what ` has opened, and is no apostrophe.
            (Some(b'\''), _)
                if is_open
                    && !after.is_some_and(|byte| byte.is_ascii_alphanumeric())
                    && (after != Some(b'\'') || bytes.get(here + 2) == Some(&b'\'')) =>
            {
                put(&mut out, here, 1, "’");
                is_open = false;
            }
            // Two strokes after a number are inches, unless they close what `` has opened.
            (Some(b'\''), Some(b'\''))
                if !before.is_some_and(|byte| byte.is_ascii_digit())
                    || is_double_open && is_last_close(bytes.get(here + 2..).unwrap_or_default()) =>
            {
                put(&mut out, here, 2, "”");
                is_double_open = false;
                at = here + 2;
            }
            (Some(b'\''), Some(b'\'')) => at = here + 2,
            (Some(b'_'), Some(b' ') | None) if before.is_none_or(|byte| byte == b' ' || byte == b'\t') => {
                put(&mut out, here, 1, "—");
            }
            _ => {}
        }
    }
    out.push_str(from(line, copied));
    out
}

/// Character references have no business on a wire: a program on the way wrote them. They are
/// read, and told.
pub(super) fn without_references(mut decoded: Decoded) -> Decoded {
    if entities::first_left(&decoded.text).is_some() {
        decoded.text = entities::decode(&decoded.text).into_owned();
        decoded.anomalies.push(Anomaly::story("markup.double_escaped"));
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_status() {
        use DeclaredStatus::{Advisory, Correction, Kill, Update, Withheld, Writethru};
        for (words, expected) in [
            ("1st Ld-Writethru", Some((Writethru, Some(1)))),
            (" 2nd Ld", Some((Update, Some(2)))),
            ("3RD LEAD", Some((Update, Some(3)))),
            ("UPDATE 2", Some((Update, Some(2)))),
            ("(REFILE)", Some((Correction, None))),
            ("Mandatory Kill", Some((Kill, None))),
            ("Adv17", Some((Withheld, None))),
            ("Advisory", Some((Advisory, None))),
            ("Kill Bill Review", None),
            ("Footbridge Collapse", None),
        ] {
            assert_eq!(
                status(words).map(|(kind, number)| (kind, number.filter(|_| kind != Withheld))),
                expected,
                "in {words:?}"
            );
        }
    }

    #[test]
    fn teletypesetters_marks() {
        assert_eq!(typeset("``It's a `no,''' he said _ twice."), "“It's a ‘no,’” he said — twice.");
        assert_eq!(typeset("a 6'2'' man, snake_case, ___"), "a 6'2'' man, snake_case, ___");
        assert_eq!(typeset("``We opened in 1999'' he said"), "“We opened in 1999” he said");
        assert_eq!(
            typeset("``We closed in 2001,'' she said, ``not 1999''"),
            "“We closed in 2001,” she said, “not 1999”"
        );
        assert_eq!(typeset("``He is 6'2'' tall,'' she said"), "“He is 6'2'' tall,” she said");
        assert_eq!(typeset("_ One"), "— One");
    }

    #[test]
    fn transmissions_in_a_row() {
        let text = "\u{16}\u{16}\u{1}a\u{2}b\u{3}c\u{4}\n\u{16}\u{1}d\u{2}e\u{3}\u{4}";
        let found: Vec<_> = transmissions(text).into_iter().map(|span| parts(span.of(text)).body).collect();
        assert_eq!(found, ["b", "e"]);
        assert_eq!(transmissions("x").len(), 1);
    }
}
