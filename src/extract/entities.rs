//! Names and grammar → entities: who and what a story speaks of, one entry each, however it is called.
//!
//! ```text
//! Norland's Foreign Minister Ilse Brandt met the envoy. Brandt said she would go.
//!                            ^^^^^^^^^^^                ^^^^^^      ^^^ person 1: name, name, pronoun
//! ^^^^^^^ place 1
//! ```
//!
//! In order: classes that the whole story tells better are mended; long forms, then short forms and acronyms are
//! brought together (`cluster`, `people`); roles and facts are read beside the names (`roles`); then what has no name:
//! metonyms, descriptions and numbered events (`describe`), and pronouns (`pronouns`).
//!
//! Does not look a place up on the map, does not say who speaks in a quotation, leaves "I" and "we" alone, and does not guess: a pronoun
//! or a "the minister" that could be two people belongs to none.

mod cluster;
mod describe;
mod draft;
mod lexicon;
mod people;
mod pronouns;
mod roles;

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::draft::Draft;
use super::{
    dateline::Dateline,
    grammar::Grammar,
    layout::Layout,
    names::{self, Class},
    sentences::Sentence,
    tokens::Token,
};
use crate::{story::Anomaly, text::Span};

/// What the stage reads: the findings of the stages before it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The story's text.
    pub text: &'a str,
    /// Paragraphs.
    pub layout: &'a Layout,
    /// Where the story was filed.
    pub dateline: Option<&'a Dateline>,
    /// Tokens.
    pub tokens: &'a [Token],
    /// Sentences.
    pub sentences: &'a [Sentence],
    /// Parts of speech and trees.
    pub grammar: &'a Grammar,
    /// Names, in text order.
    pub names: &'a [names::Mention],
}

/// How a story speaks of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MentionKind {
    /// By its name.
    Name,
    /// By its initials.
    Acronym,
    /// By the word for its people or what is theirs: "Iraqi".
    Demonym,
    /// By a place that stands for who acts there: "Baghdad intended".
    Metonym,
    /// By a description: "the ambassador".
    Nominal,
    /// By a pronoun.
    Pronoun,
}

/// One place where the story speaks of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where.
    pub span: Span,
    /// First token and one past the last.
    pub tokens: Range<u32>,
    /// How.
    pub kind: MentionKind,
    /// The entity that a metonym stands for: an index into [`Entities::list`].
    pub stands_for: Option<usize>,
    /// How sure, in hundredths.
    pub confidence_percent: u8,
}

/// Whom a role is a role of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A country, by its alpha-2 code.
    Country(&'static str),
    /// An entity, an index into [`Entities::list`].
    Entity(usize),
}

/// When somebody holds a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleTime {
    /// Now, as the story tells it.
    Current,
    /// Before; also until death, where the story tells of the death.
    Former,
    /// For the time being.
    Acting,
    /// Not yet.
    Designate,
    /// Until a death that lies back.
    Late,
}

/// What a value that the story does not say outright rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The story says so of the person: "the Norlander Ilse Brandt".
    Stated,
    /// A role that belongs to a country.
    Role,
    /// The story as a whole.
    Inferred,
    /// A pronoun.
    Pronoun,
    /// An honorific.
    Honorific,
}

/// A role that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The title alone: "Foreign Minister".
    pub title: Span,
    /// The title and whose it is: "Norland's Foreign Minister".
    pub span: Span,
    /// Whose role it is.
    pub of: Option<Owner>,
    /// What `of` rests on, where the words beside the title do not say it.
    pub of_basis: Option<Basis>,
    /// When.
    pub time: RoleTime,
}

/// Male or female, as the story speaks of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    /// "he", "Mr".
    Male,
    /// "she", "Mrs".
    Female,
}

