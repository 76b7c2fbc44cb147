//! Descriptions, metonyms and numbered events: what is spoken of without its name.
//!
//! ```text
//! Port Lorne intended to act.  The Norlandish authorities agreed.  The ambassador left the country.
//! ^^^^^^^^^^ metonym           ^^^^^^^^^^^^^^^^^^^^^^^^^^          ^^^^^^^^^^^^^^
//! ```
//!
//! A description joins the one entity that fits it; where two fit it joins none.

use super::{Draft, Entity, Mention, MentionKind, Owner, cluster::country_of, draft::is_government, lexicon::lexicon};
use crate::{
    extract::{names::Class, places::publisher},
    gazetteer::countries,
    model::{parser::Relation, tagger::Upos},
};

/// How many tokens a description may have before its noun.
const MODIFIERS_MAX: u32 = 6;
/// How many tokens of one sentence are looked at for a country.
const SENTENCE_TOKENS_MAX: u32 = 200;
/// How many sentences "the country" looks back.
const COUNTRY_SENTENCES_BACK: usize = 3;
/// How many tokens the name of a numbered event may have.
const EVENT_TOKENS_MAX: u32 = 16;

/// How many names joined by "and" are climbed to the first.
const JOINED_MAX: usize = 4;
/// How many tokens behind "of" may hold the country.
const OF_TOKENS_MAX: u32 = 3;

/// What a metonym stands for.
enum Stands {
    /// A country's government.
    Country(&'static countries::Country),
    /// An entity of the story.
    Body(usize),
}

impl Draft<'_> {
    /// Places that stand for who acts there.
    pub(super) fn metonyms(&mut self) {
        let mut found = Vec::new();
        for (index, entity) in self.list.iter().enumerate() {
            if !matches!(entity.class, Class::Place | Class::Organisation) {
                continue;
            }
            let country = if entity.class == Class::Place { country_of(&entity.name) } else { None };
            let seat = lexicon().seats.get(entity.name.as_str()).and_then(|code| countries::by_iso(code));
            for (at, mention) in entity.mentions.iter().enumerate().filter(|(_, m)| m.kind == MentionKind::Name) {
                let head = self.head_of(mention.tokens.start, mention.tokens.end);
                let acts = self.acts(head);
                let house = lexicon().houses.get(entity.name.as_str()).filter(|_| acts);
                match (seat, country) {
                    (Some(_), _) if self.is_visited(mention.tokens.start, head) => {}
                    (Some(seat), _) => found.push((index, at, Some(Stands::Country(seat)))),
                    // "Brussels" is the Union's seat and a capital: the story says which, or nobody does.
                    (None, _) if house.is_some() => {
                        let body = house.and_then(|house| self.body_called(house));
                        let state = country.filter(|country| entity.country.is_none() && self.speaks_of(country.iso2));
                        found.push((index, at, body.map(Stands::Body).or(state.map(Stands::Country))));
                    }
                    (None, Some(country)) if acts => {
                        let government = entity.country.is_none().then_some(Stands::Country(country));
                        found.push((index, at, government));
                    }
                    _ => {}
                }
            }
        }
        for (index, at, stands) in found {
            let stands_for = stands.map(|stands| match stands {
                Stands::Country(country) => self.government(country),
                Stands::Body(body) => body,
            });
            let mention = &mut self.list[index].mentions[at];
            mention.kind = MentionKind::Metonym;
            mention.stands_for = stands_for;
            let copy = Mention { stands_for: None, ..mention.clone() };
            if let Some(government) = stands_for {
                self.put(government, copy);
            }
        }
    }

    /// Whether a name is the subject of a verb of deciding or speaking, alone or joined: "Leeds and York urged".
    fn acts(&self, name: u32) -> bool {
        let mut subject = name;
        for _ in 0..JOINED_MAX {
            match self.head(subject) {
                Some(head) if self.relation(subject) == Relation::Conj => subject = head,
                _ => break,
            }
        }
        let Some(verb) = self.head(subject).filter(|_| self.relation(subject) == Relation::Nsubj) else { return false };
        // "has come under pressure", "came under fire"
        let pressed = self.lemma(verb) == "come" && self.word(verb + 1).eq_ignore_ascii_case("under");
        self.upos(verb) == Upos::Verb && (pressed || lexicon().acts.contains(self.lemma(verb)))
    }

