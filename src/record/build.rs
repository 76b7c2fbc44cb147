//! From a story and its findings to the record: the one place where bytes become code points.

mod citations;
mod entities;
mod lineage;
mod places;
mod quotes;
mod times;

use super::{
    Anomaly, Byline, Cluster, Confidence, Dateline, DatelinePart, EditorialNote, Extractor, Language, Paragraph, Raw,
    Record, ReferenceTime, Repair, SCHEMA_ID, Sentence, SpanText, Status, StatusKind,
};
use crate::{
    extract::{Findings, byline},
    story::{self, Story},
    text::{CodePoints, Span},
};

/// Larger version numbers do not count versions.
const VERSION_MAX: u32 = 1000;

/// Puts the record together. Pure; the story's text moves into the record.
pub fn build(story: Story, findings: &Findings) -> Record {
    let put = Put { text: &story.text, points: CodePoints::new(&story.text) };
    let ids = entities::ids(&findings.entities);
    let quotes = put.quotes(&findings.quotes, &ids);
    let citations = put.citations(&findings.citations, &ids);
    let editorial_notes = put.notes(findings);
    let mut anomalies: Vec<&story::Anomaly> = story.anomalies.iter().chain(&findings.anomalies).collect();
    anomalies.sort_by_key(|anomaly| anomaly.span.map_or((0, 0), |span| (span.start, span.end)));
    let mut anomalies: Vec<Anomaly> = anomalies.into_iter().map(|anomaly| put.anomaly(anomaly)).collect();
    let lineage = lineage::of(&story, findings, &mut anomalies);
    let in_text = findings.bylines.iter().map(|byline| Byline {
        name: byline.name.of(put.text).to_owned(),
        title: byline.title.map(|span| span.of(put.text).to_owned()),
        place: byline.place.map(|span| span.of(put.text).to_owned()),
        span: Some(put.span(byline.name)),
    });
    let in_text: Vec<Byline> = in_text.collect();
    // A byline that the format gives beside the text has no place in it.
    let mut bylines = story.byline.as_deref().map(declared_bylines).unwrap_or_default();
    bylines.retain(|byline| in_text.iter().all(|known| !known.name.eq_ignore_ascii_case(&byline.name)));
    bylines.extend(in_text);
    let part = |span: Span| DatelinePart {
        span: put.span(span),
        // "SPRINGFIELD, Ohio" is the first place that it names.
        entity: findings
            .entities
            .of_span(span)
            .or_else(|| findings.entities.within(span).next().map(|(entity, _)| entity))
            .and_then(|entity| ids.get(entity).cloned()),
    };
    let dateline = findings.dateline.as_ref().map(|dateline| Dateline {
        span: put.span(dateline.span),
        place: dateline.place.map(part),
        date: dateline.date.map(|span| put.dateline_date(span, &findings.times)),
        agency: dateline.agency.map(part),
        agency_style: dateline.agency_style,
        body_start: put.points.at(dateline.body_start as usize),
    });
    let status = Status {
        kind: findings.status.kind,
        number: findings.status.number.or(story.version.filter(|version| {
            // Some providers count all of their items, not the versions of one.
            findings.status.kind != StatusKind::Original && *version < VERSION_MAX
        })),
        embargo: story.embargo,
        cue: findings.status.cue.map(|span| put.span(span)),
    };
    let paragraphs = findings
        .layout
        .paragraphs
        .iter()
        .map(|paragraph| Paragraph {
            start: put.points.at(paragraph.span.start()),
            end: put.points.at(paragraph.span.end()),
            kind: paragraph.kind,
            section: paragraph.section,
        })
        .collect();
    let sentences = findings
        .sentences
        .iter()
        .map(|sentence| Sentence {
            start: put.points.at(sentence.span.start()),
            end: put.points.at(sentence.span.end()),
            paragraph: sentence.paragraph,
        })
        .collect();
    let slugline = story.slugline.or_else(|| findings.layout.slugline.map(|span| span.of(put.text).to_owned()));
    let entities::Lists { people, organisations, places, groups, named_events, works } =
        put.entities(&findings.entities, &ids, &findings.places);
    let watch = places::watch(&findings.places, &ids);
    let models = findings.models.iter().map(|(name, version)| ((*name).to_owned(), version.clone())).collect();
    let headline = story.headline.or_else(|| findings.layout.headline.map(|span| span.of(put.text).to_owned()));
    Record {
        schema: SCHEMA_ID.to_owned(),
        id: story.id,
        raw: Raw {
            format: story.format,
            encoding: story.encoding.to_owned(),
            bytes: story.input_bytes,
            sha256: story.sha256,
        },
        extractor: Extractor { name: "copydesk".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), models },
        reference_time: story.reference_time.map(|time| ReferenceTime { value: time.value, basis: time.basis }),
        language: Some(Language {
            code: findings.language.code.to_owned(),
            confidence: Confidence::from_percent(findings.language.confidence_percent),
        }),
        headline,
        slugline,
        keyword: story.keyword,
        take: story.take,
        word_count_declared: story.word_count_declared,
        version: story.version,
        summary: story.summary,
        ednote: story.ednote,
        category: story.category,
        urgency: story.urgency,
        source: story.source,
        copyright: story.copyright,
        bylines,
        dateline,
        status: Some(status),
        lineage,
        cluster: findings
            .cluster
            .as_ref()
            .map(|cluster| Cluster { exact: cluster.exact.clone(), near: cluster.near.clone() }),
        paragraphs,
        sentences,
        people,
        organisations,
        places,
        groups,
        named_events,
        works,
        times: put.times(&findings.times),
        watch,
        quotes,
        citations,
        editorial_notes,
        anomalies,
        extra: story.extra,
        text: story.text,
    }
}

