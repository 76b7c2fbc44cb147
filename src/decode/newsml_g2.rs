//! NewsML-G2: news items and messages of them.
//!
//! Standard: IPTC NewsML-G2 2.x (`http://iptc.org/std/nar/2006-10-01/`), at core and power
//! conformance; what is bound to prefixes is not looked up.
//!
//! Read: `newsItem` of text, alone or in a `newsMessage`; its guid, version, language, rights,
//! `itemMeta` (class, provider, dates, embargo, publication status, signals, notes to editors),
//! `contentMeta` (urgency, language, by, dateline, slugline, headline, description, keywords,
//! source), and of `contentSet` the richest of NITF, XHTML, other XML, HTML and plain text; the
//! content types of the others are named in `extra`. The header of the message holds for all
//! of its items. A canceled item is a kill, with or without content. All else (subjects, genres,
//! links, assertions …) is kept in `extra` under `newsml-g2.` and its path.
//!
//! Refused by name (`decode.no_text_story`): `packageItem` (unless packages are followed), `conceptItem`, `knowledgeItem`,
//! `planningItem`, `catalogItem`; news items of pictures, graphics, audio, video; items of which the
//! content is elsewhere (`remoteContent`).
//!
//! Not read: catalogues, digital signatures, the parts of an item (`partMeta`).

use serde_json::{Map, Value, json};

use super::{
    DecodeError, Packages, STORIES_MAX, Stories,
    blocks::{Blocks, clean_line},
    html, may_share, nitf, note_once, times,
    xml::{self, Element},
};
use crate::{
    story::{Anomaly, DeclaredStatus, Format, Story},
    text::from,
};

/// No sender's name is longer.
const SENDER_BYTES_MAX: usize = 1_000;

/// Packages of a transmission that are followed.
const PACKAGES_MAX: usize = 64;

const ITEMS: [&str; 6] = ["newsItem", "packageItem", "conceptItem", "knowledgeItem", "planningItem", "catalogItem"];

pub(super) fn decode(input: &[u8], packages: Packages) -> Result<Stories, DecodeError> {
    let decoded = xml::text(input)?;
    let tree = xml::parse(&decoded.text)?;
    let Some(root) = tree.root() else { return Ok(Vec::new()) };
    let header = root.child("header");
    let items: Vec<Element<'_, '_>> = if ITEMS.contains(&root.name()) {
        vec![root]
    } else {
        let sets = root.all("itemSet").flat_map(Element::children);
        sets.filter(|item| ITEMS.contains(&item.name())).collect()
    };
    if items.is_empty() {
        return Err(DecodeError::new("decode.format", "there is no item of NewsML-G2").at(root.offset()));
    }
    let followed = match packages {
        Packages::Follow => follow(&items),
        Packages::Refuse => Vec::new(),
    };
    let items: Vec<Element<'_, '_>> =
        items.into_iter().filter(|item| followed.iter().all(|package| package.offset != item.offset())).collect();
    let count = items.len();
    let mut facts = Story::blank(Format::NewsmlG2);
    if let Some(header) = header {
        read_header(header, &mut facts);
    }
    let mut stories: Stories = Vec::new();
    for item in items.into_iter().take(STORIES_MAX + 1) {
        let mut story = Story::blank(Format::NewsmlG2);
        let read = read(item, &facts, &mut story);
        put_packages(&followed, &mut story);
        stories.push(read.and_then(|()| tree.finish(story, &decoded, item, "newsml-g2")));
    }
    if let Some(header) = header {
        let mut anomalies = Vec::new();
        let left = header.leftovers("newsml-g2.header", &mut anomalies);
        share(&left, &anomalies, count, &mut stories);
    }
    Ok(stories)
}

/// A package of which stories are in the transmission.
struct Package {
    offset: usize,
    guid: String,
    headline: Option<String>,
    refers_to: std::collections::HashSet<String>,
}

