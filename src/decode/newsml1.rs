//! NewsML 1: the text items of the older NewsML.
//!
//! Standard: IPTC NewsML 1.0 to 1.2.
//!
//! Read: `NewsEnvelope` (date, priority), of each `NewsItem` the identifiers, revision, dates,
//! status and coming status, urgency and instructions, `NewsLines`, provider and language from the
//! component that holds the text or from those around it, and the text itself as NITF, XHTML,
//! HTML in CDATA, or plain. Of components that share a headline the text is the one whose role says
//! so (`Main`, `Body`), else the longest that is no title, abstract, style sheet, contact or caption.
//! A `NewsItem` of which several components have a text and a headline of their own gives a story for
//! each. All else (topics, subject codes, properties, further
//! texts …) is kept in `extra` under `newsml1.` and its path.
//!
//! Refused by name (`decode.no_text_story`): items without a text of their own, by the media type of
//! their first content.
//!
//! Not read: content in `Encoding` (Base64), references to other items, topic sets.

use serde_json::json;

use super::{
    DecodeError, STORIES_MAX, Stories, newsml_g2, nitf, note_once, times,
    xml::{self, Element},
};
use crate::story::{DeclaredStatus, Format, Story};

/// Components of one item that are stories of their own.
const COMPONENTS_MAX: usize = 64;

pub(super) fn decode(input: &[u8]) -> Result<Stories, DecodeError> {
    let decoded = xml::text(input)?;
    let tree = xml::parse(&decoded.text)?;
    let Some(root) = tree.root() else { return Ok(Vec::new()) };
    let envelope = root.child("NewsEnvelope");
    let mut stories = Stories::new();
    let mut sent = Story::blank(Format::Newsml1);
    if let Some(envelope) = envelope {
        read_envelope(envelope, &mut sent);
    }
    for item in root.all("NewsItem").take(STORIES_MAX + 1) {
        let mut facts = Story::blank(Format::Newsml1);
        read_identification(item, &mut facts);
        read_management(item, &mut facts);
        newsml_g2::take_header(&sent, &mut facts);
        let components = text_components(item);
        if components.is_empty() && facts.status != Some(DeclaredStatus::Kill) {
            let media = item.descendants("MediaType").into_iter().find_map(|media| media.attribute("FormalName"));
            let kind = media.map_or("a NewsItem without text".to_owned(), |media| format!("a NewsItem of {media}"));
            stories.push(Err(newsml_g2::refuse(&kind, &facts.id, item.offset())));
            continue;
        }
        if components.len() > COMPONENTS_MAX {
            let message = format!("a NewsItem has more than {COMPONENTS_MAX} texts");
            stories.push(Err(DecodeError::new("decode.too_complex", message).at(item.offset())));
            continue;
        }
        let first = item.child("NewsComponent");
        let components = if components.is_empty() { first.into_iter().collect() } else { components };
        let several = components.len() > 1;
        let read: Vec<Story> = components
            .into_iter()
            .enumerate()
            .map(|(index, component)| {
                let mut story = facts.clone();
                read_component(component, &mut story);
                if several && !story.id.is_empty() {
                    let part = component.attribute("Duid").unwrap_or_else(|| (index + 1).to_string());
                    story.id = format!("{}#{part}", story.id);
                    // Texts beside each other are no versions of each other.
                    story.lineage_key = story.lineage_key.map(|key| format!("{key}#{part}"));
                }
                story
            })
            .collect();
        let read = if read.is_empty() { vec![facts] } else { read };
        for story in read {
            let story = tree.finish(story, &decoded, item, "newsml1");
            stories.push(story);
        }
    }
    if let Some(envelope) = envelope {
        let mut anomalies = Vec::new();
        let left = envelope.leftovers("newsml1.NewsEnvelope", &mut anomalies);
        let count = stories.len();
        newsml_g2::share(&left, &anomalies, count, &mut stories);
    }
    if stories.is_empty() {
        return Err(DecodeError::new("decode.format", "there is no `NewsItem`").at(root.offset()));
    }
    Ok(stories)
}

/// What the envelope says of all items; read once.
fn read_envelope(envelope: Element<'_, '_>, facts: &mut Story) {
    let priority = envelope.child("Priority").and_then(|priority| priority.attribute("FormalName"));
    facts.urgency = priority.and_then(|priority| urgency(&priority));
    let sent = envelope.child_line("DateAndTime");
    facts.reference_time = sent.and_then(|sent| times::reference(&sent, &mut facts.anomalies));
}

