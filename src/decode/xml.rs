//! XML → a small tree that is asked by local names.
//!
//! Read: well-formed XML 1.0 in UTF-8, UTF-16 or a declared character set, whatever prefixes its
//! namespaces have; and, told by anomalies, what real feeds send: end tags that do not match
//! (`xml.mismatched_tag`), documents that were cut (`xml.truncated`) or break off in broken markup
//! (`xml.broken`), bare ampersands, HTML's named entities.
//!
//! Not read: document type definitions. A DOCTYPE line alone is passed over, one with an internal
//! subset is refused (`decode.dtd`; empty brackets are none), and no entity is ever fetched or
//! expanded. Elements nest [`DEPTH_MAX`] deep and no deeper, and a document has [`NODES_MAX`] of
//! them.
//!
//! Names are compared without their prefixes: what feeds bind their prefixes to is not trusted.
//! What nobody asked for is given by `leftovers`, so that no field is lost.

use std::{borrow::Cow, cell::RefCell, collections::BTreeSet};

use quick_xml::{Reader, events::Event};
use serde_json::{Map, Value};

use super::{
    DecodeError,
    blocks::{Blocks, clean_line, join_space},
    charset::{self, Decoded},
    entities,
};
use crate::{
    story::{Anomaly, Story},
    text::{from, slice},
};

/// Elements inside elements.
const DEPTH_MAX: usize = 256;
/// Elements and pieces of text of one document.
const NODES_MAX: usize = 2_000_000;
/// Attributes of one element that are looked at.
const ATTRIBUTES_MAX: usize = 256;
/// Fields of one story that nobody asked for.
const LEFTOVERS_MAX: usize = 400;
/// Fields inside fields that are kept as they stand; deeper ones are kept as text.
const LEFTOVER_DEPTH_MAX: usize = 12;
/// No leftover text is longer.
const LEFTOVER_BYTES_MAX: usize = 4_000;

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Node<'a> {
    content: Content<'a>,
    parent: u32,
    first: u32,
    last: u32,
    next: u32,
}