/// The authors in a line that came without the text.
fn declared_bylines(line: &str) -> Vec<Byline> {
    let first = line.split(' ').next().unwrap_or_default();
    let is_by = ["by", "par", "von", "por", "di", "door", "av"].iter().any(|by| first.eq_ignore_ascii_case(by));
    let names = if is_by { line.trim_start_matches(first) } else { line };
    let with_by = format!("By {}", names.trim_start());
    let owned = |span: Span| span.of(&with_by).to_owned();
    match byline::names(&with_by) {
        Some(names) => names
            .into_iter()
            .map(|byline| Byline {
                name: owned(byline.name),
                title: byline.title.map(owned),
                place: byline.place.map(owned),
                span: None,
            })
            .collect(),
        None => vec![Byline { name: with_by.chars().skip(3).collect(), title: None, place: None, span: None }],
    }
}

/// Converts spans of one text.
struct Put<'a> {
    text: &'a str,
    points: CodePoints<'a>,
}

impl Put<'_> {
    fn span(&self, span: Span) -> SpanText {
        SpanText {
            start: self.points.at(span.start()),
            end: self.points.at(span.end()),
            text: span.of(self.text).to_owned(),
        }
    }

    fn notes(&self, findings: &Findings) -> Vec<EditorialNote> {
        let note_in = |span: Span| {
            findings.quotes.iter().position(|quote| quote.content.iter().any(|content| content.contains(span)))
        };
        findings
            .notes
            .iter()
            .enumerate()
            .map(|(index, note)| EditorialNote {
                id: format!("x{}", index + 1),
                span: self.span(note.span),
                kind: note.kind,
                inside_quote: note_in(note.span).map(quote_id),
            })
            .collect()
    }

    fn anomaly(&self, anomaly: &story::Anomaly) -> Anomaly {
        Anomaly {
            code: anomaly.code.to_owned(),
            span: anomaly.span.map(|span| self.span(span)),
            repair: anomaly
                .repair
                .as_ref()
                .map(|repair| Repair { insert: repair.insert.clone(), at: self.points.at(repair.at as usize) }),
            confidence: anomaly.confidence_percent.map(Confidence::from_percent),
        }
    }
}

fn quote_id(index: usize) -> String {
    format!("q{}", index + 1)
}
