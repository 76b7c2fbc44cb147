//! What reading a story asks of the allocator: bounded by its length, and the same however many
//! stories were read before it. Counted, never timed; one test, because it counts for the process.

use std::alloc::System;

use copydesk::{
    decode::{Hints, decode},
    extract::{Desk, grammar, names},
    story::Story,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

mod fixtures;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations and bytes for something.
fn cost<T>(work: impl FnOnce() -> T) -> (usize, usize) {
    let region = Region::new(ALLOCATOR);
    let made = work();
    let change = region.change();
    drop(made);
    (change.allocations + change.reallocations, change.bytes_allocated)
}

#[test]
fn a_story_costs_what_its_length_says_and_no_more_after_others() {
    /// Bytes that the grammar and the names of a story may ask for, a word of it: what they give and their buffers' growth.
    const STATISTICS_BYTES_A_WORD: usize = 2_600;
    /// Allocations of the grammar and the names for it: the search for the best tree of each sentence, above all.
    const STATISTICS_ALLOCATIONS_A_WORD: usize = 8;
    /// Allocations of the names of a story, however long: what they give, and no buffer.
    const NAMES_ALLOCATIONS: usize = 64;
    /// Bytes that all stages together may ask for, a word.
    const ALL_BYTES_A_WORD: usize = 4_000;

    let desk = Desk::new();
    let stories: Vec<Story> =
        fixtures::stories().iter().filter_map(|(_, bytes)| decode(bytes, &Hints::default()).ok()).collect();
    let findings: Vec<_> = stories.iter().map(|story| desk.find(story)).collect();
    let model = names::Names::built_in().expect("the built-in model");
    let (mut of_grammar, mut of_names) = (grammar::Scratch::default(), names::Scratch::default());
    let mut statistics = |at: usize| {
        let (text, found) = (&stories[at].text, &findings[at]);
        let models = grammar::Models::embedded();
        let trees = cost(|| grammar::run_with(text, &found.tokens, &found.sentences, models, &mut of_grammar));
        let named = cost(|| model.run(text, &found.tokens, &found.sentences, &mut of_names));
        (trees.0 + named.0, trees.1 + named.1, named.0)
    };
    let all = |at: usize| cost(|| desk.find(&stories[at]));
    // Once round warms the buffers.
    let warm: Vec<_> = (0..stories.len()).map(|at| (statistics(at), all(at))).collect();
    let first: Vec<_> = (0..stories.len()).map(|at| (statistics(at), all(at))).collect();
    let later: Vec<_> = (0..stories.len()).map(|at| (statistics(at), all(at))).collect();
    for (at, story) in stories.iter().enumerate() {
        let words = story.text.split_whitespace().count();
        let ((allocations, bytes, of_names), (_, whole)) = later[at];
        assert!(of_names <= NAMES_ALLOCATIONS, "{}: {of_names} allocations for names", story.id);
        assert!(
            allocations <= STATISTICS_ALLOCATIONS_A_WORD * words,
            "{}: {allocations} allocations for {words} words",
            story.id
        );
        assert!(bytes <= STATISTICS_BYTES_A_WORD * words, "{}: {} bytes a word", story.id, bytes / words);
        assert!(whole <= ALL_BYTES_A_WORD * words, "{}: {} bytes a word in all", story.id, whole / words);
        // Maps that are seeded anew may grow at other moments; bytes for findings do not depend on that.
        assert_eq!(first[at].0, later[at].0, "{}: the statistics ask for more the longer the desk runs", story.id);
        assert!(warm[at].0.1 >= later[at].0.1, "{}: warm buffers save nothing", story.id);
    }
}