#[derive(Debug)]
enum Content<'a> {
    /// An element: its local name, and the tag without its strokes.
    Element { prefix: &'a str, name: &'a str, attributes: &'a str, offset: u32 },
    /// Text, its references read.
    Text(Cow<'a, str>),
}

/// A document.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// Elements, and attributes by name, that somebody asked for.
    asked: RefCell<BTreeSet<(u32, &'static str)>>,
    /// What was odd.
    pub(super) anomalies: Vec<Anomaly>,
    /// Where the markup broke, and how.
    pub(super) broken: Option<(usize, &'static str)>,
}

/// An element of a document.
#[derive(Clone, Copy)]
pub(super) struct Element<'t, 'a> {
    tree: &'t Tree<'a>,
    index: u32,
}

/// The text of a document: by its declaration, unless the bytes say otherwise.
pub(super) fn text(input: &[u8]) -> Result<Decoded, DecodeError> {
    charset::decode_declared(input, declared_encoding(input))
}

/// The character set that an XML declaration names.
fn declared_encoding(input: &[u8]) -> Option<&str> {
    let head = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input).trim_ascii_start();
    let head = head.get(..head.len().min(256))?;
    let declaration = head.strip_prefix(b"<?xml").and_then(|rest| {
        let end = memchr::memmem::find(rest, b"?>")?;
        std::str::from_utf8(rest.get(..end)?).ok()
    })?;
    let value = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value.get(1..)?.split(quote).next()
}

/// Reads a document.
///
/// # Errors
/// `decode.dtd`, `decode.too_deep`, `decode.too_complex`; `decode.xml` when there is no element
/// at all.
pub(super) fn parse(text: &str) -> Result<Tree<'_>, DecodeError> {
    let mut tree = Tree { nodes: Vec::new(), asked: RefCell::default(), anomalies: Vec::new(), broken: None };
    tree.nodes.push(Node {
        content: Content::Element { prefix: "", name: "", attributes: "", offset: 0 },
        parent: NONE,
        first: NONE,
        last: NONE,
        next: NONE,
    });
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    config.check_comments = false;
    let mut open = 0_u32;
    let mut depth = 0;
    let mut mismatched = false;
    loop {
        let offset = reader.buffer_position() as usize;
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                tree.broken = Some((reader.error_position() as usize, reason(&error)));
                break;
            }
        };
        match event {
            Event::Start(_) | Event::Empty(_) => {
                let is_empty = matches!(event, Event::Empty(_));
                let end = reader.buffer_position() as usize;
                let tag = slice(text, offset + 1, end - if is_empty { 2 } else { 1 });
                let qualified = tag.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or(tag);
                let (prefix, name) = qualified.rsplit_once(':').unwrap_or(("", qualified));
                let attributes = from(tag, qualified.len());
                let content = Content::Element { prefix, name, attributes, offset: offset as u32 };
                let index = tree.push(open, content, offset)?;
                if !is_empty {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        let message = format!("elements nest deeper than {DEPTH_MAX}");
                        return Err(DecodeError::new("decode.too_deep", message).at(offset));
                    }
                    open = index;
                }
            }
            Event::End(end) => {
                let name = end.local_name();
                let (found, levels) = tree.open_ancestor(open, name.as_ref());
                mismatched |= levels != Some(0);
                if let Some(levels) = levels {
                    open = tree.parent(found);
                    depth -= levels + 1;
                }
            }
            Event::Text(content) => tree.push_text(open, content.into_inner(), offset)?,
            Event::CData(content) => tree.push_text(open, content.into_inner(), offset)?,
            Event::GeneralRef(reference) => {
                let content = if let Some(known) = entities::resolve(&reference) {
                    known
                } else {
                    if tree.anomalies.iter().all(|anomaly| anomaly.code != "xml.unknown_entity") {
                        tree.anomalies.push(Anomaly::story("xml.unknown_entity"));
                    }
                    Cow::Owned(format!("&{};", &*reference))
                };
                tree.push_text(open, content, offset)?;
            }
            Event::DocType(declaration) => {
                if has_internal_subset(&declaration) {
                    let message = "the DOCTYPE has an internal subset";
                    return Err(DecodeError::new("decode.dtd", message).at(offset));
                }
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if mismatched {
        tree.anomalies.push(Anomaly::story("xml.mismatched_tag"));
    }
    if let Some((_, reason)) = tree.broken {
        let code = if reason.starts_with("ends") { "xml.truncated" } else { "xml.broken" };
        tree.anomalies.push(Anomaly::story(code));
    } else if open != 0 {
        tree.anomalies.push(Anomaly::story("xml.truncated"));
    }
    if tree.root().is_none() {
        let (offset, reason) = tree.broken.unwrap_or((0, "there is no element"));
        return Err(DecodeError::new("decode.xml", reason).at(offset));
    }
    Ok(tree)
}

/// What broke, in words that hold no story text.
fn reason(error: &quick_xml::Error) -> &'static str {
    use quick_xml::errors::SyntaxError as Syntax;
    match error {
        quick_xml::Error::Syntax(Syntax::InvalidBangMarkup) => "unknown markup after `<!`",
        quick_xml::Error::Syntax(_) => "ends inside markup",
        quick_xml::Error::IllFormed(_) => "ill-formed markup",
        _ => "broken markup",
    }
}

