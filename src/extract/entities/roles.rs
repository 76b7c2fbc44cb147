//! Roles and facts of people, from the words before and after their names.
//!
//! ```text
//! Norland's acting Foreign Minister Ilse Brandt, 45, a Liberal from Port Regent, …
//! ^^^^^^^^^ of            acting    age ^^   party ^^^^^^^   home ^^^^^^^^^^^
//!                  ^^^^^^^^^^^^^^^^ title
//! ```
//!
//! Does not read roles out of whole clauses ("she leads the party"), and gives no role to a name that
//! has no role noun beside it.

use super::{
    Basis, Draft, MentionKind, Owner, Role, RoleTime,
    cluster::country_of,
    lexicon::{RoleClass, lexicon},
};
use crate::{extract::names::Class, gazetteer::countries, model::tagger::Upos, text::Span};

/// How many tokens beside a name are looked at for a role.
const REACH_MAX: u32 = 24;

/// How many tokens behind a country's word may hold the role that it belongs to.
const TITLE_TOKENS_MAX: u32 = 5;
/// How many tokens before a name may hold "38-year-old".
const AGE_TOKENS_MAX: u32 = 12;

/// How many tokens of a sentence are looked at for the country of a role.
const SENTENCE_TOKENS_MAX: usize = 200;

/// Words that say when a role is held, and are no part of the title.
fn time_of(word: &str) -> Option<RoleTime> {
    match word.to_lowercase().as_str() {
        "former" | "ex" | "ex-" | "then" | "ousted" | "retired" | "onetime" | "erstwhile" => Some(RoleTime::Former),
        "acting" | "interim" | "caretaker" => Some(RoleTime::Acting),
        "late" => Some(RoleTime::Late),
        "designate" | "elect" | "incoming" => Some(RoleTime::Designate),
        _ => None,
    }
}

