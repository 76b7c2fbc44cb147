//! Relations, and head scores → a dependency tree.

use super::tagger::named;

named! {
    /// Relation of a word to its head (universaldependencies.org/en/dep), subtypes included.
    Relation {
        Acl = "acl", AclRelcl = "acl:relcl", Advcl = "advcl", AdvclRelcl = "advcl:relcl", Advmod = "advmod",
        Amod = "amod", Appos = "appos", Aux = "aux", AuxPass = "aux:pass", Case = "case", Cc = "cc",
        CcPreconj = "cc:preconj", Ccomp = "ccomp", Compound = "compound", CompoundPrt = "compound:prt", Conj = "conj",
        Cop = "cop", Csubj = "csubj", CsubjOuter = "csubj:outer", CsubjPass = "csubj:pass", Dep = "dep", Det = "det",
        DetPredet = "det:predet", Discourse = "discourse", Dislocated = "dislocated", Expl = "expl", Fixed = "fixed",
        Flat = "flat", Goeswith = "goeswith", Iobj = "iobj", List = "list", Mark = "mark", Nmod = "nmod",
        NmodDesc = "nmod:desc", NmodPoss = "nmod:poss", NmodUnmarked = "nmod:unmarked", Nsubj = "nsubj",
        NsubjOuter = "nsubj:outer", NsubjPass = "nsubj:pass", Nummod = "nummod", Obj = "obj", Obl = "obl",
        OblAgent = "obl:agent", OblUnmarked = "obl:unmarked", Orphan = "orphan", Parataxis = "parataxis",
        Punct = "punct", Reparandum = "reparandum", Root = "root", Vocative = "vocative", Xcomp = "xcomp",
    }
}

impl Relation {
    /// The relation without its subtype: `nsubj` for `nsubj:pass`.
    pub fn universal(self) -> &'static str {
        self.name().split(':').next().unwrap_or_default()
    }
}

/// Heads of the highest-scoring tree over a sentence of `words` words.
///
/// `scores` holds one row a word and one column a possible head, column 0 being the root; the
/// diagonal is ignored. Every word gets its best head; only where that makes a cycle or more
/// than one root does the search for the best tree begin (Chu and Liu 1965, Edmonds 1967).
/// `heads[i]` is 0 for the root, else one more than the index of the head.
pub fn tree(scores: &[f32], words: usize, heads: &mut Vec<u32>) {
    let width = words + 1;
    heads.clear();
    let mut roots = 0;
    for (word, row) in scores.chunks_exact(width).take(words).enumerate() {
        let mut best = (0, f32::NEG_INFINITY);
        for (head, score) in row.iter().enumerate() {
            if head != word + 1 && *score > best.1 {
                best = (head as u32, *score);
            }
        }
        roots += u32::from(best.0 == 0);
        heads.push(best.0);
    }
    if words == 0 || (roots == 1 && hangs_together(heads)) {
        return;
    }
    // A second root costs more than any other choice could gain.
    let penalty = 1e6;
    let node = |dependent: usize, head: usize| {
        if dependent == 0 || dependent == head {
            return f64::NEG_INFINITY;
        }
        let score = f64::from(scores.get((dependent - 1) * width + head).copied().unwrap_or_default());
        score - if head == 0 { penalty } else { 0.0 }
    };
    let mut table = Vec::with_capacity(width * width);
    for dependent in 0..width {
        table.extend((0..width).map(|head| node(dependent, head)));
    }
    for (head, found) in heads.iter_mut().zip(best_tree(&table, width).into_iter().skip(1)) {
        *head = found as u32;
    }
}

/// Words whose way to the root is followed without memory from the heap.
const SHORT: usize = 512;

/// Whether every word leads to the root.
fn hangs_together(heads: &[u32]) -> bool {
    if heads.len() >= SHORT {
        return cycle(heads.iter().map(|head| *head as usize)).is_none();
    }
    // From which word each was first reached; 0 is none, as words count from 1.
    let mut reached = [0_u16; SHORT];
    for start in 1..=heads.len() {
        let mut node = start;
        while node != 0 && reached[node] == 0 {
            reached[node] = start as u16;
            node = heads[node - 1] as usize;
        }
        if node != 0 && usize::from(reached[node]) == start {
            return false;
        }
    }
    true
}