impl<'a> Tree<'a> {
    fn push(&mut self, parent: u32, content: Content<'a>, offset: usize) -> Result<u32, DecodeError> {
        let index = self.nodes.len() as u32;
        if self.nodes.len() >= NODES_MAX {
            let message = format!("the document has more than {NODES_MAX} elements");
            return Err(DecodeError::new("decode.too_complex", message).at(offset));
        }
        self.nodes.push(Node { content, parent, first: NONE, last: NONE, next: NONE });
        let last = self.nodes.get(parent as usize).map_or(NONE, |node| node.last);
        if let Some(last) = self.nodes.get_mut(last as usize) {
            last.next = index;
        }
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.last = index;
            if parent.first == NONE {
                parent.first = index;
            }
        }
        Ok(index)
    }

    fn push_text(&mut self, parent: u32, text: Cow<'a, str>, offset: usize) -> Result<(), DecodeError> {
        // A reference comes as a piece of its own; it joins the text before it.
        let last = self.nodes.get(parent as usize).map_or(NONE, |node| node.last);
        if let Some(Node { content: Content::Text(before), .. }) = self.nodes.get_mut(last as usize) {
            before.to_mut().push_str(&text);
            return Ok(());
        }
        if text.is_empty() {
            return Ok(());
        }
        self.push(parent, Content::Text(text), offset).map(drop)
    }

    fn parent(&self, index: u32) -> u32 {
        self.nodes.get(index as usize).map_or(0, |node| node.parent)
    }

    /// The nearest open element of that name, and how many stand open inside it.
    fn open_ancestor(&self, open: u32, name: &str) -> (u32, Option<usize>) {
        let mut index = open;
        for levels in 0..=DEPTH_MAX {
            match self.nodes.get(index as usize) {
                Some(Node { content: Content::Element { name: known, .. }, .. }) if index != 0 => {
                    if *known == name {
                        return (index, Some(levels));
                    }
                    index = self.parent(index);
                }
                _ => break,
            }
        }
        (open, None)
    }

    /// Gives a story what is known of the whole document, and what its element holds beside.
    ///
    /// # Errors
    /// `decode.xml` when the markup broke before there was anything to read.
    pub(super) fn finish(
        &self,
        mut story: Story,
        decoded: &Decoded,
        element: Element<'_, 'a>,
        prefix: &str,
    ) -> Result<Story, DecodeError> {
        story.encoding = decoded.encoding;
        story.anomalies.splice(0..0, decoded.anomalies.iter().chain(&self.anomalies).cloned());
        let left = element.leftovers(prefix, &mut story.anomalies);
        story.extra.extend(left);
        match self.broken {
            Some((offset, reason)) if story.text.is_empty() && story.headline.is_none() && story.status.is_none() => {
                let mut error = DecodeError::new("decode.xml", reason).at(offset);
                error.id = Some(story.id).filter(|id| !id.is_empty());
                Err(error)
            }
            _ => Ok(story),
        }
    }

    /// The outermost element.
    pub(super) fn root(&self) -> Option<Element<'_, 'a>> {
        Element { tree: self, index: 0 }.children().next()
    }
}

impl<'t, 'a> Element<'t, 'a> {
    fn node(self) -> Option<&'t Node<'a>> {
        self.tree.nodes.get(self.index as usize)
    }