impl Draft<'_> {
    /// Reads the words around every person's name.
    pub(super) fn roles(&mut self) {
        let mut people: Vec<(u32, u32, usize)> = Vec::new();
        for (index, entity) in
            self.list.iter().enumerate().filter(|(_, entity)| entity.class == Class::Person && !entity.is_shared)
        {
            let names = entity.mentions.iter().filter(|mention| mention.kind == MentionKind::Name);
            people.extend(names.map(|mention| (mention.tokens.start, mention.tokens.end, index)));
        }
        people.sort_unstable();
        let mut before: Option<(u32, Role)> = None;
        for (start, end, person) in people {
            // "Ministers A, B and C": the title goes on.
            let goes_on = before.take().filter(|(at, role)| {
                let gap: Vec<&str> = (*at..start).map(|at| self.word(at)).collect();
                matches!(gap[..], ["," | "and"] | [",", "and"]) && self.is_plural_title(role.title)
            });
            let role = self.role_before(start, end).or(goes_on.map(|(_, role)| role));
            if let Some(role) = role {
                before = Some((end, role.clone()));
                self.give(person, role);
            }
            if let Some(country) = self.stated_nationality(start, end) {
                self.list[person].nationality.get_or_insert((country, Basis::Stated));
            }
            let after = self.facts_after(end, person);
            if let Some(role) = self.role_after(after) {
                self.give(person, role);
            }
        }
        self.nationalities();
    }

    /// The country in "the Norlander Ilse Brandt" and "Ilse Brandt, a Norlander,".
    fn stated_nationality(&self, start: u32, end: u32) -> Option<&'static str> {
        let demonym = |at: u32| {
            let entity = self.list.get(self.owner(at)?)?;
            let is_one = |m: &super::Mention| m.kind == MentionKind::Demonym && m.tokens.end == at + 1;
            entity.country.filter(|_| entity.mentions.iter().any(is_one))
        };
        let last = start.checked_sub(1).filter(|at| self.sentence(*at) == self.sentence(start));
        if let Some(country) = last.and_then(demonym) {
            return Some(country);
        }
        let apposed = self.word(end) == "," && matches!(self.word(end + 1), "a" | "an");
        let ends = matches!(self.word(end + 3), "," | "." | "who" | "from" | "by" | "and");
        if apposed && ends { demonym(end + 2) } else { None }
    }

    fn is_plural_title(&self, title: Span) -> bool {
        title.of(self.read.text).split_whitespace().next_back().is_some_and(|word| lexicon().is_plural_role(word))
    }

    fn give(&mut self, person: usize, mut role: Role) {
        let text = self.read.text;
        let Some(entity) = self.list.get_mut(person) else { return };
        let title = role.title.of(text);
        if let Some(known) = entity.roles.iter_mut().find(|known| known.title.of(text).eq_ignore_ascii_case(title)) {
            known.of = known.of.or(role.of);
            return;
        }
        if role.of_basis == Some(Basis::Stated) {
            role.of_basis = None;
        }
        entity.roles.push(role);
    }

    /// Whether a token can stand inside a title.
    fn in_title(&self, at: u32) -> bool {
        let word = self.word(at);
        if self.owner(at).is_some_and(|owner| self.is(owner, Class::Person) || self.is(owner, Class::Place)) {
            return false;
        }
        word == "-"
            || word == "&"
            || matches!(self.upos(at), Upos::Noun | Upos::Propn | Upos::Adj)
            || self.owner(at).is_some_and(|owner| self.is(owner, Class::Organisation) || self.is(owner, Class::Group))
    }

    /// The role that the words before a name tell.
    fn role_before(&self, start: u32, end: u32) -> Option<Role> {
        let sentence = self.sentence(start);
        let inside = |at: u32| self.sentence(at) == sentence;
        let mut last = start;
        while last > 0 && inside(last - 1) && lexicon().is_honorific(self.word(last - 1)) {
            // "President", "General" are honorifics and roles: the list of roles decides below.
            if lexicon().role(self.word(last - 1)).is_some_and(|class| class != RoleClass::Work) {
                break;
            }
            last -= 1;
        }
        let comma = last > 0 && inside(last - 1) && self.word(last - 1) == ",";
        let limit = if comma { last - 1 } else { last };
        // "a lawyer for Hahn": Hahn is no lawyer.
        if !comma && limit > 0 && self.upos(limit - 1) == Upos::Adp {
            return None;
        }
        // "analysts at Nomura and Hahn": nor is this one an analyst; "Ministers A and B" is read elsewhere.
        if !comma && limit > 0 && self.upos(limit - 1) == Upos::Cconj {
            return None;
        }
        // "-designate" and "-elect" stand behind the title.
        let mut core = limit;
        if core > 1 && inside(core - 1) && matches!(self.word(core - 1), "designate" | "elect") {
            core -= if self.word(core - 2) == "-" { 2 } else { 1 };
        }
        let noun = self.role_noun_before(core, sentence)?;
        // Behind the noun: nothing, or its complements.
        let plain = noun + 1 == core;
        if comma {
            let ends = matches!(self.word(end), "," | "." | "-" | "–" | "—")
                || !matches!(self.upos(end), Upos::Propn | Upos::Noun);
            let apposed = self.is_apposed(noun, start);
            let determined = !plain || self.begins_phrase(noun);
            if !(ends && (apposed || !plain) && determined) {
                return None;
            }
        }
        let mut role = self.title_left(noun, core)?;
        if core < limit {
            role.time = RoleTime::Designate;
            role.span = self.span(self.token_at(role.span), limit)?;
        }
        if !plain && let Some((owner, title_end)) = self.owner_of(noun + 1, core) {
            role.title = self.span(self.token_at(role.title), title_end)?;
            role.of = role.of.or(Some(owner));
        }
        if role.of.is_none() {
            (role.of, role.of_basis) = self.inferred(noun, start);
        }
        Some(role)
    }

    fn is_apposed(&self, noun: u32, name: u32) -> bool {
        use crate::model::parser::Relation::{Appos, Flat};
        let related = |at: u32| matches!(self.relation(at), Appos | Flat);
        let name_head = self.head_of(name, name + 1);
        (related(noun) && self.head(noun).is_some_and(|head| head >= name))
            || (self.head(name_head) == Some(noun) && related(name_head))
            || (name..name + 4).any(|at| self.head(at) == Some(noun) && related(at))
    }

    /// Whether a determiner, a possessive or a country stands before the title.
    fn begins_phrase(&self, noun: u32) -> bool {
        let mut at = noun;
        while at > 0 && noun - at < REACH_MAX && self.in_title(at - 1) {
            at -= 1;
        }
        at > 0
            && (self.upos(at - 1) == Upos::Det
                || self.owner(at - 1).is_some()
                || matches!(self.word(at - 1), "'s" | "’s"))
    }

    /// The nearest role noun before a name with nothing but its complements between.
    fn role_noun_before(&self, limit: u32, sentence: u32) -> Option<u32> {
        let mut at = limit;
        let mut adposition = false;
        while at > 0 && limit - at < REACH_MAX && self.sentence(at - 1) == sentence {
            at -= 1;
            let word = self.word(at);
            let direct = at + 1 == limit;
            if lexicon().role(word).is_some() && (direct || adposition_follows(self, at)) {
                if direct || adposition {
                    return Some(at);
                }
                return None;
            }
            match self.upos(at) {
                Upos::Adp => adposition = true,
                Upos::Det | Upos::Noun | Upos::Propn | Upos::Adj | Upos::Num | Upos::Cconj => {}
                _ if self.owner(at).is_some() || matches!(word, "-" | "'s" | "’s") => {}
                _ => return None,
            }
        }
        None
    }

    /// Goes left from the role noun over the title to whose it is.
    fn title_left(&self, noun: u32, limit: u32) -> Option<Role> {
        let sentence = self.sentence(noun);
        let mut start = noun;
        let mut time = RoleTime::Current;
        let mut stop = noun;
        while stop > 0 && noun - stop < REACH_MAX && self.sentence(stop - 1) == sentence {
            let word = self.word(stop - 1);
            if let Some(told) = time_of(word) {
                time = told;
                stop -= 1;
                if start == stop + 1 && stop > 0 && self.word(stop) == "-" {
                    start = stop + 1;
                }
                continue;
            }
            // "ex-minister": the hyphen goes with the word before it.
            if word == "-" && stop > 1 && time_of(self.word(stop - 2)).is_some() {
                stop -= 1;
                continue;
            }
            if !self.in_title(stop - 1) || self.demonym(stop - 1).is_some() || self.is_body(stop - 1) {
                break;
            }
            // "a 38-year-old nurse" is a nurse.
            if word == "old" && stop > 1 && self.word(stop - 2) == "-" {
                break;
            }
            if stop == start {
                start = stop - 1;
            } else {
                break;
            }
            stop -= 1;
        }
        let title = self.span(start, limit)?;
        let (mut of, mut first) = (None, stop);
        if stop > 0 && self.sentence(stop - 1) == sentence {
            let mut at = stop - 1;
            if matches!(self.word(at), "'s" | "’s" | "'" | "’") && at > 0 {
                at -= 1;
            }
            if let Some(owner) = self.owner(at).filter(|owner| !self.is(*owner, Class::Person)) {
                of = self.owner_entity(owner);
                first = at;
                while first > 0 && self.owner(first - 1) == Some(owner) && self.sentence(first - 1) == sentence {
                    first -= 1;
                }
                // "Iraqi Foreign Ministry spokesman": the body's own country stands before it.
            }
        }
        if first > 0 && self.upos(first - 1) == Upos::Det && self.sentence(first - 1) == sentence {
            first -= 1;
        }
        Some(Role { title, span: self.span(first, limit)?, of, of_basis: None, time })
    }

    /// The country whose demonym a token is.
    fn demonym(&self, at: u32) -> Option<usize> {
        let owner = self.owner(at)?;
        self.is(owner, Class::Place).then_some(owner)
    }

    fn is_body(&self, at: u32) -> bool {
        self.owner(at).is_some_and(|owner| self.is(owner, Class::Organisation))
    }

    fn owner_entity(&self, entity: usize) -> Option<Owner> {
        let found = self.list.get(entity)?;
        match (found.class, found.country) {
            (Class::Place, Some(country)) => Some(Owner::Country(country)),
            (Class::Place | Class::Organisation | Class::Group, _) => Some(Owner::Entity(entity)),
            _ => None,
        }
    }

    /// Whose a role is by its complement ("of the Norland Movement"), and where the title ends.
    fn owner_of(&self, from: u32, limit: u32) -> Option<(Owner, u32)> {
        let mut of = None;
        for at in from..limit {
            if matches!(self.word(at), "of" | "at" | "in" | "for") && of.is_none() {
                of = Some(at);
            } else if matches!(self.upos(at), Upos::Adp | Upos::Punct | Upos::Verb)
                && of.is_some()
                && self.owner(at).is_none()
            {
                return None;
            } else if let (Some(of), Some(owner)) = (of, self.owner(at)) {
                let is_group = self.is(owner, Class::Group);
                let later =
                    (at + 1..limit).find_map(|at| self.owner(at).filter(|later| self.is(*later, Class::Organisation)));
                let owner = if is_group || self.is(owner, Class::Place) { later.unwrap_or(owner) } else { owner };
                // "a lawyer for Hahn": whose lawyer, too, can be a person.
                let person = self.is(owner, Class::Person) && self.word(of) == "for";
                let whose = if person { Some(Owner::Entity(owner)) } else { self.owner_entity(owner) };
                return whose.map(|owner| (owner, of));
            }
        }
        None
    }

    fn token_at(&self, span: Span) -> u32 {
        self.read.tokens.partition_point(|token| token.span.start < span.start) as u32
    }

    /// The country whose prime minister is meant, where one sentence speaks of one country alone.
    fn inferred(&self, noun: u32, name: u32) -> (Option<Owner>, Option<Basis>) {
        let word = self.word(noun).to_lowercase();
        let before = self.word(noun.saturating_sub(1)).to_lowercase();
        let state = matches!(word.as_str(), "president" | "premier" | "chancellor" | "king" | "queen")
            || word == "minister"
                && matches!(before.as_str(), "prime" | "foreign" | "defence" | "defense" | "finance" | "interior");
        if !state {
            return (None, None);
        }
        let sentence = self.sentence(name);
        for back in 0..2 {
            let Some(sentence) = sentence.checked_sub(back).and_then(|index| self.read.sentences.get(index as usize))
            else {
                break;
            };
            let tokens = sentence.tokens.clone().take(SENTENCE_TOKENS_MAX).filter(|at| !self.is_of_another(*at, noun));
            let mut found: Vec<&'static str> = tokens.filter_map(|at| self.country_at(at)).collect();
            found.sort_unstable();
            found.dedup();
            match found[..] {
                [] => {}
                [one] => return (Some(Owner::Country(one)), Some(Basis::Inferred)),
                _ => break,
            }
        }
        (None, None)
    }

    /// Whether a country's word belongs to another role: "met her Norlandish counterpart".
    fn is_of_another(&self, at: u32, noun: u32) -> bool {
        let title = (at + 1..at + 1 + TITLE_TOKENS_MAX).take_while(|at| self.in_title(*at));
        let is_role = |at: u32| self.word(at) == "counterpart" || lexicon().role(self.word(at)).is_some();
        let mut roles = title.filter(|at| is_role(*at)).peekable();
        roles.peek().is_some() && roles.all(|at| at != noun)
    }

    /// The country of the name over a token: itself, or the one whose capital it is.
    pub(super) fn country_at(&self, at: u32) -> Option<&'static str> {
        let entity = self.list.get(self.owner(at)?)?;
        match (entity.class, entity.country) {
            (Class::Place, Some(country)) => Some(country),
            (Class::Place, None) => country_of(&entity.name).map(|country| country.iso2),
            _ => None,
        }
    }

    /// The role in an apposition after a name: "…, one of the commanders of the movement, …".
    fn role_after(&self, after: u32) -> Option<Role> {
        let sentence = self.sentence(after);
        if self.word(after) != "," || sentence == u32::MAX {
            return None;
        }
        let mut at = after + 1;
        if self.word(at) == "who" && matches!(self.lemma(at + 1), "be" | "serve" | "have" | "head") {
            at += 2;
            while matches!(self.word(at), "as" | "been") {
                at += 1;
            }
        }
        let first = at;
        let within = |at: u32| self.sentence(at) == sentence && at < first + REACH_MAX;
        let mut noun = None;
        while within(at) {
            let word = self.word(at);
            let goes_on = matches!(self.upos(at), Upos::Det | Upos::Adj | Upos::Noun | Upos::Propn | Upos::Num)
                || self.owner(at).is_some_and(|owner| !self.is(owner, Class::Person))
                || matches!(word, "'s" | "’s" | "-" | "his" | "her" | "its" | "their")
                || word == "of" && at > first && matches!(self.word(at - 1), "one" | "two");
            if !goes_on || self.owner(at).is_some_and(|owner| self.is(owner, Class::Person)) {
                break;
            }
            if lexicon().role(word).is_some() && self.owner(at).is_none_or(|owner| !self.is(owner, Class::Organisation))
            {
                noun = Some(at);
            }
            at += 1;
        }
        let noun = noun?;
        // The noun phrase ends at the noun, or at its complement.
        let mut end = noun + 1;
        if self.upos(end) == Upos::Adp {
            while within(end)
                && (matches!(self.upos(end), Upos::Adp | Upos::Det | Upos::Adj | Upos::Noun | Upos::Propn | Upos::Num)
                    || self.owner(end).is_some_and(|owner| !self.is(owner, Class::Person))
                    || matches!(self.word(end), "'s" | "’s" | "-" | "and"))
            {
                end += 1;
            }
        } else if at > noun + 1 {
            return None;
        }
        let one_of = matches!(self.word(first), "one" | "two") && self.word(first + 1) == "of";
        let mut role = self.title_left(noun, noun + 1)?;
        let begins = if one_of { first } else { self.token_at(role.title) };
        let mut title_end = end;
        if let Some((owner, cut)) = self.owner_of(noun + 1, end) {
            role.of = role.of.or(Some(owner));
            title_end = cut;
        }
        role.title = self.span(begins, title_end)?;
        role.span = self.span(first, end)?;
        if role.of.is_none() {
            (role.of, role.of_basis) = self.inferred(noun, after);
        }
        Some(role)
    }

    /// Age, party and home town after a name; where the words go on.
    fn facts_after(&mut self, end: u32, person: usize) -> u32 {
        let mut at = end;
        let age_at = |draft: &Self, at: u32| {
            let age = draft.word(at).parse::<u8>().ok().filter(|age| (1..=120).contains(age))?;
            Some(age)
        };
        if matches!(self.word(at), "," | "(") {
            let closing = if self.word(at) == "(" { ")" } else { "," };
            if let Some(age) = age_at(self, at + 1).filter(|_| matches!(self.word(at + 2), "," | ")" | "." | "and")) {
                self.list[person].age.get_or_insert(age);
                at += if closing == ")" { 3 } else { 2 };
            } else if self.word(at + 1) == "aged"
                && let Some(age) = age_at(self, at + 2)
            {
                self.list[person].age.get_or_insert(age);
                at += 3;
            }
        }
        if let Some(age) = self.year_old(end, person) {
            self.list[person].age.get_or_insert(age);
        }
        if matches!(self.word(at), "," | "(")
            && matches!(self.word(at + 1), "D" | "R" | "I")
            && matches!(self.word(at + 2), "-" | "–")
            && self.sentence(at + 3) == self.sentence(end.saturating_sub(1))
        {
            let (party, mut last) = (self.span(at + 1, at + 2), at + 4);
            let place = self.owner(at + 3).filter(|owner| self.is(*owner, Class::Place));
            while place.is_some() && self.owner(last) == place {
                last += 1;
            }
            let home = place.and_then(|_| self.span(at + 3, last));
            let found = &mut self.list[person];
            (found.party, found.home) = (found.party.or(party), found.home.or(home));
            return if self.word(last) == ")" { last + 1 } else { last };
        }
        if self.word(at) == "," {
            let mut next = at + 1;
            if matches!(self.word(next), "a" | "an" | "the") {
                next += 1;
            }
            let party = lexicon().groups.get(self.word(next)).filter(|(kind, _)| *kind == "political");
            if party.is_some() {
                let span = self.span(next, next + 1);
                self.list[person].party = self.list[person].party.or(span);
                next += 1;
            }
            if matches!(self.word(next), "of" | "from")
                && (party.is_some() || self.list[person].age.is_some())
                && let Some(place) = self.owner(next + 1).filter(|owner| self.is(*owner, Class::Place))
            {
                let mut last = next + 1;
                while self.owner(last + 1) == Some(place) {
                    last += 1;
                }
                let span = self.span(next + 1, last + 1);
                self.list[person].home = self.list[person].home.or(span);
            }
        }
        at
    }

    /// The age in "38-year-old nurse Ada Lind" and "Ada Lind, a 38-year-old nurse".
    fn year_old(&self, end: u32, person: usize) -> Option<u8> {
        let sentence = self.sentence(end.checked_sub(1)?);
        let age_at = |year: u32| {
            let is_age = self.word(year) == "year" && self.word(year + 2) == "old" && self.sentence(year) == sentence;
            let number = year.checked_sub(2).filter(|_| is_age)?;
            self.word(number).parse::<u8>().ok().filter(|age| (1..=120).contains(age))
        };
        let mut start = end;
        while start > 0 && self.owner(start - 1) == Some(person) && end - start < REACH_MAX {
            start -= 1;
        }
        let before = (start.saturating_sub(AGE_TOKENS_MAX)..start).rev().find_map(|at| Some((at, age_at(at)?)));
        let leads = |year: u32| (year + 3..start).all(|at| self.in_title(at));
        let article = self.word(end) == "," && matches!(self.word(end + 1), "a" | "an");
        let after = age_at(end + 4).filter(|_| article);
        before.filter(|(year, _)| leads(*year)).map(|(_, age)| age).or(after)
    }

    /// A nationality from the country of a role.
    fn nationalities(&mut self) {
        for entity in self.list.iter_mut().filter(|entity| entity.class == Class::Person) {
            let role = entity.roles.iter().find_map(|role| match role.of {
                Some(Owner::Country(country)) => Some((country, role.of_basis)),
                _ => None,
            });
            if entity.nationality.is_some_and(|(_, basis)| basis == Basis::Stated) {
                continue;
            }
            if let Some((country, basis)) = role {
                let basis = if basis == Some(Basis::Inferred) { Basis::Inferred } else { Basis::Role };
                entity.nationality = Some((country, basis));
            }
        }
    }

    /// Whoever is killed in the story held the role until then, and so did "the late" somebody.
    pub(super) fn deaths(&mut self) {
        for index in 0..self.list.len() {
            if !self.is(index, Class::Person) {
                continue;
            }
            let mentions = &self.list[index].mentions;
            let is_late = mentions.iter().any(|mention| self.before(mention.tokens.start) == "late");
            let dies = mentions.iter().any(|mention| {
                let head = self.head_of(mention.tokens.start, mention.tokens.end);
                self.is_subject(head) && self.head(head).is_some_and(|verb| self.is_death(head, verb))
            });
            let time = if is_late { RoleTime::Late } else { RoleTime::Former };
            if dies || is_late {
                for role in self.list[index].roles.iter_mut().filter(|role| role.time == RoleTime::Current) {
                    role.time = time;
                }
            }
        }
    }

    /// Whether a verb, or one joined to it that has no subject of its own, tells of its subject's death:
    /// "won two prizes, died on Monday".
    fn is_death(&self, subject: u32, verb: u32) -> bool {
        use crate::model::parser::Relation::{Conj, NsubjPass};
        let kills = |at: u32| matches!(self.lemma(at), "kill" | "assassinate" | "murder");
        if self.lemma(verb) == "die" || kills(verb) && self.relation(subject) == NsubjPass {
            return true;
        }
        let Some(sentence) = self.read.sentences.get(self.sentence(verb) as usize) else { return false };
        let end = sentence.tokens.end.min(verb.saturating_add(SENTENCE_TOKENS_MAX as u32));
        let joined = |at: &u32| self.head(*at) == Some(verb) && self.relation(*at) == Conj && self.lemma(*at) == "die";
        let has_subject = |at: u32| (verb..at).any(|token| self.head(token) == Some(at) && self.is_subject(token));
        (verb + 1..end).find(joined).is_some_and(|at| !has_subject(at))
    }
}

fn adposition_follows(draft: &Draft<'_>, at: u32) -> bool {
    draft.upos(at + 1) == Upos::Adp
}

/// Whether a word is the name of a country or of its people.
pub(super) fn is_national(word: &str) -> bool {
    countries::by_demonym(word).or_else(|| countries::by_name(word)).is_some()
}
