//! The sample stories read once, and each stage as a function of what the stages before it found.

use std::{cell::RefCell, path::Path};

use copydesk::{
    decode::{self, Hints},
    extract::{
        Desk, Findings, citations, entities, grammar, names, places,
        quotes::{self, Lexicon},
        sentences, times, tokens,
    },
    gazetteer::index::Index,
    record,
    story::{ReferenceTime, Story, TimeBasis},
};

/// One story with its findings.
pub(crate) struct Prepared {
    pub(crate) story: Story,
    pub(crate) findings: Findings,
}

/// A stage: how much it found, so that nothing is left out.
pub(crate) type Stage = fn(&Prepared) -> usize;

/// Every stage that reads words, in their order.
pub(crate) const STAGES: [(&str, Stage); 11] = [
    ("tokens", of_tokens),
    ("sentences", of_sentences),
    ("grammar", of_grammar),
    ("names", of_names),
    ("times", of_times),
    ("recognise", of_recognise),
    ("entities", of_entities),
    ("places", of_places),
    ("quotes", of_quotes),
    ("citations", of_citations),
    ("record", of_record),
];

/// The sample stories, by name of file.
pub(crate) fn stories() -> Vec<Prepared> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("stories").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let desk = Desk::new();
    let read = |path: &std::path::PathBuf| {
        let mut story = decode::decode(&std::fs::read(path).expect("a story"), &Hints::default()).ok()?;
        let noon = ReferenceTime { value: "2031-03-04T12:00:00Z".to_owned(), basis: TimeBasis::Envelope };
        story.reference_time.get_or_insert(noon);
        let findings = desk.find(&story);
        Some(Prepared { story, findings })
    };
    paths.iter().filter_map(read).collect()
}

/// Words of all of them.
pub(crate) fn words(stories: &[Prepared]) -> usize {
    stories.iter().map(|one| one.story.text.split_whitespace().count()).sum()
}

thread_local! {
    static GRAMMAR: RefCell<grammar::Scratch> = RefCell::default();
    static NAMES: RefCell<names::Scratch> = RefCell::default();
    static MODEL: names::Names = names::Names::built_in().expect("the built-in model");
    static INDEX: Index = Index::built_in().expect("the built-in gazetteer");
}

fn of_tokens(one: &Prepared) -> usize {
    tokens::run(&one.story.text, &one.findings.layout, one.findings.dateline.as_ref()).len()
}

fn of_sentences(one: &Prepared) -> usize {
    let found = &one.findings;
    sentences::run(&one.story.text, &found.tokens, &found.layout, found.dateline.as_ref()).len()
}

fn of_grammar(one: &Prepared) -> usize {
    let (text, found) = (&one.story.text, &one.findings);
    let models = grammar::Models::embedded();
    let read = |scratch: &mut grammar::Scratch| {
        grammar::run_with(text, &found.tokens, &found.sentences, models, scratch).words.len()
    };
    GRAMMAR.with_borrow_mut(read)
}

fn of_names(one: &Prepared) -> usize {
    let (text, found) = (&one.story.text, &one.findings);
    MODEL.with(|model| NAMES.with_borrow_mut(|scratch| model.run(text, &found.tokens, &found.sentences, scratch).len()))
}

fn of_times(one: &Prepared) -> usize {
    let (story, found) = (&one.story, &one.findings);
    let (dateline, reference) = (found.dateline.as_ref(), story.reference_time.as_ref());
    times::run(&story.text, &found.tokens, &found.sentences, &found.grammar, &found.names, dateline, reference)
        .list
        .len()
}

fn of_recognise(one: &Prepared) -> usize {
    let found = &one.findings;
    INDEX.with(|index| places::recognise::run(&one.story.text, &found.tokens, found.names.clone(), index).len())
}

fn of_entities(one: &Prepared) -> usize {
    let found = &one.findings;
    let read = entities::Read {
        text: &one.story.text,
        layout: &found.layout,
        dateline: found.dateline.as_ref(),
        tokens: &found.tokens,
        sentences: &found.sentences,
        grammar: &found.grammar,
        names: &found.names,
    };
    entities::run(&read).list.len()
}

fn of_places(one: &Prepared) -> usize {
    let found = &one.findings;
    INDEX.with(|index| places::run(&one.story.text, &found.entities, found.dateline.as_ref(), None, index).facts.len())
}

fn input(one: &Prepared) -> quotes::Input<'_> {
    let found = &one.findings;
    quotes::Input {
        text: &one.story.text,
        layout: &found.layout,
        tokens: &found.tokens,
        sentences: &found.sentences,
        grammar: &found.grammar,
        names: &found.names,
        entities: &found.entities,
        notes: &found.notes,
    }
}

fn of_quotes(one: &Prepared) -> usize {
    quotes::run(input(one), Lexicon::built_in(), citations::Sources::built_in(), &mut Vec::new()).len()
}

fn of_citations(one: &Prepared) -> usize {
    let found = &one.findings;
    let source = one.story.source.as_deref();
    let read = citations::Input { read: input(one), dateline: found.dateline.as_ref(), source, quotes: &found.quotes };
    citations::run(&read, citations::Sources::built_in(), Lexicon::built_in()).len()
}

/// From bytes that are decoded to the record's JSON: every stage, and what stands between them.
fn of_record(one: &Prepared) -> usize {
    thread_local! {
        static DESK: Desk = Desk::new();
    }
    DESK.with(|desk| {
        let findings = desk.find(&one.story);
        let record = record::build(one.story.clone(), &findings);
        serde_json::to_vec(&record).map_or(0, |json| json.len())
    })
}