/// Packages that refer to stories of the same transmission.
fn follow(items: &[Element<'_, '_>]) -> Vec<Package> {
    let stories: std::collections::HashSet<String> =
        items.iter().filter(|item| item.name() == "newsItem").filter_map(|item| item.peek("guid")).collect();
    let packages = items.iter().filter(|item| item.name() == "packageItem").take(PACKAGES_MAX);
    let read = packages.map(|item| Package {
        offset: item.offset(),
        guid: item.peek("guid").unwrap_or_default(),
        headline: item.descendants("headline").first().and_then(|headline| headline.line()),
        refers_to: item
            .descendants("itemRef")
            .into_iter()
            .filter_map(|reference| reference.peek("residref").or_else(|| reference.peek("href")))
            .filter(|guid| stories.contains(guid))
            .collect(),
    });
    read.filter(|package| !package.refers_to.is_empty()).collect()
}

/// Says to which packages a story belongs.
fn put_packages(packages: &[Package], story: &mut Story) {
    let of = packages.iter().filter(|package| package.refers_to.contains(&story.id));
    let named: Vec<Value> = of.map(|package| json!({ "guid": package.guid, "headline": package.headline })).collect();
    if !named.is_empty() {
        story.extra.insert("newsml-g2.package".to_owned(), Value::Array(named));
    }
}

/// Gives fields of a header to all stories of the transmission; where that would be too much, to
/// the first alone.
pub(super) fn share(left: &Map<String, Value>, anomalies: &[Anomaly], count: usize, stories: &mut Stories) {
    let bytes = left.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    let shared = may_share(bytes, count);
    for (index, story) in stories.iter_mut().flatten().enumerate() {
        story.anomalies.extend(anomalies.iter().cloned());
        if shared || index == 0 {
            story.extra.extend(left.clone());
        } else {
            note_once(&mut story.anomalies, "extra.truncated");
        }
    }
}

/// Refuses what is no text story.
pub(super) fn refuse(kind: &str, id: &str, offset: usize) -> DecodeError {
    let mut error = DecodeError::new("decode.no_text_story", format!("{kind} is no text story")).at(offset);
    error.id = Some(id.to_owned()).filter(|id| !id.is_empty());
    error
}

fn read(item: Element<'_, '_>, header: &Story, story: &mut Story) -> Result<(), DecodeError> {
    story.id = item.attribute("guid").unwrap_or_default();
    story.lineage_key = item.attribute("guid");
    if item.name() != "newsItem" {
        return Err(refuse(&format!("a {}", item.name()), &story.id, item.offset()));
    }
    let version = item.attribute("version");
    story.version = version.as_deref().and_then(|version| version.parse().ok());
    if let (None, Some(version)) = (story.version, version) {
        story.extra.insert("newsml-g2@version".to_owned(), json!(version));
    }
    story.language = item.attribute("lang");
    for asked in ["standard", "standardversion", "conformance"] {
        item.attribute(asked);
    }
    for catalogue in item.children().filter(|child| matches!(child.name(), "catalogRef" | "catalog")) {
        catalogue.pass();
    }
    read_rights(item, story);
    let class = item.child("itemMeta").and_then(|meta| read_item_meta(meta, story));
    if let Some(meta) = item.child("contentMeta") {
        read_content_meta(meta, story);
    }
    if story.headline.is_none() {
        let title = item.path(&["itemMeta", "title"]);
        story.headline = title.and_then(|title| title.clean_line(&mut story.anomalies));
    }
    take_header(header, story);
    let class = class.as_deref().map(tail).unwrap_or_default().to_lowercase();
    if matches!(class.as_str(), "picture" | "video" | "audio" | "graphic" | "animation" | "still" | "photo") {
        return Err(refuse(&format!("a newsItem of class {class}"), &story.id, item.offset()));
    }
    let content = item.child("contentSet").filter(|set| set.has_elements());
    let has_text = content.is_some_and(|set| read_content(set, story).is_some());
    if content.is_some() && !has_text && story.status != Some(DeclaredStatus::Kill) {
        return Err(refuse("a newsItem with remote content alone", &story.id, item.offset()));
    }
    drop_repeated_headline(story);
    nitf::put_dateline(story);
    Ok(())
}