fn urgency(words: &str) -> Option<u8> {
    words.parse().ok().filter(|number| (1..=9).contains(number))
}

fn read_identification(item: Element<'_, '_>, story: &mut Story) {
    let Some(identification) = item.child("Identification") else { return };
    if let Some(identifier) = identification.child("NewsIdentifier") {
        let parts = ["ProviderId", "DateId", "NewsItemId"].map(|name| identifier.child_line(name));
        let key: Vec<&str> = parts.iter().filter_map(Option::as_deref).collect();
        let revision = identifier.child("RevisionId");
        let number = revision.and_then(Element::line);
        story.version = number.as_deref().and_then(|revision| revision.parse().ok());
        if let (None, Some(number)) = (story.version, number) {
            story.extra.insert("newsml1.RevisionId".to_owned(), json!(number));
        }
        if let Some(update) = revision.and_then(|revision| revision.attribute("Update")).filter(|update| update != "N")
        {
            story.extra.insert("newsml1.RevisionId@Update".to_owned(), json!(update));
        }
        story.lineage_key = Some(key.join(":")).filter(|key| !key.is_empty());
        let public = identifier.child_line("PublicIdentifier").filter(|public| is_identifier(public));
        let [provider, _, item_id] = &parts;
        // Without an id of the item, what is left is common to all that the provider sends.
        story.lineage_key = story.lineage_key.take().filter(|_| item_id.is_some());
        if let Some(key) = public.as_deref().and_then(key_of_urn) {
            story.lineage_key = Some(key);
        }
        story.id = public.or_else(|| story.lineage_key.clone()).unwrap_or_default();
        let provider = provider.clone();
        story.source = provider;
    }
    // A label is the slug where there is no better one.
    story.slugline = identification.child_line("NameLabel");
}

/// `urn:newsml:` and nothing but a provider names no item.
fn is_identifier(public: &str) -> bool {
    !public.starts_with("urn:newsml:") || public.split(':').count() >= URN_PARTS
}

/// Parts of a NewsML URN: `urn:newsml:provider:date:item:revision`.
const URN_PARTS: usize = 6;

/// Provider, date and item of a NewsML URN: what the versions of a story share.
fn key_of_urn(urn: &str) -> Option<String> {
    let rest = urn.strip_prefix("urn:newsml:")?;
    let (key, _) = rest.rsplit_once(':').filter(|_| urn.split(':').count() >= URN_PARTS)?;
    Some(key.to_owned())
}

fn read_management(item: Element<'_, '_>, story: &mut Story) {
    let Some(management) = item.child("NewsManagement") else { return };
    let name = |element: Element<'_, '_>| element.attribute("FormalName").map(|name| name.to_lowercase());
    let peeked = |element: Element<'_, '_>| element.peek("FormalName").map(|name| name.to_lowercase());
    let created = management.child_line("ThisRevisionCreated").or_else(|| management.child_line("FirstCreated"));
    story.reference_time = created.and_then(|time| times::reference(&time, &mut story.anomalies));
    let status = management.child("Status").and_then(peeked);
    match status.as_deref() {
        Some("usable") => story.status = Some(DeclaredStatus::Usable),
        Some("embargoed" | "withheld") => story.status = Some(DeclaredStatus::Withheld),
        Some("canceled" | "cancelled" | "killed" | "withdrawn") => story.status = Some(DeclaredStatus::Kill),
        Some(_) => note_once(&mut story.anomalies, "status.unknown"),
        None => {}
    }
    if let Some(change) = management.child("StatusWillChange") {
        let future = change.child("FutureStatus").and_then(name);
        let time = change.child_line("DateAndTime");
        if future.as_deref() == Some("usable") && story.status == Some(DeclaredStatus::Withheld) {
            story.embargo = time.and_then(|time| times::take(&time, "embargo.unread", &mut story.anomalies));
        } else if let Some(time) = time {
            let future = json!({ "status": future, "time": time });
            story.extra.insert("newsml1.StatusWillChange".to_owned(), future);
        }
    }
    for instruction in management.all("Instruction") {
        let declared = match peeked(instruction).as_deref() {
            Some("update") => Some(DeclaredStatus::Update),
            Some("correction" | "rectify" | "correct") => Some(DeclaredStatus::Correction),
            Some("replace" | "writethru") => Some(DeclaredStatus::Writethru),
            Some("delete" | "kill" | "cancel") => Some(DeclaredStatus::Kill),
            _ => None,
        };
        if declared.is_some() && matches!(story.status, None | Some(DeclaredStatus::Usable)) {
            story.status = declared;
        }
    }
    let urgent = management.child("Urgency").and_then(|urgent| name(urgent).or_else(|| urgent.line()));
    story.urgency = urgent.and_then(|name| urgency(&name));
}

