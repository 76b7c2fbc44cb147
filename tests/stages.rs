//! Properties of every stage, over random text and over sample stories with their marks spoilt:
//! no panic, valid spans, the same in the same out, and records that keep their contract.

mod fixtures;

use std::sync::LazyLock;

use copydesk::{
    decode::Hints,
    extract::{Desk, Findings, quotes::Quote},
    story::Story,
    text::Span,
};
use proptest::prelude::*;

static STORIES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let desk = Desk::new();
    let read = |(_, bytes): (String, Vec<u8>)| desk.read_bytes(&bytes, &Hints::default()).expect("decodes").text;
    fixtures::stories().into_iter().map(read).collect()
});

static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&copydesk::record::schema()).expect("a schema"));

/// Each stage with the spans that it gives.
macro_rules! stages {
    ($($stage:ident: |$findings:ident, $story:ident| $spans:expr;)*) => {
        $(
            mod $stage {
                use super::*;

                fn spans($findings: &Findings, $story: &Story) -> Vec<Span> {
                    let _ = $story;
                    $spans
                }

                proptest! {
                    #[test]
                    fn holds_on_random_text(text in any_text()) {
                        hold(&text, spans)?;
                    }

                    #[test]
                    fn holds_on_spoilt_stories(text in spoilt_story()) {
                        hold(&text, spans)?;
                    }
                }
            }
        )*
    };
}

stages! {
    layout: |findings, _story| {
        let header = [findings.layout.headline, findings.layout.slugline];
        findings.layout.paragraphs.iter().map(|p| p.span).chain(header.into_iter().flatten()).collect()
    };
    dateline: |findings, _story| {
        let spans = findings.dateline.iter().flat_map(|d| [Some(d.span), d.place, d.date, d.agency]);
        let body = findings.dateline.iter().map(|d| Span { start: d.body_start, end: d.body_start });
        spans.flatten().chain(body).collect()
    };
    byline: |findings, _story| {
        findings.bylines.iter().flat_map(|b| [Some(b.name), b.title, b.place]).flatten().collect()
    };
    status: |findings, _story| findings.status.cue.into_iter().collect();
    notes: |findings, _story| findings.notes.iter().flat_map(|n| [Some(n.span), n.author]).flatten().collect();
    quotes: |findings, _story| {
        let beside = |quote: &Quote| {
            let speaker = quote.speaker.and_then(|speaker| speaker.span);
            let cue = quote.cue.as_ref().map(|cue| cue.span);
            [cue, speaker, quote.addressee.map(|addressee| addressee.span)]
        };
        let quotes = findings.quotes.iter();
        quotes
            .flat_map(|quote| {
                let beside = beside(quote).into_iter().flatten().chain(quote.circumstances.iter().copied());
                quote.content.iter().chain(&quote.not_said).copied().chain(beside).collect::<Vec<_>>()
            })
            .collect()
    };
    citations: |findings, _story| {
        findings.citations.iter().flat_map(|citation| citation.span.into_iter().chain(citation.told)).collect()
    };
    times: |findings, _story| findings.times.list.iter().map(|time| time.span).collect();
    entities: |findings, _story| {
        let entities = findings.entities.list.iter();
        entities
            .flat_map(|entity| {
                let roles = entity.roles.iter().flat_map(|role| [role.title, role.span]);
                let facts = entity.party.into_iter().chain(entity.home);
                entity.mentions.iter().map(|mention| mention.span).chain(roles).chain(facts)
            })
            .collect()
    };
    places: |findings, _story| {
        // The facts have no spans of their own: those of the mentions they belong to.
        let known = findings.entities.list.iter().zip(&findings.places.facts).filter(|(_, fact)| fact.is_some());
        known.flat_map(|(entity, _)| entity.mentions.iter().map(|mention| mention.span)).collect()
    };
    anomalies: |findings, _story| {
        let repairs = findings.anomalies.iter().filter_map(|a| a.repair.as_ref());
        let repairs = repairs.map(|repair| Span { start: repair.at, end: repair.at });
        findings.anomalies.iter().filter_map(|a| a.span).chain(repairs).collect()
    };
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,200}",
        "[A-Z]{2,8}[,.]? (Jan\\. 5|\\(AP\\)|/TASS/|, |- |-- |[A-Za-z]{1,6} ){0,6}[\"'“”‘’„«»`()\\[\\]a-zA-Z ,.\n\t-]{0,200}",
        "[\"'“”‘’„“«»`]{0,60}",
        "(\"[A-Za-z ,.]{0,30}|” |[a-z]+ said[.,:] |\n\n?|\\(Adds|By [A-Z][a-z]+ [A-Z][a-z]+\n|- [a-z]+\n|[A-Z]+\n){0,30}",
    ]
}