/// `sig:update` → `update`.
fn tail(qcode: &str) -> &str {
    qcode.rsplit([':', '/']).next().unwrap_or(qcode)
}

/// A party: its literal, its name, or its code.
fn party(element: Element<'_, '_>) -> Option<String> {
    let code = || element.attribute("qcode").or_else(|| element.attribute("uri"));
    element
        .child_line("name")
        .or_else(|| element.attribute("literal"))
        .or_else(|| code().map(|code| tail(&code).to_owned()))
        .or_else(|| element.line())
}

fn read_rights(item: Element<'_, '_>, story: &mut Story) {
    let Some(rights) = item.child("rightsInfo") else { return };
    let notice = rights.all("copyrightNotice").find_map(|notice| notice.clean_line(&mut story.anomalies));
    let holder = || rights.child("copyrightHolder").and_then(party);
    story.copyright = notice.or_else(holder);
}

/// Gives the class of the item.
fn read_item_meta(meta: Element<'_, '_>, story: &mut Story) -> Option<String> {
    let code = |element: Element<'_, '_>| element.attribute("qcode").or_else(|| element.attribute("uri"));
    story.source = meta.child("provider").and_then(party);
    let created = meta.child_line("versionCreated").or_else(|| meta.child_line("firstCreated"));
    story.reference_time = created.and_then(|time| times::reference(&time, &mut story.anomalies));
    match meta.child("pubStatus").and_then(code).as_deref().map(tail).map(str::to_lowercase).as_deref() {
        Some("usable") => story.status = Some(DeclaredStatus::Usable),
        Some("withheld" | "embargoed") => story.status = Some(DeclaredStatus::Withheld),
        Some("canceled" | "cancelled" | "withdrawn" | "killed") => story.status = Some(DeclaredStatus::Kill),
        Some(status) => {
            note_once(&mut story.anomalies, "status.unknown");
            story.extra.insert("newsml-g2.itemMeta.pubStatus".to_owned(), json!(status));
        }
        None => {}
    }
    for signal in meta.all("signal") {
        let Some(signal) = code(signal) else { continue };
        // A scheme of one letter for what has become of the story since.
        let is_editorial = signal.to_lowercase().starts_with("edstat:");
        let declared = match tail(&signal).to_lowercase().as_str() {
            "u" if is_editorial => Some(DeclaredStatus::Update),
            "c" if is_editorial => Some(DeclaredStatus::Correction),
            "w" | "k" if is_editorial => Some(DeclaredStatus::Kill),
            "update" | "updated" => Some(DeclaredStatus::Update),
            "correction" | "corrected" => Some(DeclaredStatus::Correction),
            "writethru" | "replace" => Some(DeclaredStatus::Writethru),
            "advisory" => Some(DeclaredStatus::Advisory),
            "kill" | "retraction" => Some(DeclaredStatus::Kill),
            _ => None,
        };
        if declared.is_some() && matches!(story.status, None | Some(DeclaredStatus::Usable | DeclaredStatus::Update)) {
            story.status = declared;
        }
        let signals = story.extra.entry("newsml-g2.itemMeta.signal".to_owned()).or_insert_with(|| json!([]));
        if let Some(signals) = signals.as_array_mut() {
            signals.push(json!(signal));
        }
    }
    if let Some(embargoed) = meta.child("embargoed") {
        match embargoed.line() {
            Some(time) => story.embargo = times::take(&time, "embargo.unread", &mut story.anomalies),
            // Without a time: until further notice.
            None if story.status != Some(DeclaredStatus::Kill) => story.status = Some(DeclaredStatus::Withheld),
            None => {}
        }
    }
    // A notepad says in one piece what the other notes say one by one.
    let is_notepad = |note: &Element<'_, '_>| note.peek("role").is_some_and(|role| tail(&role) == "notepad");
    let several = meta.all("edNote").any(|note| !is_notepad(&note));
    let notes = meta.all("edNote").filter(|note| !several || !is_notepad(note));
    let mut notes: Vec<String> = notes.filter_map(|note| note.clean_line(&mut story.anomalies)).collect();
    notes.dedup();
    story.ednote = Some(notes.join("\n")).filter(|notes| !notes.is_empty());
    meta.child("itemClass").and_then(code)
}