/// Somebody or something that the story speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub class: Class,
    /// The fullest name that the story has for it.
    pub name: String,
    /// How sure the desk is of its best mention, in hundredths.
    pub confidence_percent: u8,
    /// Where the story speaks of it, in text order.
    pub mentions: Vec<Mention>,
    /// First names of a person.
    pub given: Option<String>,
    /// Family name of a person.
    pub family: Option<String>,
    /// Roles of a person.
    pub roles: Vec<Role>,
    /// Nationality of a person, an alpha-2 code, and what it rests on.
    pub nationality: Option<(&'static str, Basis)>,
    /// Gender of a person, and what it rests on.
    pub gender: Option<(Gender, Basis)>,
    /// Age of a person in years.
    pub age: Option<u8>,
    /// Party of a person, as written.
    pub party: Option<Span>,
    /// Home town of a person, as written.
    pub home: Option<Span>,
    /// Kind of an organisation or a group: `government`, `company`, `religious`, …
    pub kind: Option<&'static str>,
    /// The acronym of an organisation.
    pub acronym: Option<String>,
    /// Country of an organisation, or the country that a place is: an alpha-2 code.
    pub country: Option<&'static str>,
    /// Whether this stands for no one in particular: a family name that several people of the story bear.
    pub is_shared: bool,
}

impl Entity {
    /// An entity of which nothing is known yet.
    pub fn new(class: Class, name: String) -> Self {
        Self {
            class,
            name,
            confidence_percent: 0,
            mentions: Vec::new(),
            given: None,
            family: None,
            roles: Vec::new(),
            nationality: None,
            gender: None,
            age: None,
            party: None,
            home: None,
            kind: None,
            acronym: None,
            country: None,
            is_shared: false,
        }
    }
}

/// Everybody and everything that the story speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entities {
    /// By first mention.
    pub list: Vec<Entity>,
    /// Entity and mention, by where the mention begins, longer ones first.
    in_order: Vec<(u32, u32)>,
    /// The entity of the innermost mention over each token, plus one.
    owners: Vec<u32>,
}

impl Entities {
    /// Puts entities and mentions into text order and prepares the look-ups. Entities without a mention go.
    pub fn new(mut list: Vec<Entity>, tokens: usize) -> Self {
        for entity in &mut list {
            entity.mentions.sort_by_key(|mention| (mention.span.start, mention.span.end, mention.kind));
            entity.mentions.dedup_by_key(|mention| mention.span);
        }
        let first = |entity: &Entity| entity.mentions.first().map(|mention| (mention.span.start, mention.span.end));
        let mut order: Vec<usize> = (0..list.len()).filter(|index| !list[*index].mentions.is_empty()).collect();
        order.sort_by_key(|index| (first(&list[*index]), list[*index].class, *index));
        let mut place = vec![None; list.len()];
        for (new, old) in order.iter().enumerate() {
            place[*old] = Some(new);
        }
        let moved = |old: usize| place.get(old).copied().flatten();
        for entity in &mut list {
            for mention in &mut entity.mentions {
                mention.stands_for = mention.stands_for.and_then(moved);
            }
            for role in &mut entity.roles {
                if let Some(Owner::Entity(of)) = role.of {
                    role.of = moved(of).map(Owner::Entity);
                }
            }
        }
        let mut taken: Vec<Option<Entity>> = list.into_iter().map(Some).collect();
        let list: Vec<Entity> = order.iter().filter_map(|index| taken[*index].take()).collect();
        let mut in_order: Vec<(u32, u32)> = Vec::new();
        for (index, entity) in list.iter().enumerate() {
            in_order.extend((0..entity.mentions.len()).map(|mention| (index as u32, mention as u32)));
        }
        let mention = |at: (u32, u32)| &list[at.0 as usize].mentions[at.1 as usize];
        in_order.sort_by_key(|at| (mention(*at).span.start, std::cmp::Reverse(mention(*at).span.end), *at));
        let mut owners = vec![0; tokens];
        // What begins later or is shorter lies inside, and is written over what holds it.
        for at in &in_order {
            let range = mention(*at).tokens.start as usize..mention(*at).tokens.end as usize;
            if let Some(within) = owners.get_mut(range) {
                within.fill(at.0 + 1);
            }
        }
        Self { list, in_order, owners }
    }