    /// One entry for a seat of government that the names stage took for a place here and for a body there.
    pub(super) fn merge_seats(&mut self) {
        for name in lexicon().seats.keys() {
            let called = |class: Class| move |entity: &Entity| entity.class == class && entity.name == *name;
            let (Some(place), Some(body)) = (self.only(called(Class::Place)), self.only(called(Class::Organisation)))
            else {
                continue;
            };
            // A building that is spoken of more often as a place is one.
            let is_place = self.list[place].mentions.len() > self.list[body].mentions.len();
            let (from, to) = if is_place { (body, place) } else { (place, body) };
            for mention in std::mem::take(&mut self.list[from].mentions) {
                self.move_to(to, mention);
            }
            for role in self.list.iter_mut().flat_map(|entity| &mut entity.roles) {
                if role.of == Some(Owner::Entity(from)) {
                    role.of = Some(Owner::Entity(to));
                }
            }
        }
    }

    /// Whether a building is spoken of as one: "in the Kremlin", "toured the White House".
    fn is_visited(&self, start: u32, head: u32) -> bool {
        let before = if self.before(start).eq_ignore_ascii_case("the") { start.saturating_sub(1) } else { start };
        let place = ["in", "at", "near", "outside", "inside", "around", "behind", "beside", "opposite"];
        let verb = self.head(head).unwrap_or(head);
        place.contains(&self.before(before).to_lowercase().as_str())
            || self.relation(head) == Relation::Obj && !lexicon().acts.contains(self.lemma(verb))
    }

    /// The organisation of a name, or of its initials.
    fn body_called(&self, name: &str) -> Option<usize> {
        let initials: String = name.split(' ').filter_map(|word| word.chars().next()).collect();
        self.only(|entity| entity.class == Class::Organisation && (entity.name == name || entity.name == initials))
    }

    fn speaks_of(&self, country: &str) -> bool {
        self.list.iter().any(|entity| entity.class == Class::Place && entity.country == Some(country))
    }

    /// "the 21st international meeting on fishing".
    pub(super) fn events(&mut self) {
        let count = self.words.len() as u32;
        for start in 0..count {
            let word = self.word(start);
            let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let ordinal = !digits.is_empty()
                && digits.len() + 2 == word.len()
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && ["st", "nd", "rd", "th"].iter().any(|end| word.ends_with(end));
            if !ordinal || self.owner(start).is_some_and(|owner| self.is(owner, Class::Event)) {
                continue;
            }
            let sentence = self.sentence(start);
            let within = |at: u32| self.sentence(at) == sentence && at < start + EVENT_TOKENS_MAX;
            let nominal =
                |at: u32| matches!(self.upos(at), Upos::Adj | Upos::Noun | Upos::Propn) || self.word(at) == "-";
            let mut end = start + 1;
            while within(end) && nominal(end) {
                end += 1;
            }
            if end == start + 1 || !lexicon().events.contains(self.word(end - 1).to_lowercase().as_str()) {
                continue;
            }
            while within(end) && matches!(self.word(end), "on" | "of" | "for") {
                let mut next = end + 1;
                while within(next) && (nominal(next) || self.upos(next) == Upos::Det) {
                    next += 1;
                }
                let first = if self.upos(end + 1) == Upos::Det { end + 2 } else { end + 1 };
                if next <= first || is_day(self.word(first)) {
                    break;
                }
                end = next;
            }
            let article = start.checked_sub(1).filter(|at| self.word(*at).eq_ignore_ascii_case("the"));
            let Some(name) = self.span(start, end) else { continue };
            let event = self.open(Entity::new(Class::Event, name.of(self.read.text).to_owned()));
            self.add(event, article.unwrap_or(start), end, MentionKind::Name, 70);
        }
    }

    /// Descriptions that begin with "the", a country or a possessive.
    pub(super) fn descriptions(&mut self) {
        for at in 0..self.words.len() as u32 {
            if self.owner(at).is_some() || self.upos(at) != Upos::Noun {
                continue;
            }
            let lower = self.word(at).to_lowercase();
            // The noun has to end its phrase: no name and no other noun follows.
            if self.relation(at) == Relation::Compound
                || self.owner(at + 1).is_some() && self.relation(at + 1) != Relation::Nsubj
            {
                continue;
            }
            let first = self.phrase_start(at);
            if lexicon().bodies.contains_key(lower.as_str()) {
                self.body(first, at, &lower);
            } else if self.word(first).eq_ignore_ascii_case("the") {
                self.definite(first, at, &lower);
            }
        }
    }