fn read_content_meta(meta: Element<'_, '_>, story: &mut Story) {
    if let Some(urgency) = meta.child_line("urgency") {
        story.urgency = urgency.parse().ok().filter(|number| (1..=9).contains(number));
        if story.urgency.is_none() {
            note_once(&mut story.anomalies, "urgency.unread");
        }
    }
    let language = meta.child("language").and_then(|language| language.attribute("tag"));
    story.language = language.or(story.language.take());
    let role = |element: Element<'_, '_>| element.peek("role").map(|role| tail(&role).to_lowercase());
    let headline =
        meta.all("headline").find(|line| role(*line).is_none_or(|role| role.contains("main") || role == "hld"));
    let headline = headline.or_else(|| meta.child("headline"));
    story.headline = headline.and_then(|line| line.clean_line(&mut story.anomalies));
    story.slugline = meta.child_line("slugline");
    let dateline = meta.child("dateline").and_then(|line| line.clean_line(&mut story.anomalies));
    story.dateline = dateline.map(|line| nitf::trim_dateline(&line)).filter(|line| !line.is_empty());
    let by: Vec<String> = meta.all("by").filter_map(|by| by.clean_line(&mut story.anomalies)).collect();
    story.byline = Some(by.join(", ")).filter(|by| !by.is_empty());
    let summary = meta
        .all("description")
        .find(|line| role(*line).is_none_or(|role| role.contains("summary") || role.contains("abstract")));
    story.summary = summary.and_then(|line| line.clean_line(&mut story.anomalies));
    let keywords: Vec<String> = meta.all("keyword").filter_map(Element::line).collect();
    story.keyword = Some(keywords.join(", ")).filter(|keywords| !keywords.is_empty());
    let source = meta.child("infoSource").filter(|_| story.source.is_none()).and_then(party);
    story.source = story.source.take().or(source);
    story.category = category(meta);
    if story.reference_time.is_none() {
        let created = meta.child_line("contentModified").or_else(|| meta.child_line("contentCreated"));
        story.reference_time = created.and_then(|time| times::reference(&time, &mut story.anomalies));
    }
}

/// The category of the wires among the subjects: of the schemes that name one the first.
fn category(meta: Element<'_, '_>) -> Option<String> {
    const SCHEMES: [&str; 4] = ["a1312", "apcategorycode:", "dpacat:", "cat:"];
    let of_scheme = |scheme: &str| {
        meta.all("subject").find_map(|subject| {
            let code = subject.peek("qcode").filter(|code| code.to_lowercase().starts_with(scheme))?;
            subject.pass();
            Some(tail(&code).to_owned())
        })
    };
    let named = || {
        let mut subjects =
            meta.all("subject").filter(|subject| subject.peek("type").is_some_and(|kind| tail(&kind) == "cat"));
        subjects.find_map(|subject| subject.peek("literal").or_else(|| Some(tail(&subject.peek("qcode")?).to_owned())))
    };
    SCHEMES.iter().find_map(|scheme| of_scheme(scheme)).or_else(named)
}

/// What the header says of all items; read once.
fn read_header(header: Element<'_, '_>, facts: &mut Story) {
    let sent = header.child_line("sent");
    facts.reference_time = sent.and_then(|sent| times::reference(&sent, &mut facts.anomalies));
    let priority = header.child_line("priority").and_then(|priority| priority.parse().ok());
    facts.urgency = priority.filter(|priority| (1..=9).contains(priority));
    facts.source = header.child_line("sender").filter(|sender| sender.len() <= SENDER_BYTES_MAX);
}

