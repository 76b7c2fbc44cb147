//! What every fuzz target asserts, whoever feeds it.

use copydesk::{
    decode::{self, Hints},
    story::Format,
};

/// One target: reads the input as a format, or as what it looks like.
pub(crate) fn target(input: &[u8], format: Option<Format>) {
    let hints = Hints { format, ..Hints::default() };
    let stories = match decode::decode_all(input, &hints) {
        Ok(stories) => stories,
        Err(error) => {
            assert!(error.code.starts_with("decode."));
            assert!(error.offset.is_none_or(|offset| offset <= input.len()));
            return;
        }
    };
    assert!(!stories.is_empty());
    for story in stories.iter().flatten() {
        assert!(!story.text.contains('\r') && !story.id.is_empty());
        let spans = story.anomalies.iter().filter_map(|anomaly| anomaly.span);
        for span in spans.chain(story.markup.iter().map(|markup| markup.span)) {
            assert!(story.text.get(span.start()..span.end()).is_some(), "{span:?} does not fit");
        }
    }
}