/// A sample story in which some marks are missing, doubled or of another kind.
fn spoilt_story() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0_u8..6), 0..12);
    (any::<prop::sample::Index>(), edits).prop_map(|(story, edits)| {
        let mut chars: Vec<char> = story.get(&STORIES).chars().collect();
        for (at, edit) in edits {
            let marks: Vec<usize> = (0..chars.len()).filter(|index| is_mark(chars[*index])).collect();
            if marks.is_empty() {
                break;
            }
            let mark = *at.get(&marks);
            match edit {
                0 => drop(chars.remove(mark)),
                1 => chars.insert(mark, chars[mark]),
                2 => chars[mark] = '”',
                3 => chars[mark] = '"',
                4 => chars[mark] = '‘',
                _ => chars.insert(mark, '\n'),
            }
        }
        chars.into_iter().collect()
    })
}

fn is_mark(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '„' | '«' | '»' | '(' | ')' | '\n' | '-' | ',')
}

fn story(text: &str) -> Option<Story> {
    let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
    copydesk::decode::decode(envelope.as_bytes(), &Hints::default()).ok()
}

/// Words between marks, without the paragraphs around `spoilt`, each with the text of its paragraph.
fn said_elsewhere(text: &str, spoilt: usize) -> Vec<(String, String)> {
    let Some(story) = story(text) else { return Vec::new() };
    let findings = Desk::without_models().find(&story);
    let paragraphs = &findings.layout.paragraphs;
    let place = |span: Span| paragraphs.iter().position(|paragraph| paragraph.span.contains(span));
    let content = findings.quotes.iter().flat_map(|quote| quote.content.iter().copied());
    content
        .filter_map(|span| Some((span, place(span)?)))
        // A quotation may go on over the end of its paragraph: a neighbour may change, nobody else.
        .filter(|(_, at)| at.abs_diff(spoilt) > 1)
        .map(|(span, at)| (paragraphs[at].span.of(&story.text).to_owned(), span.of(&story.text).to_owned()))
        .collect()
}

proptest! {
    /// A mark that is lost or doubled changes what is read in its own paragraph, and at most in those beside it.
    #[test]
    fn a_lost_or_doubled_mark_leaves_other_paragraphs_alone(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), doubled in any::<bool>(),
    ) {
        let whole = which.get(&STORIES);
        let Some(read) = story(whole) else { return Ok(()) };
        let paragraphs = Desk::without_models().find(&read).layout.paragraphs;
        let is_quotation_mark = |c: char| matches!(c, '"' | '“' | '”' | '„' | '«' | '»');
        let marks: Vec<usize> =
            read.text.char_indices().filter(|(_, c)| is_quotation_mark(*c)).map(|(at, _)| at).collect();
        prop_assume!(!marks.is_empty());
        let mark = *at.get(&marks);
        let spoilt = paragraphs.iter().position(|p| p.span.start() <= mark && mark < p.span.end());
        prop_assume!(spoilt.is_some());
        let spoilt = spoilt.unwrap_or_default();
        let mut text = read.text.clone();
        match doubled {
            true => { let c = text.get(mark..).and_then(|rest| rest.chars().next()).unwrap_or_default(); text.insert(mark, c); }
            false => { text.remove(mark); }
        }
        // Where the edit changes what the paragraphs are, it is another story.
        let again = story(&text).map(|story| Desk::without_models().find(&story).layout.paragraphs.len());
        prop_assume!(again == Some(paragraphs.len()));
        prop_assert_eq!(said_elsewhere(&read.text, spoilt), said_elsewhere(&text, spoilt));
    }
}

/// Spans lie inside the text and on whole characters; a second run gives the same.
fn hold(text: &str, spans: fn(&Findings, &Story) -> Vec<Span>) -> Result<(), TestCaseError> {
    let Some(story) = story(text) else { return Ok(()) };
    let desk = Desk::without_models();
    let first = spans(&desk.find(&story), &story);
    for span in &first {
        prop_assert!(span.start <= span.end);
        prop_assert!(story.text.get(span.start()..span.end()).is_some(), "{span:?} does not fit {:?}", story.text);
    }
    prop_assert_eq!(&first, &spans(&desk.find(&story), &story));
    Ok(())
}

/// The rules of the contract that a schema cannot say.
fn keeps_contract(text: &str) -> Result<(), TestCaseError> {
    let Some(story) = story(text) else { return Ok(()) };
    let desk = Desk::new();
    let findings = desk.find(&story);
    for pair in findings.layout.paragraphs.windows(2) {
        prop_assert!(pair[0].span.end <= pair[1].span.start, "paragraphs overlap");
        prop_assert!(pair[0].section <= pair[1].section);
    }
    keeps_entities(&findings)?;
    for (index, quote) in findings.quotes.iter().enumerate() {
        prop_assert!(!quote.content.is_empty());
        prop_assert!(quote.content.windows(2).all(|pair| pair[0].end <= pair[1].start), "content out of order");
        prop_assert!(quote.parent.is_none_or(|parent| parent < index), "a parent stands first");
        for content in &quote.content {
            let holders = findings.layout.paragraphs.iter().filter(|p| p.span.contains(*content)).count();
            prop_assert_eq!(holders, 1, "a piece stays in its paragraph");
        }
    }
    let record = desk.read(story);
    let value = serde_json::to_value(&record).expect("serialises");
    let errors: Vec<String> = SCHEMA.iter_errors(&value).map(|error| error.to_string()).collect();
    prop_assert!(errors.is_empty(), "{errors:?}");
    let chars: Vec<char> = record.text.chars().collect();
    check_spans(&value, &chars)
}

