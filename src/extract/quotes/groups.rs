//! Pieces between marks → utterances.
//!
//! ```text
//! "We will appeal," the ministry said, "and we will win." The "big lamp" stayed dark.
//!  ^^^^^^^^^^^^^^^ one                   ^^^^^^^^^^^^^^^ the same    ^^^^^^^^ no speech
//! ```
//!
//! Keeps what is speech and puts the pieces of one utterance together: around a cue ("…," he
//! said, "…"), over an attribution ("…," he said. "…"), and over paragraphs that each open with a
//! mark while only the last closes. What is no utterance of its own (a title, a nickname, words
//! quoted inside the writer's own sentence) is handed on as a term.

use super::{
    ATTRIBUTION_BYTES_MAX, CONTINUED_MAX, DEPTH_MAX, Quote, QuoteRule, QuoteType,
    lexicon::Lexicon,
    pairs::Piece,
    words::{attributes, is_abbreviation, next_sentence, next_sentence_last, sentence_end},
};
use crate::{
    extract::{
        layout::{Layout, ParagraphKind, ends_sentence},
        sentences::Sentence,
    },
    text::{Span, from, slice},
};

/// What a piece is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Opens an utterance.
    Speech,
    /// Goes on with the utterance of the piece before.
    GoesOn,
    /// A title, a nickname, a fragment.
    Term,
}

/// Keeps what is speech and groups it; beside it the words between marks that are no utterance.
pub(super) fn group(
    text: &str,
    layout: &Layout,
    sentences: &[Sentence],
    mut pieces: Vec<Piece>,
    lexicon: &Lexicon,
) -> (Vec<Quote>, Vec<Span>) {
    pieces.sort_by_key(|piece| (piece.outer.start, std::cmp::Reverse(piece.outer.end)));
    let mut quotes: Vec<Quote> = Vec::new();
    // The last piece at each depth: its quotation, if it is speech.
    let mut last: [Option<(Piece, Option<usize>)>; DEPTH_MAX] = [None; DEPTH_MAX];
    let mut terms: Vec<Span> = Vec::new();
    let mut continued = 0;
    for piece in &pieces {
        let depth = piece.depth.min(DEPTH_MAX - 1);
        let Some(paragraph) = layout.paragraphs.get(piece.paragraph) else { continue };
        let parent_piece = depth.checked_sub(1).and_then(|above| last.get(above).copied().flatten());
        let parent = parent_piece.filter(|(above, _)| above.content.contains(piece.content));
        // A dateline is no part of what is said beside the piece.
        let first = sentences.partition_point(|sentence| (sentence.paragraph as usize) < piece.paragraph);
        let opens = sentences.get(first).map(|sentence| sentence.span.start);
        let opens = opens.filter(|opens| (paragraph.span.start..=piece.outer.start).contains(opens));
        let story = Span { start: opens.unwrap_or(paragraph.span.start), end: paragraph.span.end };
        let room = parent.map_or(story, |(above, _)| above.content);
        let before = last.get(depth).copied().flatten().filter(|(before, _)| room.contains(before.outer));
        let ran_on = last.get(depth).copied().flatten().filter(|(before, index)| before.runs_on && index.is_some());
        let use_of = match ran_on {
            Some((before, _))
                if depth == 0
                    && (before.paragraph + 1 == piece.paragraph && piece.outer.start() == paragraph.span.start()
                        || before.paragraph == piece.paragraph
                            && Span::new(before.outer.end(), piece.outer.start()).trim(text).is_empty()) =>
            {
                Use::GoesOn
            }
            _ => judge(text, piece, room, before, paragraph.kind, lexicon),
        };
        let home = before.or(ran_on).and_then(|(_, index)| index);
        let index = match (use_of, home) {
            (Use::Term, _) => {
                if piece.depth == 0 {
                    terms.push(piece.content);
                }
                None
            }
            (Use::GoesOn, Some(index)) if continued < CONTINUED_MAX => {
                continued += 1;
                if let Some(quote) = quotes.get_mut(index) {
                    quote.content.push(piece.content);
                    quote.confidence_percent = quote.confidence_percent.min(piece.confidence_percent);
                }
                Some(index)
            }
            _ => {
                continued = 0;
                quotes.push(Quote {
                    kind: QuoteType::Direct,
                    content: vec![piece.content],
                    cue: None,
                    speaker: None,
                    addressee: None,
                    circumstances: Vec::new(),
                    not_said: Vec::new(),
                    parent: parent.and_then(|(_, index)| index),
                    rule: QuoteRule::Marks,
                    confidence_percent: piece.confidence_percent,
                });
                Some(quotes.len() - 1)
            }
        };
        if use_of != Use::Term || before.is_none() {
            if let Some(slot) = last.get_mut(depth) {
                *slot = Some((*piece, index));
            }
            for slot in last.iter_mut().skip(depth + 1) {
                *slot = None;
            }
        }
    }
    (quotes, terms)
}

