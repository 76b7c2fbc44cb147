//! The sample stories, read and written down.
//!
//! One snapshot a story, as a page that a person can proofread: what each paragraph is, the
//! sentences in it, then what was found. A story may have any finding that the record has a
//! place for; a snapshot shows those of the structure. `INSTA_UPDATE=always cargo test --test
//! golden` accepts changes; a snapshot that no story stands behind fails a test of its own.

mod fixtures;

use std::fmt::Write;

use copydesk::{
    decode::Hints,
    extract::Desk,
    record::{DatelinePart, Mention, MentionKind, Record, SpanText},
};

#[test]
fn sample_stories() {
    let desk = Desk::new();
    for (name, bytes) in fixtures::stories() {
        let record = desk.read_bytes(&bytes, &Hints::default()).expect("a sample story decodes");
        insta::assert_snapshot!(name.as_str(), page(&record));
    }
}

/// Every snapshot belongs to a story.
#[test]
fn no_snapshot_without_a_story() {
    let names: Vec<String> = fixtures::stories().into_iter().map(|(name, _)| format!("golden__{name}.snap")).collect();
    let folder = fixtures::folder("tests/snapshots");
    for entry in std::fs::read_dir(folder).expect("snapshots") {
        let file = entry.expect("a file").file_name().to_string_lossy().into_owned();
        assert!(!file.starts_with("golden__") || names.contains(&file), "{file} has no story");
    }
}

fn page(record: &Record) -> String {
    let mut page = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(page, "{name}: {value}");
    };
    line("encoding", record.raw.encoding.clone());
    for (name, value) in [("headline", &record.headline), ("slugline", &record.slugline)] {
        if let Some(value) = value {
            line(name, value.clone());
        }
    }
    for byline in &record.bylines {
        let beside: Vec<&str> = byline.title.as_deref().into_iter().chain(byline.place.as_deref()).collect();
        line("byline", [&[byline.name.as_str()][..], &beside].concat().join(" | "));
    }
    if let Some(dateline) = &record.dateline {
        let named = |part: &DatelinePart| format!("{} = {}", part.span.text, part.entity.as_deref().unwrap_or("-"));
        let date = dateline.date.as_ref().map(|date| date.span.text.clone());
        let parts = [dateline.place.as_ref().map(named), date, dateline.agency.as_ref().map(named)];
        let parts = parts.map(|part| part.unwrap_or("-".to_owned())).join(" | ");
        line("dateline", format!("{parts}, story from {}", dateline.body_start));
    }
    if let Some(status) = &record.status {
        let cue = status.cue.as_ref().map_or(String::new(), |cue| format!(" ({})", cue.text));
        let number = status.number.map_or(String::new(), |number| format!(" {number}"));
        line("status", format!("{:?}{number}{cue}", status.kind).to_lowercase());
    }
    page.push('\n');
    let chars: Vec<char> = record.text.chars().collect();
    let text = |start: u32, end: u32| {
        let piece = chars.get(start as usize..end as usize).unwrap_or_default();
        piece.iter().collect::<String>().replace('\n', "⏎")
    };
    for (index, paragraph) in record.paragraphs.iter().enumerate() {
        let _ = writeln!(page, "{:?} {}", paragraph.kind, paragraph.section);
        let sentences = record.sentences.iter().filter(|sentence| sentence.paragraph as usize == index);
        let mut none = true;
        for sentence in sentences {
            none = false;
            let _ = writeln!(page, "    {}", text(sentence.start, sentence.end));
        }
        if none {
            let _ = writeln!(page, "    {}", text(paragraph.start, paragraph.end));
        }
    }
    page.push('\n');
    entities(&mut page, record);
    times(&mut page, record);
    quotes(&mut page, record);
    citations(&mut page, record);
    for note in &record.editorial_notes {
        let inside = note.inside_quote.as_ref().map_or(String::new(), |quote| format!(" inside {quote}"));
        let _ = writeln!(page, "{} {:?}{inside}: {}", note.id, note.kind, text(note.span.start, note.span.end));
    }
    for anomaly in &record.anomalies {
        let place = anomaly.span.as_ref().map_or(String::new(), |span| format!(" {}: {:?}", span.start, span.text));
        let repair = anomaly.repair.as_ref().map_or(String::new(), |repair| {
            let before = text(repair.at.saturating_sub(12), repair.at);
            let after = text(repair.at, (repair.at + 12).min(chars.len() as u32));
            format!(", read as …{before}[{}]{after}…", repair.insert)
        });
        let _ = writeln!(page, "{}{place}{repair}", anomaly.code);
    }
    page
}

/// Where a place lies: type, country, degrees, and what decided.
fn on_the_map(place: &copydesk::record::Place) -> [Option<String>; 4] {
    let fact = &place.fact;
    let degrees = fact.lat.zip(fact.lon).map(|(lat, lon)| format!("{lat:.2},{lon:.2}"));
    let country = fact.country.as_ref().map(|country| country.iso2.clone());
    [fact.kind.clone(), country, degrees, fact.rule.clone()]
}

