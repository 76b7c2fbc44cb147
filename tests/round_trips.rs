//! What is written is read back: a small writer for each format, in the tests only, and stories
//! whose fields are put together at random.

#![allow(clippy::format_push_string, clippy::format_collect, reason = "a test over short texts")]

use copydesk::{
    decode::{Hints, decode},
    story::{DeclaredStatus, Format, Story},
};
use proptest::prelude::*;

/// What a desk has in mind before it is put on a wire.
#[derive(Clone, Debug)]
struct Copy {
    headline: String,
    slug: String,
    byline: String,
    priority: u8,
    category: char,
    number: u16,
    version: Option<u32>,
    status: Option<DeclaredStatus>,
    embargo: Option<String>,
    paragraphs: Vec<String>,
}

impl Copy {
    fn uri(&self) -> String {
        format!("urn:newsml:desk.example:20310304:{}", self.number)
    }
}

const WORDS: [&str; 20] = [
    "harbour", "ferry", "pumps", "council", "bridge", "market", "river", "school", "engine", "winter", "grain",
    "pilot", "island", "teacher", "window", "garden", "signal", "copper", "lantern", "voyage",
];

fn words(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    proptest::collection::vec(0..WORDS.len(), count)
        .prop_map(|chosen| chosen.into_iter().map(|index| WORDS[index]).collect::<Vec<_>>().join(" "))
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Sentences with what wires and markup write otherwise: quotation marks, dashes, ampersands.
fn paragraph() -> impl Strategy<Value = String> {
    (words(4..30), words(2..8), 0..4_u8).prop_map(|(first, second, kind)| {
        let (first, second) = (capitalised(&first), capitalised(&second));
        match kind {
            0 => format!("{first} — and {second}."),
            1 => format!("“{first},” said Smith & Sons. “{second}.”"),
            2 => format!("{first} 4 < 5. {second}."),
            _ => format!("{first}. {second}."),
        }
    })
}

fn copy() -> impl Strategy<Value = Copy> {
    let status = proptest::option::of(prop_oneof![
        Just(DeclaredStatus::Usable),
        Just(DeclaredStatus::Withheld),
        Just(DeclaredStatus::Kill)
    ]);
    let embargo =
        proptest::option::of((1..28_u8, 0..24_u8).prop_map(|(day, hour)| format!("2031-04-{day:02}T{hour:02}:00:00Z")));
    let lines = (words(3..7), words(1..3), words(2..3));
    let numbers = (1..6_u8, proptest::char::range('a', 'z'), 1..10_000_u16, proptest::option::of(1..10_u32));
    (lines, numbers, status, embargo, proptest::collection::vec(paragraph(), 1..8)).prop_map(
        |((headline, slug, byline), (priority, category, number, version), status, embargo, paragraphs)| Copy {
            headline: capitalised(&headline),
            slug: capitalised(&slug),
            byline: format!("By {}", byline.split(' ').map(capitalised).collect::<Vec<_>>().join(" ")),
            priority,
            category,
            number,
            version,
            status,
            embargo,
            paragraphs,
        },
    )
}

fn ordinal(number: u32) -> String {
    let end = match number {
        1 => "st",
        2 => "nd",
        3 => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// Lines of at most so many characters.
fn wrap(text: &str, width: usize) -> String {
    let (mut wrapped, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        if column > 0 && column + word.len() > width {
            wrapped.push_str("\r\n");
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
        }
        wrapped.push_str(word);
        column += word.len() + 1;
    }
    wrapped
}

fn anpa(copy: &Copy) -> String {
    let priority = ['f', 'b', 'u', 'r', 'd'][usize::from(copy.priority) - 1];
    let mut slug = format!("BC-{}", copy.slug);
    if let Some(version) = copy.version {
        slug.push_str(&format!(", {} Ld-Writethru", ordinal(version)));
    }
    if copy.status == Some(DeclaredStatus::Kill) {
        slug.push_str(", Mandatory Kill");
    }
    let body: String = copy
        .paragraphs
        .iter()
        .map(|text| {
            let text = text.replace('“', "``").replace('”', "''").replace('—', "_");
            format!("\t   {}\r\n \r\n", wrap(&text, 76))
        })
        .collect();
    format!(
        "\u{16}\u{16}\u{1}W{:04}\u{1f}desks\r\n{priority} {}\u{13}\u{11}BC-Slug     03-04 0100\r\n\
         \u{2}^{slug},0100<\r\n^{}<\r\n^{}=\r\n{body}\u{3}AP-WF-03-04-31 1306GMT<\r\n\u{4}\r\n",
        copy.number, copy.category, copy.headline, copy.byline
    )
}

fn iptc(copy: &Copy) -> String {
    let version = copy.version.map_or_else(String::new, |version| format!("{} LEAD\r\n", ordinal(version)));
    let kill = if copy.status == Some(DeclaredStatus::Kill) { "KILL\r\n" } else { "" };
    let body: String = copy.paragraphs.iter().map(|text| format!("{}\r\n\r\n", wrap(text, 69))).collect();
    format!(
        "\u{1}nwe{:04} {} {} 0100\r\n\r\n{}/desk/\r\n\u{2}{kill}{version}{}\r\n{} =\r\n\r\n{body}\u{3}041306 GMT Mar 31\r\n\u{4}\r\n",
        copy.number, copy.priority, copy.category, copy.slug, copy.headline, copy.byline
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn marked_up(copy: &Copy) -> String {
    copy.paragraphs.iter().map(|text| format!("<p>{}</p>\n", escape(text))).collect()
}

fn status_word(status: Option<DeclaredStatus>) -> Option<&'static str> {
    Some(match status? {
        DeclaredStatus::Withheld => "withheld",
        DeclaredStatus::Kill => "canceled",
        _ => "usable",
    })
}

fn nitf(copy: &Copy) -> String {
    let status = status_word(copy.status).map_or_else(String::new, |word| format!(" management-status='{word}'"));
    let version = copy.version.map_or_else(String::new, |version| format!(" version='{version}'"));
    let release = copy.embargo.as_ref().map_or_else(String::new, |time| format!("<date.release norm='{time}'/>"));
    format!(
        "<?xml version='1.0'?><nitf><head><meta name='category' content='{}'/><meta name='slug' content='{}'/>\
         <docdata{status}><doc-id id-string='{}'/><urgency ed-urg='{}'/><date.issue norm='20310304T130600Z'/>{release}\
         <du-key key='key'{version}/></docdata></head><body><body.head><hedline><hl1>{}</hl1></hedline>\
         <byline>{}</byline></body.head><body.content>{}</body.content></body></nitf>",
        copy.category,
        copy.slug,
        copy.uri(),
        copy.priority,
        copy.headline,
        copy.byline,
        marked_up(copy)
    )
}

fn newsml_g2(copy: &Copy) -> String {
    let status = status_word(copy.status).map_or_else(String::new, |word| format!("<pubStatus qcode='stat:{word}'/>"));
    let version = copy.version.map_or_else(String::new, |version| format!(" version='{version}'"));
    let embargo = copy.embargo.as_ref().map_or_else(String::new, |time| format!("<embargoed>{time}</embargoed>"));
    format!(
        "<newsItem xmlns='http://iptc.org/std/nar/2006-10-01/' guid='{}'{version}><itemMeta>\
         <itemClass qcode='ninat:text'/><versionCreated>2031-03-04T13:06:00Z</versionCreated>{embargo}{status}</itemMeta>\
         <contentMeta><urgency>{}</urgency><headline>{}</headline><slugline>{}</slugline><by>{}</by></contentMeta>\
         <contentSet><inlineXML contenttype='application/xhtml+xml'><html xmlns='http://www.w3.org/1999/xhtml'><body>{}\
         </body></html></inlineXML></contentSet></newsItem>",
        copy.uri(),
        copy.priority,
        copy.headline,
        copy.slug,
        copy.byline,
        marked_up(copy)
    )
}

fn ninjs(copy: &Copy) -> String {
    let mut item = serde_json::json!({
        "uri": copy.uri(), "type": "text", "versioncreated": "2031-03-04T13:06:00Z", "urgency": copy.priority,
        "headline": copy.headline, "slugline": copy.slug, "byline": copy.byline, "body_xhtml": marked_up(copy),
    });
    let optional = [
        ("version", copy.version.map(|version| version.to_string())),
        ("pubstatus", status_word(copy.status).map(str::to_owned)),
        ("embargoed", copy.embargo.clone()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            item[name] = value.into();
        }
    }
    item.to_string()
}

fn read(transmission: &str, format: Format) -> Story {
    let story = decode(transmission.as_bytes(), &Hints::default()).expect("a story");
    assert_eq!(story.format, format, "{transmission}");
    story
}

/// What every format carries.
fn assert_same(copy: &Copy, story: &Story) {
    assert_eq!(story.headline.as_deref(), Some(copy.headline.as_str()));
    assert_eq!(story.byline.as_deref(), Some(copy.byline.as_str()));
    assert_eq!(story.urgency, Some(copy.priority));
    assert_eq!(story.version, copy.version);
    assert_eq!(story.text.trim_end().split('\n').collect::<Vec<_>>(), copy.paragraphs);
    let time = story.reference_time.as_ref().map(|time| time.value.as_str());
    assert_eq!(time, Some("2031-03-04T13:06:00Z"));
}

/// The wires have no word for a usable story, and a version is a writethru or a lead.
fn assert_same_wire(copy: &Copy, story: &Story, lead: DeclaredStatus) {
    assert_same(copy, story);
    assert_eq!(story.category.as_deref(), Some(copy.category.to_string().as_str()));
    let kill = (copy.status == Some(DeclaredStatus::Kill)).then_some(DeclaredStatus::Kill);
    assert_eq!(story.status, kill.or(copy.version.map(|_| lead)));
}

/// Formats with fields of their own say all of it.
fn assert_same_item(copy: &Copy, story: &Story) {
    assert_same(copy, story);
    assert_eq!(story.id, copy.uri());
    assert_eq!(story.slugline.as_deref(), Some(copy.slug.as_str()));
    assert_eq!(story.status, copy.status);
    assert_eq!(story.embargo, copy.embargo);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn anpa_1312(mut copy in copy()) {
        // `<` is a control of this wire: the end of a line.
        for text in &mut copy.paragraphs {
            *text = text.replace(" < ", " under ");
        }
        let story = read(&anpa(&copy), Format::Anpa1312);
        assert_same_wire(&copy, &story, DeclaredStatus::Writethru);
        assert_eq!(story.id, format!("W{:04}-2031-03-04", copy.number));
        let slug = story.slugline.as_deref().unwrap_or_default();
        assert_eq!(slug.split(',').next(), Some(format!("BC-{}", copy.slug).as_str()));
    }

    #[test]
    fn iptc_7901(copy in copy()) {
        let story = read(&iptc(&copy), Format::Iptc7901);
        assert_same_wire(&copy, &story, DeclaredStatus::Update);
        assert_eq!(story.id, format!("nwe{:04}-2031-03-04", copy.number));
        assert_eq!(story.slugline, Some(format!("{}/desk", copy.slug)));
    }

    #[test]
    fn nitf_3(copy in copy()) {
        let story = read(&nitf(&copy), Format::Nitf);
        assert_same_item(&copy, &story);
        assert_eq!(story.category, Some(copy.category.to_string()));
    }

    #[test]
    fn newsml_g2_item(copy in copy()) {
        assert_same_item(&copy, &read(&newsml_g2(&copy), Format::NewsmlG2));
    }

    #[test]
    fn ninjs_item(copy in copy()) {
        assert_same_item(&copy, &read(&ninjs(&copy), Format::Ninjs));
    }
}