/// Entities in text order, with mentions in text order, and references that lead somewhere.
fn keeps_entities(findings: &Findings) -> Result<(), TestCaseError> {
    let list = &findings.entities.list;
    let first =
        |entity: &copydesk::extract::entities::Entity| entity.mentions.first().map(|mention| mention.span.start);
    prop_assert!(list.iter().all(|entity| !entity.mentions.is_empty() && !entity.name.is_empty()));
    prop_assert!(list.windows(2).all(|pair| first(&pair[0]) <= first(&pair[1])), "entities out of order");
    for entity in list {
        prop_assert!(entity.mentions.windows(2).all(|pair| pair[0].span < pair[1].span), "mentions out of order");
        for mention in &entity.mentions {
            prop_assert!(mention.stands_for.is_none_or(|index| index < list.len()));
            prop_assert!(mention.tokens.end as usize <= findings.tokens.len());
            prop_assert!(mention.tokens.clone().all(|at| findings.entities.at_token(at).is_some()));
            prop_assert!(findings.entities.of_span(mention.span).is_some());
        }
        for role in &entity.roles {
            prop_assert!(role.span.contains(role.title), "a title outside its role");
        }
    }
    Ok(())
}

/// Every `{start, end, text}` equals the text between the two, in code points.
fn check_spans(value: &serde_json::Value, chars: &[char]) -> Result<(), TestCaseError> {
    match value {
        serde_json::Value::Object(fields) => {
            let number = |name| fields.get(name).and_then(serde_json::Value::as_u64).map(|n| n as usize);
            let text = fields.get("text").and_then(serde_json::Value::as_str);
            if let (Some(start), Some(end), Some(text)) = (number("start"), number("end"), text) {
                let piece: Option<String> = chars.get(start..end).map(|piece| piece.iter().collect());
                prop_assert_eq!(piece.as_deref(), Some(text));
            }
            fields.values().try_for_each(|value| check_spans(value, chars))
        }
        serde_json::Value::Array(values) => values.iter().try_for_each(|value| check_spans(value, chars)),
        _ => Ok(()),
    }
}

proptest! {
    #[test]
    fn records_of_random_text_keep_the_contract(text in any_text()) {
        keeps_contract(&text)?;
    }

    #[test]
    fn records_of_spoilt_stories_keep_the_contract(text in spoilt_story()) {
        keeps_contract(&text)?;
    }
}

proptest! {
    #[test]
    fn two_desks_read_a_spoilt_story_alike(text in spoilt_story()) {
        let read = |text: &str| story(text).map(|story| serde_json::to_value(Desk::new().read(story)).expect("serialises"));
        prop_assert_eq!(read(&text), read(&text));
    }
}

#[test]
fn records_of_the_sample_stories_keep_the_contract() {
    for text in STORIES.iter() {
        keeps_contract(text).expect("the contract");
    }
}

/// A story as large as the desk takes costs no more per byte than a small one: nothing here may
/// take longer than a test run allows.
#[test]
fn odd_megabytes_are_read() {
    let (structure, whole) = (Desk::without_models(), Desk::new());
    for unit in ["\n", "a", "\"", "'", "(", "\" a", "a,\" said. B\n", "\u{201c}A b.\n", "- x\n", "A, b said. "] {
        let text = unit.repeat((1 << 20) / unit.len());
        if let Some(story) = story(&format!("x{text}")) {
            let _ = structure.find(&story);
        }
        if let Some(story) = story(&format!("x{}", unit.repeat(4096))) {
            let _ = whole.find(&story);
        }
    }
}

/// Text that is meant to hurt, of which a story may be as long as it likes: a record stays in proportion to
/// its story, or one story could take all memory there is.
#[test]
fn double_the_story_gives_no_more_than_double_the_record() {
    let desk = Desk::new();
    let size = |piece: &str, bytes: usize| {
        let text = piece.repeat(bytes / piece.len());
        let record = desk.read_bytes(text.as_bytes(), &Hints::default()).expect("decodes");
        serde_json::to_vec(&record).expect("written").len()
    };
    for piece in [
        "said Ada said Bob ",
        "“a ‘b ",
        "\" ",
        "[(",
        "(eds: ",
        "a, ",
        "Mr. A. B. ",
        "\n\nA\n",
        "He said she said they said. ",
        "PARIS, March 3 (Example News) - \n\n",
        "By Ada Lindqvist\n",
        "Paris, Texas, London, Ontario, ",
        "according to Ada according to Bob ",
        "that Ada said that Bob said that ",
    ] {
        let (one, two) = (size(piece, 4096), size(piece, 8192));
        assert!(two * 100 <= one * 230, "{piece:?}: {one} bytes, and {two} of double the story");
    }
}