    /// The entity of the innermost mention over a token.
    pub fn at_token(&self, token: u32) -> Option<usize> {
        self.owners.get(token as usize).and_then(|owner| owner.checked_sub(1)).map(|owner| owner as usize)
    }

    /// All mentions with their entity, by where they begin, longer ones first.
    pub fn mentions(&self) -> impl Iterator<Item = (usize, &Mention)> {
        self.in_order.iter().filter_map(|(entity, mention)| {
            let found = self.list.get(*entity as usize)?.mentions.get(*mention as usize)?;
            Some((*entity as usize, found))
        })
    }

    /// The mentions that lie wholly inside a span, by where they begin.
    pub fn within(&self, span: Span) -> impl Iterator<Item = (usize, &Mention)> {
        let start_of = |at: &(u32, u32)| {
            let entity = self.list.get(at.0 as usize);
            entity.and_then(|entity| entity.mentions.get(at.1 as usize)).map_or(0, |mention| mention.span.start)
        };
        let from = self.in_order.partition_point(|at| start_of(at) < span.start);
        let rest = self.in_order.get(from..).unwrap_or_default().iter();
        let found = rest.filter_map(|(entity, mention)| {
            Some((*entity as usize, self.list.get(*entity as usize)?.mentions.get(*mention as usize)?))
        });
        found.take_while(move |(_, mention)| mention.span.start < span.end).filter(move |at| span.contains(at.1.span))
    }

    /// The entity of the mention that is exactly this span.
    pub fn of_span(&self, span: Span) -> Option<usize> {
        self.within(span).find(|(_, mention)| mention.span == span).map(|(entity, _)| entity)
    }
}

impl Entities {
    /// What could not be told of whom it is said.
    pub fn doubts(&self) -> impl Iterator<Item = Anomaly> {
        let shared = self.list.iter().filter(|entity| entity.is_shared);
        shared.filter_map(|entity| Some(Anomaly::at("person.ambiguous", entity.mentions.first()?.span)))
    }
}