/// Tells what a piece is from its own words and from those around it.
fn judge(
    text: &str,
    piece: &Piece,
    room: Span,
    before: Option<(Piece, Option<usize>)>,
    kind: ParagraphKind,
    lexicon: &Lexicon,
) -> Use {
    let is_cue = |word: &str| lexicon.is_form(word);
    let attributes = |words: &str| attributes(words, lexicon);
    let content = piece.content.of(text);
    let count = content.split_whitespace().take(8).count();
    let upper = content
        .trim_start_matches(['[', '(', '…', '.', ' ', '‘', '\'', '“', '"', '`', '@', '#', '$', '-', '—'])
        .chars()
        .next()
        .is_none_or(|c| c.is_uppercase() || c.is_ascii_digit());
    let last_char = content.trim_end_matches(['’', '”', '\'', '"', ')', ']', '»']).chars().next_back().unwrap_or(' ');
    let stops = matches!(last_char, '.' | '!' | '?' | '…') || content.ends_with('—') || content.ends_with("--");
    let pauses = last_char == ',' || last_char == ';' || last_char == '-';
    let behind_start = piece.outer.end();
    let behind =
        slice(text, behind_start, text.floor_char_boundary(room.end().min(behind_start + ATTRIBUTION_BYTES_MAX)));
    let behind_char = behind.trim_start().chars().next();
    let ends_paragraph = behind.trim().is_empty() || behind.trim() == ".";
    let front_start = before.map_or(room.start(), |(before, _)| before.outer.end());
    let front_from =
        text.ceil_char_boundary(front_start.max(piece.outer.start().saturating_sub(ATTRIBUTION_BYTES_MAX)));
    let front_whole = slice(text, front_from, piece.outer.start());
    let front = front_whole.trim_end();
    let opens_sentence = front.is_empty() && before.is_none()
        || ends_sentence(front)
            && !front
                .rsplit(char::is_whitespace)
                .next()
                .is_some_and(|word| is_abbreviation(word.trim_end_matches('.')))
        || front.is_empty() && before.is_some_and(|(before, _)| ends_sentence(before.content.of(text)));
    let intro = front.ends_with([',', ':']) && {
        let sentence_start = next_sentence_last(front);
        let intro = from(front, sentence_start);
        front.ends_with(':') || intro.split(|c: char| !c.is_alphanumeric() && c != '\'').any(is_cue)
    };
    let speech_before = before.filter(|(_, index)| index.is_some()).map(|(before, _)| before);

    // "…," he said, "…": the sentence of the piece before goes on.
    if let Some(before) = speech_before {
        let between = slice(text, before.outer.end(), piece.outer.start());
        let between = between.trim();
        let one_sentence = between.len() <= 2 * ATTRIBUTION_BYTES_MAX && sentence_end(between) >= between.len();
        let before_words = before.content.of(text);
        if one_sentence
            && between.ends_with([',', '-', '—', '–', ':'])
            && !between.is_empty()
            && attributes(between)
            && before_words.ends_with([',', '-', '—', '–', '?', '!', '…', '.'])
        {
            let anew = between.ends_with(':') && ends_sentence(before_words) || before_words.ends_with('.');
            return if anew { Use::Speech } else { Use::GoesOn };
        }
        // "…," he said. "…": an attribution and nothing else stands between.
        let only_attribution = !between.is_empty()
            && between.len() <= 2 * ATTRIBUTION_BYTES_MAX
            && ends_sentence(between)
            && attributes(between)
            && next_sentence(text, before.outer.end(), piece.outer.start()).is_none();
        let own_attribution = pauses && behind_char.is_some_and(char::is_alphabetic) && attributes(behind);
        if upper && only_attribution && !own_attribution && (stops || pauses || ends_paragraph || count >= 4) {
            return Use::GoesOn;
        }
        if between.is_empty() && upper && opens_sentence && !own_attribution {
            return Use::GoesOn;
        }
    }
    if intro && (upper || count >= 4) && (stops || pauses || ends_paragraph || count >= 4) {
        let colon_title = front.ends_with(':') && count <= 3 && !stops;
        return if colon_title { Use::Term } else { Use::Speech };
    }
    if opens_sentence {
        let said_behind = attributes(behind);
        let alone = ends_paragraph
            || behind.starts_with(char::is_whitespace)
                && behind_char.is_some_and(|c| c.is_uppercase() || matches!(c, '"' | '“' | '‘' | '\'' | '`'));
        if stops && alone && (upper || count >= 4) {
            return Use::Speech;
        }
        if (pauses || stops) && said_behind {
            return Use::Speech;
        }
        if pauses && count >= 6 && upper || stops && count >= 3 {
            return Use::Speech;
        }
        // `"Yes", he said`: the British comma stands outside.
        let comma_outside =
            behind.starts_with([',', '.']) && upper && (said_behind && behind.starts_with(',') || count >= 6);
        if comma_outside {
            return Use::Speech;
        }
        // The closing mark was lost before the attribution; the comma is in the content.
        if kind == ParagraphKind::Quote && count >= 6 && upper && (said_behind || ends_paragraph) {
            return Use::Speech;
        }
    }
    // In the middle of a sentence: straight behind a cue, or a whole sentence behind no word
    // that a title or a term would stand behind.
    let word_before = front.rsplit(|c: char| c.is_whitespace()).next().unwrap_or("");
    if is_cue(word_before) && upper && (stops || pauses || count >= 2) {
        return Use::Speech;
    }
    let of_a_title = word_before.ends_with("'s")
        || word_before.ends_with("’s")
        || matches!(
            word_before,
            "the"
                | "a"
                | "an"
                | "in"
                | "on"
                | "of"
                | "at"
                | "for"
                | "by"
                | "called"
                | "titled"
                | "entitled"
                | "dubbed"
                | "and"
                | "or"
                | "as"
                | "with"
                | "from"
        );
    if stops && upper && count >= 4 && !of_a_title || pauses && upper && count >= 5 && attributes(behind) {
        return Use::Speech;
    }
    Use::Term
}