/// Components that hold a text of their own: for each headline one.
fn text_components<'t, 'a>(item: Element<'t, 'a>) -> Vec<Element<'t, 'a>> {
    let all = item.descendants("NewsComponent");
    let found: Vec<Element<'_, '_>> =
        all.iter().copied().filter(|part| text_content(*part).is_some() && rank(*part) < BESIDE).collect();
    // Titles and captions alone are better than nothing.
    let found =
        if found.is_empty() { all.into_iter().filter(|part| text_content(*part).is_some()).collect() } else { found };
    let mut groups: Vec<(usize, Vec<Element<'_, '_>>)> = Vec::new();
    for part in found {
        let head = headed(part);
        match groups.iter_mut().find(|(known, _)| *known == head) {
            Some((_, parts)) => parts.push(part),
            None => groups.push((head, vec![part])),
        }
    }
    // Headline and text in components beside each other: one story.
    if groups.len() > 1 && groups.iter().any(|(head, _)| *head == 0) {
        let headed = groups.iter().filter(|(head, _)| *head != 0).count();
        if headed > 1 {
            groups.retain(|(head, _)| *head != 0);
        } else {
            let parts = groups.drain(..).flat_map(|(_, parts)| parts).collect();
            groups.push((0, parts));
        }
    }
    let best = |parts: &[Element<'t, 'a>]| {
        let length = |part: Element<'_, '_>| text_content(part).map_or(0, |content| content.raw_text().trim().len());
        parts.iter().copied().min_by_key(|part| (rank(*part), usize::MAX - length(*part)))
    };
    groups.iter().filter_map(|(_, parts)| best(parts)).collect()
}

/// The nearest component, this one or one around it, that has a headline; by its place in the document.
fn headed(part: Element<'_, '_>) -> usize {
    let mut at = Some(part);
    while let Some(component) = at.filter(|component| component.name() == "NewsComponent") {
        if component.path(&["NewsLines", "HeadLine"]).is_some() {
            return component.offset();
        }
        at = component.parent();
    }
    0
}

/// A component of this rank or above stands beside the text.
const BESIDE: u8 = 2;

/// What a component is by its role: 0 the text, 1 without a word of it, 2 what stands beside the text.
fn rank(component: Element<'_, '_>) -> u8 {
    const TEXT: [&str; 5] = ["main", "body", "maintext", "text", "story"];
    const OTHER: [&str; 13] = [
        "title", "headline", "abstract", "summary", "lead", "style", "contact", "tweet", "caption", "logo", "byline",
        "keyword", "teaser",
    ];
    let role = component.child("Role").and_then(|role| role.peek("FormalName")).unwrap_or_default().to_lowercase();
    let mime = component.all("ContentItem").find_map(|content| content.child("MimeType")?.peek("FormalName"));
    if mime.is_some_and(|mime| mime.eq_ignore_ascii_case("text/css")) {
        return BESIDE;
    }
    match role.replace(' ', "").as_str() {
        text if TEXT.contains(&text) => 0,
        other if OTHER.iter().any(|word| other.contains(word)) => BESIDE,
        _ => 1,
    }
}

/// The text directly in a component: NITF before others, the first before the rest.
fn text_content<'t, 'a>(component: Element<'t, 'a>) -> Option<Element<'t, 'a>> {
    let is_text = |content: &Element<'_, '_>| {
        let named = |name| content.child(name).and_then(|kind| kind.peek("FormalName")).map(|kind| kind.to_lowercase());
        let is_named = |name| named(name).map(|kind| kind.contains("text"));
        let is_marked_up = || content.path(&["DataContent", "nitf"]).is_some();
        is_named("MediaType").is_none_or(|is_text| is_text || is_named("MimeType") == Some(true) || is_marked_up())
            && content
                .child("DataContent")
                .is_some_and(|data| data.has_elements() || !data.raw_text().trim().is_empty())
    };
    let contents: Vec<Element<'_, '_>> = component.all("ContentItem").filter(is_text).collect();
    let nitf = contents.iter().find(|content| content.path(&["DataContent", "nitf"]).is_some());
    nitf.or(contents.first()).copied()
}

