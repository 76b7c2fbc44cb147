//! The lists beside a story: who said what, sources, names, times, notes, what was odd.
//!
//! ```text
//! q3: direct, "We will appeal", the ministry, "said"
//!     → <li id="s1-q3" class="card"> … <q>We will appeal</q> … <a href="#s1-q3-at">in the story</a></li>
//! ```
//!
//! Every entry has the id that marks in the story lead to, and leads back to its first place.
//!
//! What this does not do: repeat what a record says of its own making.

use super::{Story, markup::Markup};
use crate::record::reading::{Citation, Entity, Party, Quote, plain};

/// Entries of one list that are written; the record has them all.
const ENTRIES_MAX: usize = 5_000;

/// Writes all lists that have entries.
pub(super) fn write(story: &Story<'_>, markup: &mut Markup) {
    said(story, markup);
    sources(story, markup);
    names(story, markup);
    times(story, markup);
    events(story, markup);
    figures(story, markup);
    notes(story, markup);
    topics(story, markup);
    odd(story, markup);
}

/// A section with a heading and its entries.
fn section(story: &Story<'_>, markup: &mut Markup, name: &str, title: &str, fill: impl FnOnce(&mut Markup)) {
    let heading = story.id(name);
    markup.open("section", &[("aria-labelledby", &heading)]).element("h3", &[("id", &heading)], title);
    fill(markup);
    markup.close().line();
}

/// An entry: its head, what is told of it, and the way back into the story.
fn entry(markup: &mut Markup, id: &str, place: Option<&str>, fill: impl FnOnce(&mut Markup)) {
    markup.open("li", &[("id", id), ("class", "card"), ("tabindex", "-1")]);
    markup.open("div", &[("class", "told")]);
    fill(markup);
    markup.close();
    if let Some(place) = place {
        markup.text(" ").element("a", &[("class", "back"), ("href", place)], "in the story");
    }
    markup.close().line();
}

fn fact(markup: &mut Markup, text: &str) {
    if !text.is_empty() {
        markup.text(" ").element("span", &[("class", "fact")], text);
    }
}

fn sure(markup: &mut Markup, confidence: Option<f64>) {
    if let Some(confidence) = confidence {
        fact(markup, &format!("confidence {confidence:.2}"));
    }
}

/// The way back to the first place of an entry, if the story shows it.
fn back(story: &Story<'_>, id: &str) -> Option<String> {
    let place = format!("{}-at", story.id(id));
    story.drawn.contains(&place).then(|| format!("#{place}"))
}

fn said(story: &Story<'_>, markup: &mut Markup) {
    if story.reading.quotes.is_empty() {
        return;
    }
    section(story, markup, "said", "Who said what", |markup| {
        for speaker in &story.speakers {
            let Some(voice) = speaker.quotes.first().map(|quote| story.voice(*quote)) else { continue };
            let class = format!("voice v{}", voice.colour);
            markup.open("div", &[("class", &class)]).open("h4", &[]);
            markup.element("span", &[("class", "letter"), ("aria-hidden", "true")], &voice.letter).text(" ");
            let entity = speaker.entity.as_deref().and_then(|id| story.reading.entity(id));
            match entity {
                Some(entity) => {
                    let target = format!("#{}", story.id(&entity.id));
                    markup.element("a", &[("href", &target)], &voice.name);
                }
                None => drop(markup.element("bdi", &[], &voice.name)),
            }
            markup.close().open("ol", &[]).line();
            for quote in speaker.quotes.iter().take(ENTRIES_MAX).filter_map(|index| story.reading.quotes.get(*index)) {
                let place = back(story, &quote.id);
                entry(markup, &story.id(&quote.id), place.as_deref(), |markup| quotation(story, quote, markup));
            }
            markup.close().close();
        }
    });
}

fn quotation(story: &Story<'_>, quote: &Quote, markup: &mut Markup) {
    markup.element("span", &[("class", "kind")], &plain(&quote.kind)).text(" ");
    let words: Vec<&str> = quote.content.iter().map(|content| content.text.as_str()).collect();
    // Marks of quotation stand for words that were spoken as they are written.
    let element = if quote.kind == "direct" { "q" } else { "bdi" };
    markup.element(element, &[("class", "words")], &words.join(" … "));
    if let Some(cue) = &quote.cue {
        fact(markup, &format!("“{}”", cue.span.text));
    }
    let name = |party: &Party| story.reading.party_name(party).map(str::to_owned);
    if let Some(addressee) = quote.addressee.as_ref().and_then(name) {
        fact(markup, &format!("to {addressee}"));
    }
    if let Some(speaker) = &quote.speaker {
        let written = speaker.span.as_ref().map_or("", |span| span.text.as_str());
        match speaker.resolution.as_str() {
            "" | "name" | "unknown" => {}
            "carried" => fact(markup, "speaker carried over from before"),
            how => fact(markup, &format!("speaker by {}: {written}", plain(how))),
        }
    }
    if let Some(parent) = &quote.parent {
        fact(markup, &format!("inside {parent}"));
    }
    sure(markup, quote.confidence);
}

