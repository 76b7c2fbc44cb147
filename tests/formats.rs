//! Every wire format: transmissions written after the standards, and the stories they become.
//!
//! One snapshot a transmission. `INSTA_UPDATE=always cargo test --test formats` accepts changes;
//! a snapshot that no transmission stands behind fails a test of its own.

#[expect(dead_code, reason = "the sample stories are read by other tests")]
mod fixtures;

use std::{collections::BTreeSet, fmt::Write, sync::LazyLock};

use copydesk::{
    decode::{self, DecodeError, Hints},
    extract::Desk,
    story::{Format, Story},
};
use proptest::prelude::*;

static TRANSMISSIONS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let entries = std::fs::read_dir(fixtures::folder("tests/fixtures/formats")).expect("the transmissions");
    let mut found: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a transmission"))
        })
        .collect();
    found.sort();
    found
});

#[test]
fn transmissions_become_stories() {
    for (name, bytes) in TRANSMISSIONS.iter() {
        let page = match decode::decode_all(bytes, &Hints::default()) {
            Ok(stories) => stories.iter().map(page).collect::<Vec<_>>().join("\n----\n\n"),
            Err(error) => page(&Err(error)),
        };
        insta::assert_snapshot!(name.as_str(), page);
    }
}

/// Every snapshot belongs to a transmission.
#[test]
fn no_snapshot_without_a_transmission() {
    for entry in std::fs::read_dir(fixtures::folder("tests/snapshots")).expect("snapshots") {
        let file = entry.expect("a file").file_name().to_string_lossy().into_owned();
        let known = TRANSMISSIONS.iter().any(|(name, _)| file == format!("formats__{name}.snap"));
        assert!(!file.starts_with("formats__") || known, "{file} has no transmission");
    }
}

/// The story as a page that a person can proofread.
fn page(story: &Result<Story, DecodeError>) -> String {
    let story = match story {
        Ok(story) => story,
        Err(error) => return format!("refused: {error} (id {:?}, at {:?})\n", error.id, error.offset),
    };
    let mut page = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(page, "{name}: {value}");
        }
    };
    line("format", Some(format!("{} in {}", story.format.name(), story.encoding)));
    line("id", Some(story.id.replace(&story.sha256, "…")));
    line("lineage key", story.lineage_key.clone());
    line("version", story.version.map(|number| number.to_string()));
    line("status", story.status.map(|status| format!("{status:?}")));
    line("embargo", story.embargo.clone());
    line("reference time", story.reference_time.as_ref().map(|time| time.value.clone()));
    line("source", story.source.clone());
    line("language", story.language.clone());
    line("category", story.category.clone());
    line("urgency", story.urgency.map(|urgency| urgency.to_string()));
    line("slugline", story.slugline.clone());
    line("keyword", story.keyword.clone());
    line("take", story.take.clone());
    line("words", story.word_count_declared.map(|count| count.to_string()));
    line("headline", story.headline.clone());
    line("summary", story.summary.clone());
    line("byline", story.byline.clone());
    line("dateline", story.dateline.clone());
    line("ednote", story.ednote.clone());
    line("copyright", story.copyright.clone());
    for (name, value) in &story.extra {
        line(&format!("extra {name}"), Some(value.to_string()));
    }
    for anomaly in &story.anomalies {
        let place = anomaly.span.map_or(String::new(), |span| format!(" {:?}", span.of(&story.text)));
        line("anomaly", Some(format!("{}{place}", anomaly.code)));
    }
    for markup in &story.markup {
        line("markup", Some(format!("{:?} {:?}", markup.kind, markup.span.of(&story.text))));
    }
    let _ = writeln!(page, "\n{}", story.text);
    page
}