    fn phrase_start(&self, noun: u32) -> u32 {
        let sentence = self.sentence(noun);
        let mut first = noun;
        while first > 0 && noun - first < MODIFIERS_MAX && self.sentence(first - 1) == sentence {
            let before = first - 1;
            let modifies = matches!(self.upos(before), Upos::Adj | Upos::Noun | Upos::Propn)
                || matches!(self.word(before), "-" | "'s" | "’s")
                || self.owner(before).is_some_and(|owner| !self.is(owner, Class::Person));
            let determines = self.upos(before) == Upos::Det || self.is_possessive(before);
            if !modifies && !determines {
                break;
            }
            first = before;
            if determines {
                break;
            }
        }
        first
    }

    fn is_possessive(&self, at: u32) -> bool {
        matches!(self.word(at).to_lowercase().as_str(), "its" | "his" | "her" | "their" | "our")
    }

    /// A body that is described: "the Norlandish authorities", "its military contingent".
    fn body(&mut self, first: u32, noun: u32, lower: &str) {
        let Some(kind) = lexicon().bodies.get(lower).copied() else { return };
        let possessor = self.is_possessive(first).then(|| self.owner(first)).flatten();
        let by_name = (first..noun).find_map(|at| self.country_at(at));
        let code = by_name.or_else(|| possessor.and_then(|owner| self.list.get(owner)).and_then(|owner| owner.country));
        let country = code.and_then(countries::by_iso);
        let governs = kind == "government";
        // "the government of Saint Maren" is that of the name behind, known or not.
        let of = self.word(noun + 1).eq_ignore_ascii_case("of");
        let behind = (noun + 2..noun + 2 + OF_TOKENS_MAX).find_map(|at| self.country_at(at)).filter(|_| of);
        let country = country.or_else(|| behind.and_then(countries::by_iso));
        let definite = self.word(first).eq_ignore_ascii_case("the");
        if governs {
            let entity = match country {
                Some(country) => Some(self.government(country)),
                None if definite && !of && first + 1 == noun => self.government_before(first),
                None => None,
            };
            if let Some(entity) = entity {
                self.add(entity, first, noun + 1, MentionKind::Nominal, 75);
            }
            return;
        }
        if kind == "court" && country.is_none() {
            if definite {
                self.definite(first, noun, lower);
            }
            return;
        }
        let bare = first == noun || first + 1 == noun;
        let key = lower.to_owned();
        let known = |entity: &Entity| {
            entity.class == Class::Organisation
                && entity.kind == Some(kind)
                && entity.name.split(' ').any(|word| word == key)
                && (country.is_none() || entity.country == code)
        };
        let same: Vec<usize> = (0..self.list.len()).filter(|index| known(&self.list[*index])).collect();
        let entity = match same[..] {
            [one] => one,
            [] if !bare && (country.is_some() || definite && kind == "military") => {
                let own = if definite || self.is_possessive(first) { first + 1 } else { first };
                let Some(span) = self.span(own, noun + 1) else { return };
                let words = span.of(self.read.text);
                let name = match country {
                    Some(country) if self.is_possessive(first) => format!("{} {words}", country.name),
                    _ => words.to_owned(),
                };
                let mut entity = Entity::new(Class::Organisation, name);
                (entity.kind, entity.country) = (Some(kind), code);
                self.open(entity)
            }
            _ => return,
        };
        let mut end = noun + 1;
        if self.relation(end + 1) == Relation::AclRelcl
            && self.upos(end) == Upos::Pron
            && self.head(end + 1) == Some(noun)
        {
            end += 2;
        }
        self.add(entity, first, end, MentionKind::Nominal, 70);
    }

    /// The one government that the story has spoken of; of the country that the sentence names, if it names any.
    fn government_before(&self, at: u32) -> Option<usize> {
        let start = self.read.tokens.get(at as usize)?.span.start;
        let sentence = self.read.sentences.get(self.sentence(at) as usize)?;
        let from = sentence.tokens.start.max(at.saturating_sub(SENTENCE_TOKENS_MAX));
        let named: Vec<&'static str> = (from..at).filter_map(|token| self.country_at(token)).collect();
        self.only(|entity| is_government(entity) && entity.mentions.iter().any(|mention| mention.span.end <= start))
            .filter(|found| {
                let country = self.list.get(*found).and_then(|entity| entity.country);
                named.is_empty() || country.is_some_and(|country| named.contains(&country))
            })
    }