    /// The local name.
    pub(super) fn name(self) -> &'a str {
        match self.node().map(|node| &node.content) {
            Some(Content::Element { name, .. }) => name,
            _ => "",
        }
    }

    /// The prefix of the name; empty where there is none.
    pub(super) fn prefix(self) -> &'a str {
        match self.node().map(|node| &node.content) {
            Some(Content::Element { prefix, .. }) => prefix,
            _ => "",
        }
    }

    /// Where the element starts, in bytes of the text that was parsed.
    pub(super) fn offset(self) -> usize {
        match self.node().map(|node| &node.content) {
            Some(Content::Element { offset, .. }) => *offset as usize,
            _ => 0,
        }
    }

    /// The element around this one.
    pub(super) fn parent(self) -> Option<Element<'t, 'a>> {
        let index = self.tree.parent(self.index);
        (index != 0 && index != NONE).then_some(Element { tree: self.tree, index })
    }

    /// Elements directly inside.
    pub(super) fn children(self) -> impl Iterator<Item = Element<'t, 'a>> {
        self.nodes().filter(|child| matches!(child.node().map(|n| &n.content), Some(Content::Element { .. })))
    }

    fn nodes(self) -> impl Iterator<Item = Element<'t, 'a>> {
        let mut index = self.node().map_or(NONE, |node| node.first);
        std::iter::from_fn(move || {
            let node = self.tree.nodes.get(index as usize)?;
            let element = Element { tree: self.tree, index };
            index = node.next;
            Some(element)
        })
    }

    /// Elements directly inside of that name.
    pub(super) fn all(self, name: &'static str) -> impl Iterator<Item = Element<'t, 'a>> {
        self.children().filter(move |child| child.name() == name)
    }

    /// The first element directly inside of that name.
    pub(super) fn child(self, name: &'static str) -> Option<Element<'t, 'a>> {
        self.all(name).next()
    }

    /// The first element along a path of names, each directly inside the one before.
    pub(super) fn path(self, names: &[&'static str]) -> Option<Element<'t, 'a>> {
        names.iter().try_fold(self, |element, name| element.child(name))
    }

    /// Every element inside of that name, in document order, at whatever depth.
    pub(super) fn descendants(self, name: &'static str) -> Vec<Element<'t, 'a>> {
        let mut found = Vec::new();
        self.walk(&mut |element, event| {
            if event == Walk::Open && element.name() == name {
                found.push(element);
            }
        });
        found
    }

    /// Every element inside of that name that lies in no other of that name, in document order.
    pub(super) fn outermost(self, name: &'static str) -> Vec<Element<'t, 'a>> {
        let (mut found, mut depth) = (Vec::new(), 0_usize);
        self.walk(&mut |element, event| match event {
            Walk::Open if element.name() == name => {
                if depth == 0 {
                    found.push(element);
                }
                depth += 1;
            }
            Walk::Close if element.name() == name => depth = depth.saturating_sub(1),
            _ => {}
        });
        found
    }

    /// The value of an attribute, by its local name; empty ones count as absent.
    pub(super) fn attribute(self, name: &'static str) -> Option<String> {
        self.tree.asked.borrow_mut().insert((self.index, name));
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// Local names and values of the attributes.
    fn attributes(self) -> impl Iterator<Item = (&'a str, String)> {
        let raw = match self.node().map(|node| &node.content) {
            Some(Content::Element { attributes, .. }) => *attributes,
            _ => "",
        };
        Attributes { raw, at: 0 }
            .take(ATTRIBUTES_MAX)
            .filter(|(name, _)| !name.starts_with("xmlns"))
            .map(|(name, value)| (name.rsplit(':').next().unwrap_or(name), join_space(&entities::decode(value))))
    }

    /// The value of an attribute, which stays among what nobody asked for.
    pub(super) fn peek(self, name: &str) -> Option<String> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// Counts the element, its attributes and all that is in it as of no matter.
    pub(super) fn pass(self) {
        self.take().tree.asked.borrow_mut().insert((self.index, "*"));
    }

    /// Counts what is in the element, its own attributes aside, as asked for.
    pub(super) fn take(self) -> Self {
        self.tree.asked.borrow_mut().insert((self.index, ""));
        self
    }

    /// Its text and that of the elements inside, on one line; `None` when there is none.
    pub(super) fn line(self) -> Option<String> {
        let text = join_space(&self.take().raw_text());
        Some(text).filter(|text| !text.is_empty())
    }

    /// Its text on one line, with a space where one element ends with a word and the next begins with a
    /// name: `By<person>Jane Doe</person>`.
    pub(super) fn spaced_line(self) -> Option<String> {
        let mut text = String::new();
        self.take().walk(&mut |element, event| {
            if let (Walk::Text, Some(Content::Text(piece))) = (event, element.node().map(|node| &node.content)) {
                if text.ends_with(char::is_alphanumeric) && piece.starts_with(char::is_uppercase) {
                    text.push(' ');
                }
                text.push_str(piece);
            }
        });
        let text = join_space(&text);
        Some(text).filter(|text| !text.is_empty())
    }

    /// Its text on one line, without markup that was escaped into it.
    pub(super) fn clean_line(self, anomalies: &mut Vec<Anomaly>) -> Option<String> {
        let text = clean_line(&self.take().raw_text(), anomalies);
        Some(text).filter(|text| !text.is_empty())
    }

    /// Its text and that of the elements inside, as it came.
    pub(super) fn raw_text(self) -> String {
        let mut text = String::new();
        self.walk(&mut |element, event| {
            if let (Walk::Text, Some(Content::Text(piece))) = (event, element.node().map(|node| &node.content)) {
                text.push_str(piece);
            }
        });
        text
    }

    /// The text of the first element directly inside of that name.
    pub(super) fn child_line(self, name: &'static str) -> Option<String> {
        self.all(name).find_map(Element::line)
    }

    /// Whether an element of one of those names is directly inside.
    pub(super) fn has_elements(self) -> bool {
        self.children().next().is_some()
    }

    /// Hands the content over as paragraphs.
    pub(super) fn blocks(self, blocks: &mut Blocks) {
        self.take();
        let own = self.index;
        self.walk(&mut |element, event| match event {
            Walk::Text => {
                if let Some(Content::Text(text)) = element.node().map(|node| &node.content) {
                    blocks.text(text);
                }
            }
            Walk::Open if element.index != own => blocks.open(&lower(element.name())),
            Walk::Close if element.index != own => blocks.close(&lower(element.name())),
            _ => {}
        });
    }

    /// Visits the element and all inside, without recursion.
    fn walk(self, visit: &mut dyn FnMut(Element<'t, 'a>, Walk)) {
        let mut at = self;
        loop {
            let Some(node) = at.node() else { return };
            if matches!(node.content, Content::Text(_)) {
                visit(at, Walk::Text);
            } else {
                visit(at, Walk::Open);
                if node.first != NONE {
                    at.index = node.first;
                    continue;
                }
                visit(at, Walk::Close);
            }
            // Up to the first element that has one beside it.
            loop {
                if at.index == self.index {
                    return;
                }
                let Some(node) = at.node() else { return };
                if node.next != NONE {
                    at.index = node.next;
                    break;
                }
                at.index = node.parent;
                visit(at, Walk::Close);
            }
        }
    }

    /// Fields inside that nobody asked for, by their path; those that repeat are lists.
    pub(super) fn leftovers(self, prefix: &str, anomalies: &mut Vec<Anomaly>) -> Map<String, Value> {
        let mut found = Map::new();
        self.collect(prefix, &mut found, 0);
        if found.len() > LEFTOVERS_MAX {
            let kept = found.into_iter().take(LEFTOVERS_MAX).collect();
            anomalies.push(Anomaly::story("extra.truncated"));
            return kept;
        }
        found
    }

    fn is_asked(self, attribute: &str) -> bool {
        let asked = self.tree.asked.borrow();
        let mut own = asked.range((self.index, "")..).take_while(|(index, _)| *index == self.index);
        own.any(|(_, known)| *known == attribute)
    }

    /// Whether this element, or an attribute of it, or an element inside was asked for.
    fn is_touched(self) -> bool {
        let mut touched = false;
        let asked = self.tree.asked.borrow();
        self.walk(&mut |element, event| {
            touched |= event == Walk::Open
                && asked.range((element.index, "")..).next().is_some_and(|(index, _)| *index == element.index);
        });
        touched
    }

    fn collect(self, path: &str, found: &mut Map<String, Value>, depth: usize) {
        // The tree is at most DEPTH_MAX deep; paths deeper than a few names are one field.
        if depth > 0 && (depth >= LEFTOVER_DEPTH_MAX || !self.is_touched()) {
            put(found, path, self.value(0));
            return;
        }
        if self.is_asked("*") {
            return;
        }
        for (name, value) in self.attributes() {
            if !self.is_asked(name) && !is_schema(name) && !value.is_empty() {
                put(found, &format!("{path}@{name}"), Value::String(value));
            }
        }
        if self.is_asked("") {
            return;
        }
        for child in self.nodes() {
            match child.node().map(|node| &node.content) {
                Some(Content::Text(text)) if depth > 0 => put(found, path, cut(&join_space(text))),
                Some(Content::Element { name, .. }) => child.collect(&format!("{path}.{name}"), found, depth + 1),
                _ => {}
            }
        }
    }

    /// The element as one value: its text alone, or an object of attributes, elements and text.
    fn value(self, depth: usize) -> Value {
        let mut object = Map::new();
        for (name, value) in self.attributes().filter(|(name, value)| !is_schema(name) && !value.is_empty()) {
            object.insert(format!("@{name}"), Value::String(value));
        }
        if depth >= LEFTOVER_DEPTH_MAX || !self.has_elements() {
            let text = cut(&join_space(&self.raw_text()));
            if object.is_empty() {
                return text;
            }
            put(&mut object, "text", text);
            return Value::Object(object);
        }
        for child in self.nodes() {
            match child.node().map(|node| &node.content) {
                Some(Content::Text(text)) => put(&mut object, "text", cut(&join_space(text))),
                Some(Content::Element { name, .. }) => put(&mut object, name, child.value(depth + 1)),
                None => {}
            }
        }
        Value::Object(object)
    }
}

/// Adds a field; one that is there already becomes a list. Empty ones are nothing.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    let is_empty = match &value {
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if is_empty {
        return;
    }
    match object.get_mut(name) {
        None => {
            object.insert(name.to_owned(), value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(other) => {
            let first = std::mem::take(other);
            *other = Value::Array(vec![first, value]);
        }
    }
}

fn cut(text: &str) -> Value {
    Value::String(slice(text, 0, text.floor_char_boundary(LEFTOVER_BYTES_MAX)).to_owned())
}

fn is_schema(name: &str) -> bool {
    name == "schemaLocation"
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Open,
    Text,
    Close,
}

/// Names and raw values of attributes, quoted or not.
struct Attributes<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = from(self.raw, self.at);
        let start = self.at + rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/').len();
        let rest = from(self.raw, start);
        let name_end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = slice(rest, 0, name_end);
        if rest.is_empty() {
            return None;
        }
        let after = from(rest, name_end);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            self.at = start + name_end;
            return Some((name, ""));
        };
        let value = value.trim_start();
        let value_start = self.raw.len() - value.len();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let (skip, end) = match quote.and_then(|quote| Some((1, from(value, 1).find(quote)? + 1))) {
            Some((skip, end)) => (skip, end),
            None => (0, value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        self.at = value_start + end + skip;
        Some((name, slice(value, skip, end)))
    }
}

/// Brackets with something between them; serializers of some libraries write an empty pair. One
/// within quotation marks is part of an identifier.
fn has_internal_subset(declaration: &str) -> bool {
    let mut quote = None;
    let mut chars = declaration.chars();
    let opens = chars.any(|c| match quote {
        Some(open) => {
            if c == open {
                quote = None;
            }
            false
        }
        None if c == '"' || c == '\'' => {
            quote = Some(c);
            false
        }
        None => c == '[',
    });
    let subset = chars.as_str().trim_end().strip_suffix(']');
    opens && subset.is_none_or(|inside| !inside.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        parse(text).map_or_else(|error| error.code, |_| "")
    }

    #[test]
    fn a_tree_is_asked_by_local_names() {
        let tree =
            parse("<?xml version='1.0'?><n:a x:b=\"1 &amp;\n2\" c='d'><n:e>F &lt; <i>g</i></n:e><e/> tail</n:a>")
                .expect("XML");
        let root = tree.root().expect("a root");
        assert_eq!((root.name(), root.attribute("b").as_deref()), ("a", Some("1 & 2")));
        assert_eq!(root.child_line("e").as_deref(), Some("F < g"));
        assert_eq!(root.all("e").count(), 2);
        assert_eq!(root.path(&["e", "i"]).map(Element::name), Some("i"));
        assert_eq!(root.descendants("i").len(), 1);
        assert!(tree.anomalies.is_empty());
    }

    #[test]
    fn what_nobody_asked_for_is_left_over() {
        let tree = parse("<a b='1' c='2'><d>x</d><d>y</d><e><f g='3'/>z</e><h>w</h></a>").expect("XML");
        let root = tree.root().expect("a root");
        root.attribute("b");
        root.child_line("h");
        let leftovers = Value::Object(root.leftovers("a", &mut Vec::new()));
        assert_eq!(
            leftovers,
            serde_json::json!({"a@c": "2", "a.d": ["x", "y"], "a.e": {"f": {"@g": "3"}, "text": "z"}})
        );
    }

    #[test]
    fn definitions_depth_and_nothing_are_refused() {
        assert_eq!(code("<!DOCTYPE nitf SYSTEM 'nitf.dtd'><nitf/>"), "");
        assert_eq!(code("<!DOCTYPE nitf SYSTEM 'nitf.dtd' [ ]><nitf/>"), "");
        assert_eq!(code("<!DOCTYPE nitf SYSTEM 'urn:[nitf]'><nitf/>"), "");
        assert_eq!(code("<!DOCTYPE a [%b;]><a/>"), "decode.dtd");
        assert_eq!(code("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), "decode.dtd");
        assert_eq!(code(&"<a>".repeat(300)), "decode.too_deep");
        assert_eq!(code("<!-- nothing -->"), "decode.xml");
        assert_eq!(code("<"), "decode.xml");
    }

    #[test]
    fn broken_markup_gives_what_came_before() {
        let codes = |text| parse(text).map(|tree| tree.anomalies.iter().map(|a| a.code).collect::<Vec<_>>());
        assert_eq!(codes("<a><b>c</a>"), Ok(vec!["xml.mismatched_tag"]));
        assert_eq!(codes("<a><b>c"), Ok(vec!["xml.truncated"]));
        assert_eq!(codes("<a>b<c d='"), Ok(vec!["xml.truncated"]));
        assert_eq!(codes("<a>R&D &nosuch; &eacute;</a>"), Ok(vec!["xml.unknown_entity"]));
        assert_eq!(codes("<a></b></a>"), Ok(vec!["xml.mismatched_tag"]));
        let tree = parse("<a>R&D &nosuch; caf&eacute; & co</a>").expect("XML");
        assert_eq!(tree.root().and_then(Element::line).as_deref(), Some("R&D &nosuch; café & co"));
    }

    #[test]
    fn attributes_of_every_kind() {
        let all: Vec<_> = Attributes { raw: " a=\"1>\" b = '2' c=3 d e=\"", at: 0 }.collect();
        assert_eq!(all, [("a", "1>"), ("b", "2"), ("c", "3"), ("d", ""), ("e", "\"")]);
    }

    #[test]
    fn declared_sets_are_found() {
        assert_eq!(declared_encoding(b"<?xml version=\"1.0\" encoding='iso-8859-1' ?><a/>"), Some("iso-8859-1"));
        assert_eq!(declared_encoding(b"<a encoding='x'/>"), None);
    }

    /// A quarter of a megabyte of tags, entities and attributes; quadratic work would not end.
    #[test]
    fn work_is_bounded() {
        for unit in [
            "<a/>",
            "<a></a>",
            "</a>",
            "&amp;",
            "&",
            "<a b='c",
            "<!--",
            "<![CDATA[",
            "<a b=c d=e/>",
            "<b></a>",
            "x<br/>",
        ] {
            let text = format!("<r>{}", unit.repeat((1 << 18) / unit.len()));
            if let Ok(tree) = parse(&text)
                && let Some(root) = tree.root()
            {
                let _ = root.leftovers("r", &mut Vec::new());
                let _ = root.raw_text();
            }
        }
        let _ = parse(&format!("<a {}/>", "b='c' ".repeat(1 << 16)));
        let _ = parse(&format!("<r>{}{}</r>", "<a>".repeat(250), "</b>".repeat(1 << 14)));
    }
}