/// What holds for everything that decoding gives.
fn hold(input: &[u8]) -> Result<(), TestCaseError> {
    let Ok(stories) = decode::decode_all(input, &Hints::default()) else { return Ok(()) };
    let again = decode::decode_all(input, &Hints::default());
    prop_assert_eq!(Ok(&stories), again.as_ref());
    let mut ids = std::collections::HashSet::new();
    for story in &stories {
        let story = match story {
            Ok(story) => story,
            Err(error) => {
                prop_assert!(error.code.starts_with("decode."));
                prop_assert!(error.offset.is_none_or(|offset| offset <= input.len()));
                continue;
            }
        };
        prop_assert!(!story.text.contains('\r'));
        prop_assert!(ids.insert(story.id.clone()), "the id {:?} is given twice", story.id);
        let spans = story.anomalies.iter().filter_map(|anomaly| anomaly.span);
        for span in spans.chain(story.markup.iter().map(|markup| markup.span)) {
            prop_assert!(story.text.get(span.start()..span.end()).is_some(), "{span:?} does not fit {:?}", story.text);
        }
    }
    Ok(())
}

/// A transmission cut, with bytes flipped, doubled or left out.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..5), 0..8);
    (any::<prop::sample::Index>(), edits, any::<prop::sample::Index>(), prop::bool::weighted(0.3)).prop_map(
        |(which, edits, cut, is_cut)| {
            let mut bytes = which.get(&TRANSMISSIONS).1.clone();
            for (at, value, edit) in edits {
                let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
                match edit {
                    0 if !bytes.is_empty() => bytes[at] = value,
                    1 if !bytes.is_empty() => drop(bytes.remove(at)),
                    2 => bytes.insert(at, value),
                    3 => {
                        const MARKS: &[u8] = b"<>&\"'{}[]^=\x01\x02\x03\t\n";
                        bytes.insert(at, MARKS[usize::from(value) % MARKS.len()]);
                    }
                    _ => {
                        let piece: Vec<u8> = bytes.iter().skip(at).take(usize::from(value)).copied().collect();
                        bytes.splice(at..at, piece);
                    }
                }
            }
            if is_cut {
                bytes.truncate(cut.index(bytes.len().max(1)));
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn spoilt_transmissions_never_panic(bytes in spoilt()) {
        hold(&bytes)?;
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        hold(&bytes)?;
    }

    /// Pieces that formats are told by, in any order.
    #[test]
    fn pieces_of_transmissions_never_panic(
        text in "(\u{1}|\u{2}|\u{3}|\u{1f}|W1234|eca0003 3 i 380|\n|<nitf>|<body>|</body>|<p>|</p>|<newsItem guid='a'>|<rss>|<item>|<feed>|<entry>|<NewsML>|<NewsItem>|\\{|\\}|\"uri\":|\"a\"|,|Subject: a\n|From: b\n|<!\\[CDATA\\[|\\]\\]>|&amp;|&lt;|[a-z ]{1,9}){0,30}"
    ) {
        hold(text.as_bytes())?;
    }
}

/// What decoding gives can be read: the stages hold over the stories of every format.
#[test]
fn stories_of_every_format_become_records() {
    let desk = Desk::new();
    for (name, bytes) in TRANSMISSIONS.iter() {
        let stories = decode::decode_all(bytes, &Hints::default()).unwrap_or_default();
        let records = desk.read_all(bytes, &Hints::default()).unwrap_or_default();
        assert_eq!(stories.len(), records.len(), "in {name}");
        for (story, record) in stories.iter().zip(&records) {
            match (story, record) {
                (Ok(story), Ok(record)) => assert_eq!(record.text, story.text, "in {name}"),
                (story, record) => assert_eq!(story.is_err(), record.is_err(), "in {name}"),
            }
        }
    }
}

/// One transmission is one story for those who ask for one.
#[test]
fn several_stories_are_refused_where_one_is_wanted() {
    let named = |name: &str| &TRANSMISSIONS.iter().find(|(known, _)| known == name).expect("a transmission").1;
    let error = decode::decode(named("rss-feed"), &Hints::default()).expect_err("four items");
    assert_eq!(error.code, "decode.several_stories");
    let story = decode::decode(named("nitf-story"), &Hints::default()).expect("one story");
    assert_eq!(story.format, Format::Nitf);
}

/// What is known of the format beside the bytes overrules what they look like.
#[test]
fn a_hint_overrules_detection() {
    let hints = Hints { format: Some(Format::Plain), ..Hints::default() };
    let story = decode::decode(b"<nitf><body/></nitf>", &hints).expect("plain text");
    assert_eq!((story.format, story.text.as_str()), (Format::Plain, "<nitf><body/></nitf>"));
    let hints = Hints { format: Some(Format::Nitf), ..Hints::default() };
    assert_eq!(decode::decode(b"<rss><channel/></rss>", &hints).map_err(|error| error.code), Err("decode.format"));
}

/// A quarter of a megabyte of whatever invites a reader to look ahead or back again and again:
/// were the work quadratic, this test would not end. There is no clock in it.
#[test]
fn work_is_bounded_in_every_format() {
    let envelopes = [
        ("\u{1}W1234\u{1f}a\r\nr a BC 03-04 0100\r\n\u{2}", "\u{3}AP-WF-03-04-31 1306GMT\u{4}"),
        ("\u{1}nwe0123 3 i 100\r\n\u{2}", "\u{3}041306 GMT Mar 31\u{4}"),
        ("<nitf><body><body.content>", "</body.content></body></nitf>"),
        ("<nitf><head><docdata>", "</docdata></head></nitf>"),
        ("<newsItem guid='a'><contentMeta>", "</contentMeta></newsItem>"),
        ("<NewsML><NewsItem><NewsComponent>", "</NewsComponent></NewsItem></NewsML>"),
        ("<rss><channel><item><description>", "</description></item></channel></rss>"),
        ("<rss><channel><item><description><![CDATA[", "]]></description></item></channel></rss>"),
        ("Subject: a\nFrom: b\n", "\n\ntext"),
        ("{\"uri\":\"a\",\"body_html\":\"", "\"}"),
        ("<newsMessage><header><x>many facts</x></header><itemSet>", "</itemSet></newsMessage>"),
        ("<rss><channel><title>many items</title>", "</channel></rss>"),
    ];
    let units = [
        "a ",
        "<",
        "<a ",
        "<p>",
        "</p>",
        "<b><i>",
        "&amp;",
        "&",
        "&amp;lt;p&amp;gt;",
        "\u{1}",
        "\u{2}\u{3}",
        "^a<\r\n",
        "\t   x\r\n",
        "``''",
        "=?utf-8?Q?",
        "--",
        "x: y\n",
        "<x y='z'/>",
        "<p><person>",
        "<td>",
        "\n\n",
        "a=\n",
        "<!--",
        "ZCZC\n",
        "NNNN\n",
        "<item>",
        "<NewsComponent/>",
    ];
    for (open, close) in envelopes {
        for unit in units {
            let text = format!("{open}{}{close}", unit.repeat((1 << 17) / unit.len()));
            let _ = decode::decode_all(text.as_bytes(), &Hints::default());
        }
    }
}

#[test]
fn the_mapping_tables_name_every_field_of_a_story_and_no_other() {
    let source = include_str!("../src/story.rs");
    let (_, fields) = source.split_once("pub struct Story {").expect("the story");
    let (fields, _) = fields.split_once("\n}").expect("its end");
    let fields: BTreeSet<&str> =
        fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next()).collect();
    let page = include_str!("../docs/FORMATS.md");
    let (_, tables) = page.split_once("\n## Fields\n").expect("the section");
    let (tables, _) = tables.split_once("\n## ").expect("its end");
    let cells = tables.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let mut named = BTreeSet::new();
    for cell in cells.filter(|cell| !["story", "---", "refused"].contains(cell)) {
        for name in cell.split(", ") {
            let name = name.trim_matches('`');
            assert!(fields.contains(name), "`{name}` is no field of a story");
            named.insert(name);
        }
    }
    // What the desk finds out by itself, whatever the format.
    let own = ["format", "encoding", "input_bytes", "sha256", "markup", "anomalies"];
    let missing: Vec<_> = fields.iter().filter(|field| !named.contains(*field) && !own.contains(field)).collect();
    assert!(missing.is_empty(), "no table says what fills {missing:?}");
}