/// Who and what the story speaks of: one line each, then its roles.
fn entities(page: &mut String, record: &Record) {
    let mut line = |id: &str, name: &str, facts: &[Option<String>], mentions: &[Mention]| {
        let facts: Vec<&str> = facts.iter().flatten().map(String::as_str).collect();
        let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
        let said: Vec<String> = mentions
            .iter()
            .map(|mention| {
                let stands_for = mention.stands_for.as_ref().map_or(String::new(), |id| format!(" for {id}"));
                let kind = match mention.kind {
                    MentionKind::Name => String::new(),
                    kind => format!(" [{kind:?}{stands_for}]").to_lowercase(),
                };
                format!("{}{kind}", mention.span.text.replace('\n', "⏎"))
            })
            .collect();
        let _ = writeln!(page, "{id} {name}{facts}: {}", said.join(" | "));
    };
    for person in &record.people {
        let roles = person.roles.iter().map(|role| {
            let of = role.of.as_ref().map_or(String::new(), |of| format!(" of {of}"));
            Some(format!("{:?} {}{of}", role.time, role.title).replace('\n', "⏎"))
        });
        let facts = [
            person.nationality.as_ref().map(|nationality| nationality.iso2.clone()),
            person.gender.as_ref().map(|gender| format!("{:?}", gender.value).to_lowercase()),
            person.age.map(|age| age.to_string()),
            person.party.as_ref().map(|party| party.text.clone()),
            person.home.as_ref().map(|home| format!("of {}", home.text)),
        ];
        let facts: Vec<Option<String>> = roles.chain(facts).collect();
        line(&person.id, &person.name, &facts, &person.mentions);
    }
    for body in &record.organisations {
        line(&body.id, &body.name, &[body.kind.clone(), body.acronym.clone(), body.country.clone()], &body.mentions);
    }
    record.places.iter().for_each(|place| line(&place.id, &place.name, &on_the_map(place), &place.mentions));
    record
        .groups
        .iter()
        .for_each(|group| line(&group.id, &group.name, std::slice::from_ref(&group.kind), &group.mentions));
    let named = record.named_events.iter().chain(&record.works);
    named.for_each(|entity| line(&entity.id, &entity.name, &[], &entity.mentions));
}

/// One line a time: what stands there, its value, and what it hangs on.
fn times(page: &mut String, record: &Record) {
    for time in &record.times {
        let alone = time.value_text_only.as_ref().map_or(String::new(), |alone| format!(" (text alone {alone})"));
        let anchor = time.anchor.as_ref().map_or(String::new(), |anchor| format!(" from {anchor}"));
        let words = time.span.text.replace('\n', "⏎");
        let _ = writeln!(page, "{} {:?}: {words} = {}{alone}{anchor}, {}", time.id, time.kind, time.value, time.rule);
    }
}

/// On whose authority.
fn citations(page: &mut String, record: &Record) {
    for citation in &record.citations {
        let named = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let value = serde_json::to_value(citation).expect("a citation");
        let via = citation.via.map_or(String::new(), |_| format!(" via {}", named(&value["via"])));
        let told = citation.told.as_ref().map_or(String::new(), |told| format!(" ({told})"));
        let _ = writeln!(
            page,
            "{} {}: {}{told}{via}, {} {} in {:?}",
            citation.id,
            named(&value["kind"]),
            citation.chain.join(" < "),
            named(&value["rule"]),
            value["confidence"],
            citation.sentences
        );
    }
}

/// Who said what.
fn quotes(page: &mut String, record: &Record) {
    let one_line = |span: &SpanText| span.text.replace('\n', "⏎");
    for quote in &record.quotes {
        let inside = quote.parent.as_ref().map_or(String::new(), |parent| format!(" inside {parent}"));
        let confidence = quote.confidence.and_then(|c| serde_json::to_string(&c).ok()).unwrap_or_default();
        let rule = quote.rule.map_or(String::new(), |rule| format!(" by {rule:?}").to_lowercase());
        let _ = writeln!(page, "{} {:?}{inside}{rule} {confidence}", quote.id, quote.kind);
        for content in &quote.content {
            let _ = writeln!(page, "    {}", one_line(content));
        }
        if let Some(cue) = &quote.cue {
            let _ = writeln!(page, "    cue: {} ({}, {:?})", one_line(&cue.span), cue.lemma, cue.kind);
        }
        if let Some(speaker) = &quote.speaker {
            let words = speaker.span.as_ref().map_or("-".to_owned(), one_line);
            let entity = speaker.entity.as_deref().unwrap_or("-");
            let _ = writeln!(page, "    speaker: {words} = {entity} ({:?}, {:?})", speaker.resolution, speaker.rule);
        }
        if let Some(addressee) = &quote.addressee {
            let entity = addressee.entity.as_deref().unwrap_or("-");
            let _ = writeln!(page, "    to: {} = {entity}", one_line(&addressee.span));
        }
        for circumstance in &quote.circumstances {
            let _ = writeln!(page, "    circumstance: {}", one_line(circumstance));
        }
        for gap in &quote.not_said {
            let _ = writeln!(page, "    not said: {}", one_line(gap));
        }
    }
}