/// Members of a cycle among heads (0 is the root, the first item is node 1), if there is one.
fn cycle(heads: impl ExactSizeIterator<Item = usize>) -> Option<Vec<usize>> {
    let mut parents: Vec<usize> = Vec::with_capacity(heads.len() + 1);
    parents.push(0);
    parents.extend(heads);
    let mut seen_from = vec![0_usize; parents.len()];
    for start in 1..parents.len() {
        let mut node = start;
        while node != 0 && seen_from[node] == 0 {
            seen_from[node] = start;
            node = parents[node];
        }
        if node != 0 && seen_from[node] == start {
            let mut members = vec![node];
            let mut next = parents[node];
            while next != node {
                members.push(next);
                next = parents[next];
            }
            return Some(members);
        }
    }
    None
}

/// The best tree rooted in node 0; the table has a row a dependent and a column a head.
fn best_tree(table: &[f64], size: usize) -> Vec<usize> {
    let score = |dependent: usize, head: usize| table[dependent * size + head];
    let best = |dependent: usize| {
        let mut found = (0, f64::NEG_INFINITY);
        for (head, score) in table[dependent * size..(dependent + 1) * size].iter().enumerate() {
            if head != dependent && *score > found.1 {
                found = (head, *score);
            }
        }
        found.0
    };
    let mut heads: Vec<usize> = (0..size).map(|node| if node == 0 { 0 } else { best(node) }).collect();
    let Some(members) = cycle(heads.iter().skip(1).copied()) else { return heads };

    // The cycle becomes one node, the last, and the smaller problem is solved.
    let mut inside = vec![false; size];
    for member in &members {
        inside[*member] = true;
    }
    let outside: Vec<usize> = (0..size).filter(|node| !inside[*node]).collect();
    let merged = outside.len();
    let narrow = merged + 1;
    let mut smaller = vec![f64::NEG_INFINITY; narrow * narrow];
    let mut enters = vec![members[0]; merged];
    let mut leaves = vec![members[0]; merged];
    for (index, node) in outside.iter().enumerate() {
        for (other, head) in outside.iter().enumerate() {
            smaller[index * narrow + other] = score(*node, *head);
        }
        for member in &members {
            let into = score(*member, *node) - score(*member, heads[*member]);
            if into > smaller[merged * narrow + index] {
                (smaller[merged * narrow + index], enters[index]) = (into, *member);
            }
            let out = score(*node, *member);
            if out > smaller[index * narrow + merged] {
                (smaller[index * narrow + merged], leaves[index]) = (out, *member);
            }
        }
    }
    let found = best_tree(&smaller, narrow);
    for (index, node) in outside.iter().enumerate().skip(1) {
        heads[*node] = outside.get(found[index]).copied().unwrap_or(leaves[index]);
    }
    let entry = found[merged].min(merged - 1);
    heads[enters[entry]] = outside[entry];
    heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All trees of up to four words, tried one by one.
    fn by_trying(scores: &[f32], words: usize) -> f32 {
        let mut best = f32::NEG_INFINITY;
        for code in 0..(words + 1).pow(words as u32) {
            let heads: Vec<usize> = (0..words).map(|w| code / (words + 1).pow(w as u32) % (words + 1)).collect();
            let one_root = heads.iter().filter(|head| **head == 0).count() == 1;
            if one_root && cycle(heads.iter().copied()).is_none() {
                best = best.max(heads.iter().enumerate().map(|(w, h)| scores[w * (words + 1) + h]).sum());
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_tree_is_better(words in 1_usize..5, numbers in proptest::collection::vec(-50_i8..50, 20)) {
            let scores: Vec<f32> = numbers.iter().take(words * (words + 1)).map(|n| f32::from(*n)).collect();
            let mut heads = Vec::new();
            tree(&scores, words, &mut heads);
            prop_assert!(cycle(heads.iter().map(|head| *head as usize)).is_none());
            prop_assert_eq!(heads.iter().filter(|head| **head == 0).count(), 1);
            let total: f32 = heads.iter().enumerate().map(|(w, h)| scores[w * (words + 1) + *h as usize]).sum();
            prop_assert!((total - by_trying(&scores, words)).abs() < 0.5);
        }
    }
}
