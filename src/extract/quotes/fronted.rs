//! What was said before or around its cue: "it would appeal, the ministry said".
//!
//! ```text
//! The port, the ministry said, will close in May.
//! ^^^^^^^^                     ^^^^^^^^^^^^^^^^^ content
//!           ^^^^^^^^^^^^ speaker
//! ```
//!
//! Needs a comma or a mark before the attribution and a verb in what was said. Words of the writer's own ("When she
//! was asked, Ames said") are no content.

use std::ops::Range;

use super::{SpeakerRule, direct::is_phrase_at, indirect::Reader, tree::Phrase};
use crate::model::{
    parser::Relation,
    tagger::{Upos, Xpos},
};

/// Words of content below which a fronted clause is none.
const FRONTED_WORDS_MIN: usize = 2;
/// Words of a role before a name.
const ROLE_WORDS_MAX: usize = 24;
/// Nouns for somebody who speaks for others or by office.
const ROLES: [&str; 40] = [
    "adviser",
    "advisor",
    "ambassador",
    "analyst",
    "attorney",
    "author",
    "bishop",
    "captain",
    "chairman",
    "chairwoman",
    "chief",
    "commander",
    "commissioner",
    "coordinator",
    "delegate",
    "deputy",
    "director",
    "economist",
    "envoy",
    "executive",
    "founder",
    "governor",
    "head",
    "judge",
    "lawmaker",
    "lawyer",
    "leader",
    "manager",
    "mayor",
    "minister",
    "officer",
    "official",
    "president",
    "professor",
    "representative",
    "researcher",
    "secretary",
    "senator",
    "spokesman",
    "spokeswoman",
];

impl Reader<'_, '_> {
    /// What was said before or around its cue: "it would appeal, the ministry said".
    pub(super) fn fronted(
        &self,
        verb: usize,
        speaker: Option<&Phrase>,
        range: &Range<usize>,
    ) -> Option<(Vec<Range<usize>>, Option<Phrase>)> {
        let tree = self.tree;
        let own = speaker.filter(|phrase| matches!(phrase.rule, SpeakerRule::Subject | SpeakerRule::Beside));
        let beside = || {
            // "…, said Ames": the parse may call the speaker an object.
            let objects = [Relation::Obj, Relation::Ccomp, Relation::Dep, Relation::Appos, Relation::Obl];
            let head = tree.children(verb).find(|child| {
                *child > verb && *child <= verb + 4 && tree.is_noun(*child) && objects.contains(&tree.relation(*child))
            })?;
            let phrase = tree.noun_phrase(head, verb, range);
            (!phrase.is_empty()).then_some(Phrase { range: phrase, head, rule: SpeakerRule::Beside })
        };
        let speaker = own
            .cloned()
            .or_else(|| tree.words_before(verb, range))
            .or_else(beside)
            .or_else(|| self.name_before(verb, range))?;
        let speaker = self.with_role(speaker, range);
        let group = tree.verb_group(verb, range);
        let start = group.start.min(speaker.range.start);
        // A comma, and words before it.
        let comma = start.checked_sub(1).filter(|comma| *comma > range.start)?;
        if !matches!(tree.word(comma), "," | "—" | "–" | "--" | "-" | "”" | "\"" | "''" | "’") {
            return None;
        }
        let before = tree.trim(&(range.start..comma));
        // "According to the minister, the sides agreed": what the minister said is another report.
        if self.lexicon.phrases().iter().any(|phrase| is_phrase_at(tree, before.start, &phrase.words)) {
            return None;
        }
        let own_words = before.clone().filter(|token| !tree.is_punctuation(*token)).count();
        let clausal = before.clone().any(|token| matches!(tree.upos(token), Upos::Verb | Upos::Aux));
        let above = tree.head(verb).filter(|head| before.contains(head));
        let below = tree.children(verb).any(|child| {
            before.contains(&child)
                && matches!(
                    tree.relation(child),
                    Relation::Ccomp | Relation::Parataxis | Relation::Dep | Relation::Csubj
                )
        });
        let medial = above.is_none()
            && tree.head(verb).is_some_and(|head| head > verb && range.contains(&head))
            && matches!(tree.relation(verb), Relation::Parataxis | Relation::Ccomp | Relation::Dep);
        let clause = tree.under(verb, range);
        let mut rest_start = group.end.max(speaker.range.end);
        // What belongs to the cue behind it: "told reporters on Monday".
        for child in tree.children(verb).filter(|child| *child > verb && range.contains(child)) {
            let obliques = [
                Relation::Obl,
                Relation::OblUnmarked,
                Relation::Obj,
                Relation::Iobj,
                Relation::Advmod,
                Relation::Advcl,
            ];
            if obliques.contains(&tree.relation(child)) && !before.contains(&child) {
                rest_start = rest_start.max(tree.under(child, range).end);
            }
        }
        let rest = tree.trim(&(rest_start..range.end));
        let goes_on = tree.word(rest_start) == "," && rest.len() >= FRONTED_WORDS_MIN;
        let paratactic = above.is_some()
            && (matches!(tree.relation(verb), Relation::Parataxis | Relation::Ccomp | Relation::Dep)
                || self.is_clause_of_its_own(verb, &speaker, &group));
        if medial && goes_on && own_words >= 1 {
            return Some((vec![before, rest], Some(speaker)));
        }
        if own_words < FRONTED_WORDS_MIN || !clausal {
            return None;
        }
        if paratactic && goes_on && above.is_some_and(|head| tree.under(head, range).end > clause.end) {
            return Some((vec![before, rest], Some(speaker)));
        }
        let trails = rest.is_empty() || !goes_on;
        let root = tree.head(verb).is_none_or(|head| !range.contains(&head));
        // The first words may be the writer's own: "In Rome, Ames said" has no verb before the comma.
        let subordinate = before.clone().next().is_some_and(|first| {
            tree.upos(first) == Upos::Sconj || matches!(tree.word(first), "When" | "While" | "As" | "After" | "Asked")
        });
        (paratactic || below || root && trails && !subordinate).then_some((vec![before], Some(speaker)))
    }