fn sources(story: &Story<'_>, markup: &mut Markup) {
    if story.reading.citations.is_empty() {
        return;
    }
    section(story, markup, "sources", "On whose authority", |markup| {
        markup.open("ol", &[("class", "sources")]).line();
        for citation in story.reading.citations.iter().take(ENTRIES_MAX) {
            entry(markup, &story.id(&citation.id), None, |markup| chain(story, citation, markup));
        }
        markup.close();
    });
}

fn chain(story: &Story<'_>, citation: &Citation, markup: &mut Markup) {
    markup.element("span", &[("class", "kind source")], &citation.id).text(" ");
    for (index, link) in citation.chain.iter().enumerate() {
        if index > 0 {
            markup.element("span", &[("aria-label", "citing"), ("role", "img")], " ← ");
        }
        let words = story.reading.link_name(link);
        match story.reading.entity(link) {
            Some(entity) => {
                let target = format!("#{}", story.id(&entity.id));
                markup.element("a", &[("class", "link"), ("href", &target)], &words);
            }
            None => drop(markup.element("bdi", &[("class", "link")], &words)),
        }
    }
    fact(markup, &plain(&citation.kind));
    if let Some(via) = &citation.via {
        fact(markup, &format!("via {}", plain(via)));
    }
    if let Some(told) = &citation.told {
        fact(markup, told);
    }
    if let Some(span) = &citation.span {
        fact(markup, &format!("“{}”", span.text));
    }
    sure(markup, citation.confidence);
    if !citation.sentences.is_empty() {
        markup.text(" ").open("span", &[("class", "fact")]).text("sentences");
        for sentence in citation.sentences.iter().take(ENTRIES_MAX) {
            markup.text(" ");
            let number = (u64::from(*sentence) + 1).to_string();
            let target = story.id(&format!("s{number}"));
            if story.drawn.contains(&target) {
                markup.element("a", &[("class", "sentence"), ("href", &format!("#{target}"))], &number);
            }
        }
        markup.close();
    }
}

fn names(story: &Story<'_>, markup: &mut Markup) {
    let titles = [
        ("person", "People"),
        ("organisation", "Organisations"),
        ("place", "Places"),
        ("group", "Groups"),
        ("event", "Named events"),
        ("work", "Works"),
    ];
    for (class, title) in titles {
        let of_class: Vec<&Entity> = story.reading.entities.iter().filter(|entity| entity.class == class).collect();
        if of_class.is_empty() {
            continue;
        }
        section(story, markup, class, title, |markup| {
            markup.open("ul", &[]).line();
            for entity in of_class.into_iter().take(ENTRIES_MAX) {
                let place = back(story, &entity.id);
                entry(markup, &story.id(&entity.id), place.as_deref(), |markup| name(story, entity, markup));
            }
            markup.close();
        });
    }
}

fn name(story: &Story<'_>, entity: &Entity, markup: &mut Markup) {
    markup.element("b", &[("class", &format!("m {}", entity.class)), ("dir", "auto")], &entity.name);
    fact(markup, &entity.kind.as_deref().map_or_else(|| entity.class.to_owned(), plain));
    if let Some(acronym) = &entity.acronym {
        fact(markup, acronym);
    }
    for role in &entity.roles {
        let time = role.time.as_deref().filter(|time| *time != "current").map(|time| format!("{time} "));
        let of = role.of.as_deref().map(|of| format!(" ({})", story.reading.link_name(of)));
        fact(markup, &[time.unwrap_or_default(), role.title.clone(), of.unwrap_or_default()].concat());
    }
    let code = |value: &serde_json::Value| {
        let code = value.as_str().or_else(|| value.get("iso2").and_then(serde_json::Value::as_str));
        code.map(str::to_owned)
    };
    if let Some(country) = entity.country.as_ref().and_then(code) {
        fact(markup, &country);
    }
    if let Some(nationality) = entity.nationality.as_ref().and_then(code) {
        fact(markup, &format!("nationality {nationality}"));
    }
    if let (Some(lat), Some(lon)) = (entity.lat, entity.lon) {
        fact(markup, &format!("{lat:.2}, {lon:.2}"));
    }
    if let Some(geonames) = entity.geonames {
        fact(markup, &format!("GeoNames {geonames}"));
    }
    let times = entity.mentions.len();
    fact(markup, &if times == 1 { "once".to_owned() } else { format!("{times} times") });
    sure(markup, entity.confidence);
}

