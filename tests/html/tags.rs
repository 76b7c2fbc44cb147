//! Reads the page strictly: tags that nest, attributes in quotes, ids that are there and there once.

use std::collections::{BTreeMap, BTreeSet};

/// What a page holds.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The text of each paragraph of the stories, without what was added to it.
    pub paragraphs: Vec<String>,
    /// Where links lead.
    pub links: Vec<String>,
    /// How many scripts there are.
    pub scripts: usize,
}

const ELEMENTS: [&str; 38] = [
    "html", "head", "meta", "title", "style", "script", "body", "header", "main", "footer", "nav", "article", "aside",
    "section", "div", "span", "p", "pre", "h1", "h2", "h3", "h4", "a", "ul", "ol", "li", "dl", "dt", "dd", "b", "q",
    "bdi", "code", "ins", "details", "summary", "fieldset", "legend",
];
const FIELDS: [&str; 2] = ["label", "input"];
const WITHOUT_CONTENT: [&str; 2] = ["meta", "input"];

/// An element that is open.
struct Open {
    name: String,
    class: String,
}

impl Page {
    /// Reads a page, or says what is wrong with it.
    pub(crate) fn read(source: &str) -> Result<Self, String> {
        let mut rest = source.strip_prefix("<!doctype html>\n").ok_or("no doctype")?;
        let mut page = Self::default();
        let (mut open, mut ids): (Vec<Open>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
        while let Some((text, behind)) = rest.split_once('<') {
            page.text(&open, text)?;
            let (tag, behind) = behind.split_once('>').ok_or("a tag without an end")?;
            rest = behind;
            if let Some(name) = tag.strip_prefix('/') {
                let last = open.pop().ok_or("too many end tags")?;
                if last.name != name {
                    return Err(format!("</{name}> closes <{}>", last.name));
                }
                continue;
            }
            let (name, attributes) = attributes(tag)?;
            if !ELEMENTS.contains(&name.as_str()) && !FIELDS.contains(&name.as_str()) {
                return Err(format!("<{name}> is no element of this page"));
            }
            if let Some(id) = attributes.get("id").filter(|id| !ids.insert((*id).clone())) {
                return Err(format!("the id {id} is there twice"));
            }
            if name == "a" {
                if open.iter().any(|outer| outer.name == "a") {
                    return Err("a link stands in a link".to_owned());
                }
                page.links.push(attributes.get("href").cloned().ok_or("a link without a target")?);
            }
            let class = attributes.get("class").cloned().unwrap_or_default();
            if class.split(' ').any(|word| word == "paragraph") {
                page.paragraphs.push(String::new());
            }
            if name == "style" || name == "script" {
                page.scripts += usize::from(name == "script");
                rest = rest.split_once(&format!("</{name}>")).ok_or("a style or script without an end")?.1;
            } else if !WITHOUT_CONTENT.contains(&name.as_str()) {
                open.push(Open { name, class });
            }
        }
        if !open.is_empty() || !rest.trim().is_empty() {
            return Err(format!("{} elements stay open, {rest:?} is left", open.len()));
        }
        let lost = page.links.iter().find(|link| !link.strip_prefix('#').is_some_and(|target| ids.contains(target)));
        match lost {
            Some(link) => Err(format!("{link} leads nowhere")),
            None => Ok(page),
        }
    }

    fn text(&mut self, open: &[Open], text: &str) -> Result<(), String> {
        if let Some(at) = text.find(['>', '"', '\'']) {
            return Err(format!("a bare mark in text at {at}: {text:?}"));
        }
        let is = |class: &str| open.iter().any(|outer| outer.class.split(' ').any(|word| word == class));
        if is("paragraph")
            && !is("x")
            && let Some(paragraph) = self.paragraphs.last_mut()
        {
            paragraph.push_str(&unescape(text));
        }
        Ok(())
    }
}

/// The name and the attributes of a start tag.
fn attributes(tag: &str) -> Result<(String, BTreeMap<String, String>), String> {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut found = BTreeMap::new();
    while !rest.is_empty() {
        let (attribute, behind) =
            rest.split_once("=\"").ok_or_else(|| format!("an attribute without a value in <{tag}>"))?;
        if attribute.is_empty() || !attribute.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
            return Err(format!("{attribute:?} is no attribute of this page"));
        }
        if attribute.starts_with("on") || attribute == "style" {
            return Err(format!("{attribute} must not be there"));
        }
        let (value, behind) = behind.split_once('"').ok_or("a value without an end")?;
        found.insert(attribute.to_owned(), unescape(value));
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    Ok((name.to_owned(), found))
}

/// Text without escapes.
pub(crate) fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&amp;", "&")
}

/// Text as the page may show it: what HTML forbids is shown by something else.
pub(crate) fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() || ('\u{2400}'..='\u{2421}').contains(&c) || c == '\u{fffd}' => '?',
        c if ('\u{fdd0}'..='\u{fdef}').contains(&c) || (c as u32) & 0xfffe == 0xfffe => '?',
        c => c,
    };
    text.chars().map(shown).collect()
}