/// Gives a story what it does not say itself.
pub(super) fn take_header(facts: &Story, story: &mut Story) {
    if story.reference_time.is_none() {
        story.reference_time.clone_from(&facts.reference_time);
        story.anomalies.extend(facts.anomalies.iter().cloned());
    }
    story.urgency = story.urgency.or(facts.urgency);
    if story.source.is_none() {
        story.source.clone_from(&facts.source);
    }
}

/// Reads the richest content; `None` when there is none to read.
fn read_content(set: Element<'_, '_>, story: &mut Story) -> Option<()> {
    let rank = |content: Element<'_, '_>| -> Option<u8> {
        let kind = content.attribute("contenttype").unwrap_or_default().to_lowercase();
        match content.name() {
            "inlineXML" if content.child("nitf").is_some() => Some(0),
            "inlineXML" if content.child("html").is_some() || kind.contains("html") => Some(1),
            "inlineXML" => Some(2),
            "inlineData" if kind.contains("html") => Some(3),
            "inlineData" if kind.is_empty() || kind.starts_with("text/") => Some(4),
            _ => None,
        }
    };
    let best = set.children().filter_map(|content| Some((rank(content)?, content))).min_by_key(|(rank, _)| *rank);
    let (_, best) = best?;
    let others: Vec<String> = set
        .children()
        .filter(|content| content.offset() != best.offset() && rank(*content).is_some())
        .map(|content| content.take().attribute("contenttype").unwrap_or_else(|| content.name().to_owned()))
        .collect();
    if !others.is_empty() {
        story.extra.insert("newsml-g2.contentSet.left_out".to_owned(), json!(others));
    }
    let words = best.attribute("wordcount").and_then(|words| words.parse().ok());
    story.word_count_declared = words.filter(|words| *words > 0);
    if story.language.is_none() {
        story.language = best.attribute("lang");
    }
    read_inline(best, story);
    Some(())
}

/// Reads NITF, XHTML, HTML that was escaped or stands in CDATA, or plain text.
pub(super) fn read_inline(content: Element<'_, '_>, story: &mut Story) {
    if let Some(document) = content.child("nitf") {
        nitf::read(document, story);
        let left = document.leftovers("nitf", &mut story.anomalies);
        content.take();
        story.extra.extend(left);
        return;
    }
    let mut blocks = Blocks::default();
    if content.has_elements() {
        content.blocks(&mut blocks);
    } else {
        let text = content.take().raw_text();
        if html::has_tags(&text) {
            html::read(&text, &mut blocks);
        } else {
            blocks.open("pre");
            blocks.text(&without_margin(&super::charset::unify_line_ends(&text)));
            blocks.close("pre");
        }
    }
    nitf::put_body(blocks.finish(), story);
}

/// Plain text as a program laid it out in its document: without the margin that all lines but the
/// first have.
fn without_margin(text: &str) -> String {
    let margin = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let body = text.trim_matches(['\n', ' ', '\t']);
    let common = body.split('\n').skip(1).filter(|line| !line.trim().is_empty()).map(margin).min().unwrap_or(0);
    let cut = |(at, line): (usize, &str)| from(line, if at == 0 { 0 } else { common.min(margin(line)) }).to_owned();
    body.split('\n').enumerate().map(cut).collect::<Vec<_>>().join("\n")
}

/// A body that opens with its headline says it twice.
pub(super) fn drop_repeated_headline(story: &mut Story) {
    let Some(headline) = story.headline.as_deref() else { return };
    let Some((first, _)) = story.text.split_once('\n') else { return };
    if first != clean_line(headline, &mut Vec::new()) {
        return;
    }
    let shift = first.len() as u32 + 1;
    story.text.drain(..shift as usize);
    story.markup.retain(|markup| markup.span.start >= shift);
    for markup in &mut story.markup {
        markup.span.start -= shift;
        markup.span.end -= shift;
    }
}