fn times(story: &Story<'_>, markup: &mut Markup) {
    if story.reading.times.is_empty() {
        return;
    }
    section(story, markup, "times", "Times", |markup| {
        markup.open("ul", &[]).line();
        for time in story.reading.times.iter().take(ENTRIES_MAX) {
            let place = back(story, &time.id);
            entry(markup, &story.id(&time.id), place.as_deref(), |markup| {
                markup.element("b", &[("class", "m time")], &time.span.text);
                fact(markup, &time.value);
                fact(markup, &time.kind.to_lowercase());
                fact(markup, &time.modifier.as_deref().map(plain).unwrap_or_default().to_lowercase());
            });
        }
        markup.close();
    });
}

fn events(story: &Story<'_>, markup: &mut Markup) {
    if story.reading.events.is_empty() {
        return;
    }
    let parties = |ids: &[String]| ids.iter().map(|id| story.reading.link_name(id)).collect::<Vec<_>>().join(", ");
    section(story, markup, "events", "What happened", |markup| {
        markup.open("ul", &[]).line();
        for event in story.reading.events.iter().take(ENTRIES_MAX) {
            let place = back(story, &event.id);
            entry(markup, &story.id(&event.id), place.as_deref(), |markup| {
                markup.element("b", &[("class", "act")], &event.trigger.text);
                let class = event.plover.as_ref().and_then(|plover| plover.get("event")?.as_str());
                fact(markup, &class.unwrap_or_default().to_lowercase());
                if !event.actor.is_empty() {
                    fact(markup, &format!("by {}", parties(&event.actor)));
                }
                if !event.recipient.is_empty() {
                    fact(markup, &format!("to {}", parties(&event.recipient)));
                }
                fact(markup, event.reality.as_deref().unwrap_or_default());
            });
        }
        markup.close();
    });
}

fn figures(story: &Story<'_>, markup: &mut Markup) {
    if story.reading.figures.is_empty() {
        return;
    }
    section(story, markup, "figures", "Counts and amounts", |markup| {
        markup.open("ul", &[]).line();
        for (index, figure) in story.reading.figures.iter().take(ENTRIES_MAX).enumerate() {
            let id = format!("figure{}", index + 1);
            let place = back(story, &id);
            entry(markup, &story.id(&id), place.as_deref(), |markup| {
                markup.element("b", &[("class", "m figure")], &figure.span.text);
                fact(markup, &figure.kind.as_deref().map(plain).unwrap_or_default());
                fact(markup, &figure.value.as_ref().map(ToString::to_string).unwrap_or_default());
                fact(markup, figure.unit.as_deref().unwrap_or_default());
            });
        }
        markup.close();
    });
}

fn notes(story: &Story<'_>, markup: &mut Markup) {
    if story.reading.notes.is_empty() {
        return;
    }
    section(story, markup, "notes", "The desk’s own words", |markup| {
        markup.open("ul", &[]).line();
        for note in story.reading.notes.iter().take(ENTRIES_MAX) {
            let place = back(story, &note.id);
            entry(markup, &story.id(&note.id), place.as_deref(), |markup| {
                markup.element("span", &[("class", "kind")], &plain(&note.kind)).text(" ");
                markup.element("span", &[("class", "note")], &note.span.text);
            });
        }
        markup.close();
    });
}

fn topics(story: &Story<'_>, markup: &mut Markup) {
    if story.reading.topics.is_empty() {
        return;
    }
    section(story, markup, "topics", "Topics and keywords", |markup| {
        markup.open("ul", &[("class", "row")]);
        for topic in story.reading.topics.iter().take(ENTRIES_MAX) {
            markup.element("li", &[], topic);
        }
        markup.close();
    });
}

fn odd(story: &Story<'_>, markup: &mut Markup) {
    let anomalies = &story.record.anomalies;
    if anomalies.is_empty() {
        return;
    }
    section(story, markup, "anomalies", "What was odd", |markup| {
        markup.open("ul", &[]).line();
        for (index, anomaly) in anomalies.iter().take(ENTRIES_MAX).enumerate() {
            let id = format!("odd{}", index + 1);
            let place = back(story, &id);
            entry(markup, &story.id(&id), place.as_deref(), |markup| {
                markup.element("code", &[], &anomaly.code);
                if let Some(span) = &anomaly.span {
                    fact(markup, &format!("“{}”", span.text));
                }
                if let Some(repair) = &anomaly.repair {
                    fact(markup, &format!("read as if {} stood at character {}", repair.insert, repair.at));
                }
            });
        }
        markup.close();
    });
}