    /// A finite verb with its own subject before it and nothing that subordinates it is no side clause, whatever the
    /// parse hangs it on: "it will cut jobs, Bloomberg reported".
    fn is_clause_of_its_own(&self, verb: usize, speaker: &Phrase, group: &Range<usize>) -> bool {
        let tree = self.tree;
        let side =
            matches!(tree.relation(verb), Relation::Acl | Relation::AclRelcl | Relation::Advcl | Relation::Appos);
        let finite = group.clone().any(|token| matches!(tree.xpos(token), Xpos::Vbd | Xpos::Vbz | Xpos::Vbp));
        let free = tree.children(verb).all(|child| {
            child >= speaker.range.start || !matches!(tree.relation(child), Relation::Mark | Relation::Cc)
        });
        let relative = matches!(tree.word(speaker.head), "who" | "which" | "that" | "what" | "whom");
        side && finite && free && !relative && speaker.range.end <= group.start
    }

    /// "…, the envoy to the talks, Ilse Brandt, has said" where the parse has no subject: the name between the commas
    /// before the verb; with a role behind it, both.
    fn name_before(&self, verb: usize, range: &Range<usize>) -> Option<Phrase> {
        let tree = self.tree;
        let group = tree.verb_group(verb, range);
        let comma = group.start.checked_sub(1).filter(|comma| tree.word(*comma) == "," && *comma > range.start)?;
        let segment = |comma: usize| {
            let before = (range.start..comma).rev().take(ROLE_WORDS_MAX).find(|token| tree.word(*token) == ",")?;
            let words = before + 1..comma;
            let nominal = words.clone().all(|token| {
                !matches!(tree.upos(token), Upos::Verb | Upos::Aux | Upos::Sconj | Upos::Cconj | Upos::Adv | Upos::Pron)
            });
            (nominal && !words.is_empty()).then_some(words)
        };
        let is_name = |words: &Range<usize>| tree.upos(words.end - 1) == Upos::Propn;
        let head_of = |words: &Range<usize>| {
            words.clone().find(|token| tree.head(*token).is_none_or(|head| !words.contains(&head)))
        };
        let near = segment(comma)?;
        if is_name(&near) {
            return Some(Phrase { head: head_of(&near)?, range: near, rule: SpeakerRule::Beside });
        }
        let is_role = near.clone().any(|token| tree.upos(token) == Upos::Noun && ROLES.contains(&tree.lemma(token)));
        let name = segment(near.start - 1).filter(|name| is_role && is_name(name))?;
        Some(Phrase { head: head_of(&name)?, range: name.start..near.end, rule: SpeakerRule::Beside })
    }

    /// "…, Norland's envoy to the talks, Ilse Brandt, said": the role before the name belongs to it.
    fn with_role(&self, mut speaker: Phrase, range: &Range<usize>) -> Phrase {
        let tree = self.tree;
        let start = speaker.range.start;
        let Some(comma) = start.checked_sub(1).filter(|comma| tree.word(*comma) == "," && *comma > range.start) else {
            return speaker;
        };
        if tree.upos(speaker.head) != Upos::Propn {
            return speaker;
        }
        let Some(before) = (range.start..comma).rev().take(ROLE_WORDS_MAX).find(|token| tree.word(*token) == ",")
        else {
            return speaker;
        };
        let role = before + 1..comma;
        let nominal =
            role.clone().all(|token| !matches!(tree.upos(token), Upos::Verb | Upos::Aux | Upos::Sconj | Upos::Cconj));
        let noun = role.clone().find(|token| tree.upos(*token) == Upos::Noun && ROLES.contains(&tree.lemma(*token)));
        if nominal && noun.is_some() {
            speaker.range.start = role.start;
        }
        speaker
    }
}