/// Finds the entities of a story.
pub fn run(read: &Read<'_>) -> Entities {
    let names = cluster::mend(read.text, read.tokens, read.names);
    let mut draft = Draft::new(read);
    draft.cluster(&names);
    draft.namesakes();
    draft.roles();
    draft.merge_seats();
    draft.metonyms();
    draft.pronouns();
    draft.kinds();
    draft.descriptions();
    draft.deaths();
    draft.events();
    Entities::new(draft.list, read.tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::Hints, extract::Desk, story::Story};

    fn found(text: &str) -> (Story, Entities) {
        let envelope = serde_json::json!({"text": text, "language": "en"}).to_string();
        let story = crate::decode::decode(envelope.as_bytes(), &Hints::default()).expect("a story");
        let entities = Desk::new().find(&story).entities;
        (story, entities)
    }

    /// Each entity's mentions.
    fn chains(text: &str) -> Vec<Vec<String>> {
        let (story, entities) = found(text);
        let said = |entity: &Entity| {
            entity.mentions.iter().map(|mention| mention.span.of(&story.text).to_owned()).collect::<Vec<_>>()
        };
        entities.list.iter().map(said).collect()
    }

    #[test]
    fn long_form_short_form_and_pronoun() {
        let chains = chains("Chancellor Angela Merkel met reporters in Berlin. Merkel said she would travel to Paris.");
        assert!(chains.contains(&["Angela Merkel", "Merkel", "she"].map(str::to_owned).to_vec()), "{chains:?}");
    }

    #[test]
    fn two_people_of_one_name_stay_two() {
        let chains = chains("David Miller met John Miller in Leeds on Monday. Miller said nothing.");
        assert!(chains.contains(&vec!["David Miller".to_owned()]), "{chains:?}");
        assert!(chains.contains(&vec!["John Miller".to_owned()]), "{chains:?}");
    }

    #[test]
    fn a_demonym_stands_under_its_country_and_a_metonym_for_its_government() {
        let (story, entities) =
            found("The French minister said that Paris intended to take concrete steps. France is a member.");
        let france = entities.list.iter().find(|entity| entity.name == "France").expect("France");
        let kinds: Vec<MentionKind> = france.mentions.iter().map(|mention| mention.kind).collect();
        assert_eq!(kinds, [MentionKind::Demonym, MentionKind::Name]);
        let paris = entities.list.iter().find(|entity| entity.name == "Paris").expect("Paris");
        let stands_for = paris.mentions[0].stands_for.and_then(|index| entities.list.get(index));
        assert_eq!(stands_for.map(|entity| entity.name.as_str()), Some("Government of France"));
        assert_eq!(entities.at_token(story.text.split(' ').count() as u32 + 9), None);
    }

    #[test]
    fn a_government_is_that_of_the_name_behind_it() {
        let text = "Lisbon intended to act, Portugal said. The government of Saint Maren agreed. The government of France did not.";
        let (story, entities) = found(text);
        let of = |words: &str| {
            let at = story.text.find(words).expect("there");
            entities.of_span(Span::new(at, at + words.len())).map(|index| entities.list[index].name.clone())
        };
        assert_eq!(of("The government of Saint").or(of("The government")), None);
        let last = story.text.rfind("The government").expect("there");
        let france = entities.of_span(Span::new(last, last + 14)).map(|index| entities.list[index].name.as_str());
        assert_eq!(france, Some("Government of France"));
    }

    #[test]
    fn a_role_has_a_title_an_owner_and_a_time() {
        let text = "Germany's former Foreign Minister Joschka Fischer met Maria Alvarez, 45, a Democrat from Ohio.";
        let (story, entities) = found(text);
        let role = &entities.list.iter().find(|entity| entity.name == "Joschka Fischer").expect("Fischer").roles[0];
        assert_eq!((role.title.of(&story.text), role.of), ("Foreign Minister", Some(Owner::Country("DE"))));
        assert_eq!(role.time, RoleTime::Former);
        let alvarez = entities.list.iter().find(|entity| entity.name == "Maria Alvarez").expect("Alvarez");
        let told = |span: Option<Span>| span.map(|span| span.of(&story.text));
        assert_eq!((alvarez.age, told(alvarez.party), told(alvarez.home)), (Some(45), Some("Democrat"), Some("Ohio")));
    }

    #[test]
    fn work_grows_with_the_names_and_no_faster() {
        let compared = |count: usize| {
            let code = |number: usize| {
                let letter = |at: u32| char::from(b'a' + (number / 26_usize.pow(at) % 26) as u8);
                (0..3).map(letter).collect::<String>()
            };
            let text: Vec<String> = (0..count).map(|number| format!("Ada Lind{}", code(number))).collect();
            let envelope = serde_json::json!({"text": text.join(" "), "language": "en"}).to_string();
            let story = crate::decode::decode(envelope.as_bytes(), &Hints::default()).expect("a story");
            let findings = Desk::without_models().find(&story);
            assert_eq!(findings.tokens.len(), 2 * count);
            let name = |at: usize| names::Mention {
                span: findings.tokens[2 * at].span.cover(findings.tokens[2 * at + 1].span),
                class: if at.is_multiple_of(2) { Class::Person } else { Class::Organisation },
                confidence_percent: 90,
                tokens: (2 * at as u32, 2 * at as u32 + 2),
            };
            let names: Vec<names::Mention> = (0..count).map(name).collect();
            let read = Read {
                text: &story.text,
                layout: &findings.layout,
                dateline: None,
                tokens: &findings.tokens,
                sentences: &findings.sentences,
                grammar: &findings.grammar,
                names: &names,
            };
            let mut draft = Draft::new(&read);
            draft.cluster(&cluster::mend(&story.text, &findings.tokens, &names));
            assert_eq!(draft.list.len(), count);
            draft.compared
        };
        // Each name is compared with a fixed number of others, so ten times the names make ten times the work and
        // not a hundred; the first few have fewer before them.
        let (few, many) = (compared(200), compared(2000));
        assert!(few > 0 && many <= 20 * few, "{few} comparisons for 200 names, {many} for 2,000");
    }

    #[test]
    fn pet_names_families_and_states() {
        let (story, entities) = found(
            "Sen. William Tanner, R-Utah, met Rep. Sue Poe (D-Ohio). Bill Tanner was late. The Tanners live in Dayton.",
        );
        let entity = |name: &str| entities.list.iter().find(|entity| entity.name == name).expect(name);
        let told = |span: Option<Span>| span.map(|span| span.of(&story.text));
        let tanner = entity("William Tanner");
        assert_eq!((told(tanner.party), told(tanner.home)), (Some("R"), Some("Utah")));
        assert_eq!(tanner.mentions.len(), 2);
        assert_eq!((told(entity("Sue Poe").party), told(entity("Sue Poe").home)), (Some("D"), Some("Ohio")));
        assert_eq!((entity("Tanners").class, entity("Tanners").kind), (Class::Group, Some("family")));
    }

    #[test]
    fn a_designate_and_a_nationality_said_outright() {
        let (story, entities) = found("Foreign Minister-designate Ilse Brandt met the Spaniard Rafael Soto in Leeds.");
        let entity = |name: &str| entities.list.iter().find(|entity| entity.name == name).expect(name);
        let role = &entity("Ilse Brandt").roles[0];
        assert_eq!((role.title.of(&story.text), role.time), ("Foreign Minister", RoleTime::Designate));
        assert_eq!(entity("Rafael Soto").nationality, Some(("ES", Basis::Stated)));
    }

    fn entity<'a>(entities: &'a Entities, name: &str) -> &'a Entity {
        entities.list.iter().find(|entity| entity.name == name).expect(name)
    }

    #[test]
    fn a_family_name_that_could_be_two_peoples_is_one_doubtful_entry() {
        let (story, entities) = found(
            "Laura Menden, 54, pleaded guilty in March. Her husband, Luis Menden, wept. A clerk said Menden spent it. \
             Prosecutors said Menden used the money. A lawyer for Menden had no comment.",
        );
        let shared: Vec<&Entity> = entities.list.iter().filter(|entity| entity.is_shared).collect();
        assert_eq!(shared.len(), 1, "{shared:?}");
        assert_eq!((shared[0].name.as_str(), shared[0].mentions.len()), ("Menden", 3));
        let doubts: Vec<Anomaly> = entities.doubts().collect();
        assert_eq!(doubts.len(), 1);
        assert_eq!(
            (doubts[0].code, doubts[0].span.map(|span| span.of(&story.text))),
            ("person.ambiguous", Some("Menden"))
        );
        let (_, entities) = found("Laura Menden met Luis Menden. Menden said that she had lost it. Menden wept.");
        assert_eq!(entity(&entities, "Laura Menden").mentions.len(), 3, "a pronoun tells");
    }

    #[test]
    fn ranks_and_towns_are_no_names() {
        let (_, entities) = found(
            "The ship sank, coast guard spokesman Rear Adm. Jose Villar said. Sen. Trey Stewart of Presque Isle left.",
        );
        let villar = entity(&entities, "Jose Villar");
        assert_eq!((villar.given.as_deref(), villar.family.as_deref()), (Some("Jose"), Some("Villar")));
        assert_eq!(entity(&entities, "Trey Stewart").class, Class::Person);
        assert_eq!(entity(&entities, "Presque Isle").class, Class::Place);
    }

    #[test]
    fn ages_and_whose_lawyer() {
        let (story, entities) = found(
            "Maria Cruz, a 38-year-old nurse, clung to a drum. A lawyer for Maria Cruz, Daniel Roark, had no comment. \
             Analysts at Norland Bank and Hahn were divided. Peter Hahn spoke.",
        );
        let (cruz, roark) = (entity(&entities, "Maria Cruz"), entity(&entities, "Daniel Roark"));
        assert_eq!((cruz.age, cruz.roles[0].title.of(&story.text)), (Some(38), "nurse"));
        let at = entities.list.iter().position(|entity| entity.name == "Maria Cruz");
        assert_eq!((roark.roles[0].title.of(&story.text), roark.roles[0].of), ("lawyer", at.map(Owner::Entity)));
        assert_eq!(entity(&entities, "Peter Hahn").roles, []);
        let (_, entities) = found("Police said 19-year-old student Ada Lind was seen in Leeds.");
        assert_eq!(entity(&entities, "Ada Lind").age, Some(19));
    }

    #[test]
    fn the_country_of_a_counterpart_is_not_ones_own() {
        let (_, entities) = found("Prime Minister Anna Keller met her Spanish counterpart in Leeds on Monday.");
        let keller = entity(&entities, "Anna Keller");
        assert_eq!((keller.roles[0].of, keller.nationality), (None, None));
        let (_, entities) = found("Germany agreed on a budget, Chancellor Greta Halvorsen announced on Monday.");
        assert_eq!(entity(&entities, "Greta Halvorsen").nationality, Some(("DE", Basis::Inferred)));
    }

    #[test]
    fn the_dead_hold_no_role() {
        let (_, entities) = found(
            "Eleanor Whitby, the novelist whose portraits won two prizes, died on Monday. \
             The late President Samuel Okoro wrote to her.",
        );
        assert_eq!(entity(&entities, "Eleanor Whitby").roles[0].time, RoleTime::Former);
        assert_eq!(entity(&entities, "Samuel Okoro").roles[0].time, RoleTime::Late);
    }

    #[test]
    fn governments_that_act() {
        let (_, entities) = found(
            "Israel's Channel 12 said the cabinet would convene. The White House said an agreement was near. \
             Washington and Doha have been mediating. Cairo has pressed for more. Berlin has come under pressure.",
        );
        let mentions = |name: &str| entity(&entities, name).mentions.len();
        assert_eq!(mentions("Government of United States"), 2, "no cabinet before it is named");
        for country in ["Qatar", "Egypt", "Germany"] {
            assert_eq!(mentions(&format!("Government of {country}")), 1);
        }
    }

    #[test]
    fn a_seat_is_one_entry() {
        let (_, entities) = found(
            "The Kremlin said that it was ready. Kremlin spokesman Oleg Petrov denied it. The Kremlin was silent then.",
        );
        assert_eq!(entities.list.iter().filter(|entity| entity.name == "Kremlin").count(), 1);
    }

    #[test]
    fn two_leaders_and_one_pronoun() {
        let chains = chains(
            "President Recep Tan spoke to Oleg Petrov on Sunday. The Turkish leader thanked the Russian president for his help.",
        );
        assert!(chains.iter().flatten().all(|mention| mention != "his"), "{chains:?}");
    }

    #[test]
    fn a_building_that_is_visited_stands_for_nobody() {
        let (_, entities) = found("Tourists stood outside the Kremlin on Sunday. The Kremlin said nothing.");
        let kinds: Vec<MentionKind> = entities
            .list
            .iter()
            .filter(|entity| entity.name == "Kremlin")
            .flat_map(|entity| entity.mentions.iter().map(|mention| mention.kind))
            .collect();
        assert_eq!(kinds, [MentionKind::Name, MentionKind::Metonym]);
    }
}