/// Below this a `Duid` says nothing outside of its document.
const DUID_BYTES_MIN: usize = 8;

/// The category: a property of that name, else that of a subject.
fn category(around: &[Element<'_, '_>]) -> Option<String> {
    around.iter().find_map(|component| {
        let metadata = component.child("DescriptiveMetadata")?;
        let mut properties = metadata.all("Property");
        let named = properties.find(|property| property.peek("FormalName").as_deref() == Some("Category"));
        let of_subject = || metadata.all("SubjectCode").flat_map(Element::children).find_map(|code| code.peek("cat"));
        named.and_then(|property| property.peek("Value")).or_else(of_subject)
    })
}

fn read_component(component: Element<'_, '_>, story: &mut Story) {
    // What a component does not say, those around it do.
    let mut around = vec![component];
    while let Some(parent) =
        around.last().and_then(|last| last.parent()).filter(|parent| parent.name() == "NewsComponent")
    {
        around.push(parent);
    }
    let line = |names: &[&'static str], anomalies: &mut Vec<_>| {
        around.iter().find_map(|component| component.path(names)?.clean_line(anomalies))
    };
    let mut news_line = |name: &'static str| line(&["NewsLines", name], &mut story.anomalies);
    let (headline, summary) = (news_line("HeadLine"), news_line("SubHeadLine"));
    let (byline, dateline) = (news_line("ByLine"), news_line("DateLine"));
    let (copyright, slugline) = (news_line("CopyrightLine"), news_line("SlugLine"));
    let (keyword, take) = (news_line("KeywordLine"), news_line("SeriesLine"));
    story.headline = headline;
    story.summary = summary;
    story.byline = byline;
    story.copyright = copyright;
    story.slugline = slugline.or(story.slugline.take());
    story.keyword = keyword;
    story.take = take;
    // A date alone is no dateline.
    let dateline = dateline.map(|line| nitf::trim_dateline(&line)).filter(|line| !line.is_empty());
    let is_place = |line: &String| {
        let mut words = line.split(|c: char| !c.is_alphabetic());
        words.any(|word| word.chars().count() > 3 && !times::is_month(word))
    };
    match dateline {
        Some(dateline) if is_place(&dateline) => story.dateline = Some(dateline),
        Some(dateline) => drop(story.extra.insert("newsml1.NewsLines.DateLine".to_owned(), json!(dateline))),
        None => {}
    }
    let name =
        |names: &[&'static str]| around.iter().find_map(|component| component.path(names)?.attribute("FormalName"));
    let provider = name(&["AdministrativeMetadata", "Provider", "Party"]);
    let source = || name(&["AdministrativeMetadata", "Source", "Party"]);
    story.source = provider.or_else(source).or(story.source.take());
    let language = name(&["DescriptiveMetadata", "Language"]).map(|language| language.to_lowercase());
    story.language = language.or_else(|| around.iter().find_map(|component| component.attribute("lang")));
    if story.id.is_empty() {
        // A short one numbers the parts of the document.
        let is_own = |duid: &String| duid.len() >= DUID_BYTES_MIN;
        story.id = around.iter().find_map(|component| component.peek("Duid").filter(is_own)).unwrap_or_default();
    }
    story.category = category(&around);
    let comments: Vec<String> = component.all("Comment").filter_map(Element::line).collect();
    story.ednote = Some(comments.join("\n")).filter(|comments| !comments.is_empty());
    if let Some(content) = text_content(component) {
        for property in content.all("Characteristics").flat_map(|facts| facts.all("Property")) {
            let counts = ["WordCount", "Words"];
            if property
                .peek("FormalName")
                .is_some_and(|name| counts.iter().any(|count| name.eq_ignore_ascii_case(count)))
            {
                let value = property.peek("Value").and_then(|value| value.parse().ok());
                story.word_count_declared = story.word_count_declared.or(value);
                property.pass();
            }
        }
        for asked in ["MediaType", "Format", "MimeType"] {
            content.all(asked).for_each(Element::pass);
        }
        if let Some(data) = content.child("DataContent") {
            newsml_g2::read_inline(data, story);
        }
    }
    newsml_g2::drop_repeated_headline(story);
    nitf::put_dateline(story);
}