    /// The only entity for which something holds.
    fn only(&self, holds: impl Fn(&Entity) -> bool) -> Option<usize> {
        let mut found = (0..self.list.len()).filter(|index| holds(&self.list[*index]));
        found.next().filter(|_| found.next().is_none())
    }

    /// "the ambassador", "the country", "the company": somebody or something named before.
    fn definite(&mut self, first: u32, noun: u32, lower: &str) {
        let start = self.read.tokens.get(first as usize).map_or(0, |token| token.span.start);
        let earlier = |entity: &Entity| entity.mentions.iter().any(|mention| mention.span.end <= start);
        let text = self.read.text;
        let bare = first + 1 == noun;
        let complemented = matches!(self.word(noun + 1), "of" | "for");
        let entity = match lower {
            "country" if bare => self.country_near(first),
            "capital" => {
                let country = (first..noun).find_map(|at| self.country_at(at)).and_then(countries::by_iso);
                country.and_then(|country| {
                    self.only(|entity| entity.class == Class::Place && entity.name == country.capital)
                })
            }
            "city" | "town" | "village" | "port" if bare && !complemented => {
                self.only(|entity| entity.class == Class::Place && entity.country.is_none() && earlier(entity))
            }
            "company" | "firm" | "ministry" | "university" | "party" | "agency" | "bank" | "club" | "union"
            | "court" | "commission" | "council" | "committee" | "airline" | "department" | "foundation" | "school"
            | "hospital"
                if bare && !complemented =>
            {
                self.only(|entity| {
                    let named = entity.name.to_lowercase().split(' ').any(|word| word == lower);
                    let firm = matches!(lower, "company" | "firm") && entity.kind == Some("company");
                    entity.class == Class::Organisation && (named || firm) && earlier(entity)
                })
            }
            _ if lexicon().role(lower).is_some() && !complemented => {
                let modifiers: Vec<String> = (first + 1..noun).map(|at| self.word(at).to_lowercase()).collect();
                let fits = |entity: &Entity| {
                    entity.class == Class::Person
                        && earlier(entity)
                        && entity.roles.iter().any(|role| {
                            let title = role.title.of(text).to_lowercase();
                            let noun_fits = title.split(' ').any(|word| word == lower);
                            let whole = role.span.of(text).to_lowercase();
                            noun_fits && modifiers.iter().all(|word| whole.split(' ').any(|known| known == word))
                        })
                };
                self.only(fits)
            }
            _ => None,
        };
        if let Some(entity) = entity {
            self.add(entity, first, noun + 1, MentionKind::Nominal, 70);
        }
    }

    /// The one country that the sentence has spoken of so far, or else the sentence before.
    fn country_near(&self, at: u32) -> Option<usize> {
        let sentence = self.read.sentences.get(self.sentence(at) as usize)?;
        let mut found: Vec<&'static str> = (sentence.tokens.start.max(at.saturating_sub(SENTENCE_TOKENS_MAX))..at)
            .filter_map(|at| self.country_at(at))
            .collect();
        for back in 1..=COUNTRY_SENTENCES_BACK {
            if !found.is_empty() {
                break;
            }
            let before = self.read.sentences.get((self.sentence(at) as usize).checked_sub(back)?)?;
            found =
                before.tokens.clone().take(SENTENCE_TOKENS_MAX as usize).filter_map(|at| self.country_at(at)).collect();
        }
        found.sort_unstable();
        found.dedup();
        let [code] = found[..] else { return None };
        self.only(|entity| entity.class == Class::Place && entity.country == Some(code))
    }

    /// Kinds and countries of organisations.
    pub(super) fn kinds(&mut self) {
        for index in 0..self.list.len() {
            let entity = &self.list[index];
            if entity.class != Class::Organisation || is_government(entity) {
                continue;
            }
            let kind = entity.kind.or_else(|| lexicon().organisation_kind(&entity.name));
            let country = entity
                .country
                .or_else(|| publisher::home(&entity.name).filter(|_| kind == Some("news_agency")))
                .or_else(|| {
                    let words = entity.name.split(' ');
                    words.filter(|word| super::roles::is_national(word)).find_map(|word| {
                        countries::by_demonym(word).or_else(|| countries::by_name(word)).map(|country| country.iso2)
                    })
                });
            let entity = &mut self.list[index];
            (entity.kind, entity.country) = (kind, country);
        }
    }
}

fn is_day(word: &str) -> bool {
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"].contains(&word)
        || ["January", "February", "March", "April", "May", "June", "July", "August"].contains(&word)
        || ["September", "October", "November", "December"].contains(&word)
}
