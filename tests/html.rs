//! The page that `extract --to html` writes: whole, without a way out of its markup, and looked at.
//!
//! Structure is checked over random text and over the sample stories. Where a browser is found
//! (`CHROMIUM`, or one on the path; `scripts/chromium.sh` installs one) the page is laid out at
//! desktop and phone width, by day and by night, and measured; where none is found the test says so.

mod fixtures;
#[path = "html/tags.rs"]
mod tags;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use copydesk::{
    decode::Hints,
    extract::Desk,
    record::{Record, html},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tags::Page;

/// A record over a text, with the lists that are given.
fn record(text: &str, lists: &Value) -> Record {
    let length = text.chars().count();
    let mut record = json!({
        "schema": "copydesk/record/1", "id": "t-1", "text": text,
        "raw": {"format": "plain", "encoding": "utf-8", "bytes": 1, "sha256": "0"},
        "extractor": {"name": "copydesk", "version": "0", "models": {}},
        "paragraphs": [{"start": 0, "end": length, "kind": "body", "section": 0}],
        "sentences": [{"start": 0, "end": length, "paragraph": 0}],
    });
    for (name, list) in lists.as_object().into_iter().flatten() {
        record[name] = list.clone();
    }
    serde_json::from_value(record).expect("a record")
}

fn span(text: &str, start: usize, end: usize) -> Value {
    let words: String = text.chars().skip(start).take(end.saturating_sub(start)).collect();
    json!({"start": start, "end": end, "text": words})
}

/// The text of every paragraph of every story, as the page shows it, is the record's.
#[track_caller]
fn shows_the_text(records: &[Record]) {
    let page = Page::read(&html::page(records)).unwrap_or_else(|error| panic!("{error}"));
    let mut shown = page.paragraphs.iter();
    for record in records {
        let chars: Vec<char> = record.text.chars().collect();
        for paragraph in &record.paragraphs {
            let piece = chars.get(paragraph.start as usize..paragraph.end as usize).unwrap_or_default();
            let expected: String = piece.iter().collect();
            assert_eq!(shown.next().map(|shown| tags::visible(shown)), Some(tags::visible(&expected)));
        }
    }
    assert_eq!(shown.next(), None);
}

#[test]
fn the_sample_stories_make_one_whole_page() {
    let desk = Desk::new();
    let read = |(_, bytes): (String, Vec<u8>)| desk.read_bytes(&bytes, &Hints::default()).expect("decodes");
    let records: Vec<Record> = fixtures::stories().into_iter().map(read).collect();
    shows_the_text(&records);
    let page = html::page(&records);
    for needed in ["<html lang=\"en\">", "<main", "<header", "<footer", "<nav aria-label=", "<aside aria-label="] {
        assert!(page.contains(needed), "{needed} is not there");
    }
    for outside in ["http://", "https://", "//cdn", "@import", "url(", " src=", "<link", "<iframe", " style="] {
        let drawn = page.replace("</script>", "").to_lowercase();
        let in_story = records.iter().any(|record| record.text.to_lowercase().contains(outside));
        assert!(in_story || !drawn.contains(outside), "{outside} would reach outside");
    }
}

#[test]
fn marks_that_overlap_are_split_and_lead_somewhere() {
    let text = "Ada Bell of Norland said no";
    let mention =
        |start, end| json!([{"start": start, "end": end, "text": span(text, start, end)["text"], "kind": "name"}]);
    let page = html::page(&[record(
        text,
        &json!({
            "people": [{"id": "p1", "name": "Ada Bell", "confidence": 1.0, "mentions": mention(0, 19)}],
            "places": [{"id": "l1", "name": "Norland", "confidence": 1.0, "mentions": mention(12, 24)}],
        }),
    )]);
    let page = Page::read(&page).expect("whole");
    assert_eq!(page.paragraphs, [text]);
    let leading = |target: &str| page.links.iter().filter(|link| link.as_str() == target).count();
    assert!(leading("#s1-p1") >= 1, "{:?}", page.links);
    assert!(leading("#s1-l1") >= 2, "the second mark goes on behind the first: {:?}", page.links);
}

#[test]
fn what_a_record_says_never_becomes_markup() {
    let evil = "</p></script><script>alert(1)</script><a href='x' onclick=\"y\">&lt;\u{0}\u{1b}";
    let length = evil.chars().count();
    let whole = span(evil, 0, length);
    let record = record(
        evil,
        &json!({
            "id": evil, "headline": evil, "source": evil,
            "language": {"code": "en\" onload=\"x", "confidence": 1.0},
            "people": [{"id": "p1", "name": evil, "confidence": 1.0, "mentions": [
                {"start": 0, "end": length, "text": evil, "kind": "name"}]}],
            "quotes": [{"id": "q1", "type": "direct", "content": [whole]}],
            "anomalies": [{"code": evil, "start": 1, "end": 4, "text": "/p>", "repair": {"insert": evil, "at": 3}}],
        }),
    );
    let page = html::page(&[record]);
    let read = Page::read(&page).unwrap_or_else(|error| panic!("{error} in {page}"));
    assert_eq!(read.scripts, 1, "only the page's own script");
    assert!(!page.contains("alert(1)<"), "{page}");
}

/// Text in which markup would be at home.
fn markup_like() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{1,80}",
        "([<>&\"'/=!\\-]|script|style|</p>|<!--|-->|\\]\\]>|&lt;|&#0;|[ a-z\n]){1,40}",
        "[\u{0}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{fffe} a-c]{1,40}",
    ]
}

proptest! {
    #[test]
    fn nothing_breaks_out_and_nothing_is_lost(
        text in markup_like(),
        word in markup_like(),
        spans in prop::collection::vec((0_usize..60, 0_usize..60, 0_usize..5), 0..24),
    ) {
        let length = text.chars().count();
        let (mut people, mut quotes, mut anomalies) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (one, other, kind)) in spans.into_iter().enumerate() {
            let (start, end) = (one.min(other).min(length), one.max(other).min(length));
            let place = span(&text, start, end);
            match kind {
                0 | 1 => people.push(json!({"id": format!("p{index}"), "name": word, "confidence": 0.5, "mentions": [
                    {"start": start, "end": end, "text": place["text"], "kind": "name"}]})),
                2 | 3 => quotes.push(json!({"id": format!("q{index}"), "type": "indirect", "content": [place]})),
                _ => anomalies.push(json!({"code": word, "start": start, "end": end, "text": place["text"],
                    "repair": {"insert": word, "at": start}})),
            }
        }
        let record = record(&text, &json!({"headline": word, "people": people, "quotes": quotes, "anomalies": anomalies}));
        let page = Page::read(&html::page(&[record]));
        let page = match page { Ok(page) => page, Err(error) => return Err(TestCaseError::fail(error)) };
        prop_assert_eq!(page.scripts, 1);
        prop_assert_eq!(page.paragraphs.len(), 1);
        prop_assert_eq!(tags::visible(&page.paragraphs[0]), tags::visible(&text));
    }
}

// --- in a browser ---------------------------------------------------------------------------

/// What the page is looked at with: `CHROMIUM`, or what is on the path.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.is_file())
}

/// Runs the browser without a window; gives what it printed.
fn look(browser: &Path, folder: &Path, arguments: &[&str], page: &Path) -> String {
    let profile = tempfile::tempdir_in(folder).expect("a folder");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--allow-file-access-from-files", "--virtual-time-budget=8000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A story with every mark that the record of today can hold.
fn marked_story() -> Record {
    let text = "HARBOURTON, May 4 (Northwire) - Prime Minister Ada Bell of Norland said \"the ferry will sail at dawn, \
        come what may (the ferry is owned by the state - Ed.),\" and Norland's harbour office denied that it had \
        beenaskedbeforethepublicationofthislongunbrokenword.\n\
        \"We were never told,\" said Tom Ames. It is too late now.\"\n";
    Desk::new().read_bytes(text.as_bytes(), &Hints::default()).expect("decodes")
}

#[test]
fn it_looks_right_in_a_browser() {
    let Some(browser) = browser() else {
        println!("NOT LOOKED AT: no browser was found; name one in CHROMIUM or run scripts/chromium.sh");
        return;
    };
    let desk = Desk::new();
    let read = |(_, bytes): (String, Vec<u8>)| desk.read_bytes(&bytes, &Hints::default()).expect("decodes");
    let mut records = vec![marked_story()];
    records.extend(fixtures::stories().into_iter().map(read));
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    std::fs::write(&page, html::page(&records)).expect("written");
    for (width, mode) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
        let probe = folder.path().join(format!("probe-{width}.html"));
        std::fs::write(&probe, include_str!("html/probe.html").replace("WIDTH", &width.to_string())).expect("written");
        let night = if mode == "dark" {
            "--blink-settings=preferredColorScheme=0"
        } else {
            "--blink-settings=preferredColorScheme=1"
        };
        let printed = look(&browser, folder.path(), &[night, "--dump-dom"], &probe);
        let result = printed.split_once("<pre id=\"result\">").and_then(|(_, rest)| rest.split_once("</pre>"));
        let (result, _) = result.unwrap_or_else(|| panic!("the browser measured nothing: {printed}"));
        let result: Value = serde_json::from_str(&tags::unescape(result)).expect("JSON");
        println!("looked at {width} px, {mode}: {result}");
        assert_eq!(result["wrong"], json!([]), "at {width} px, {mode}");
        assert_eq!(result["width"], width, "the page was laid out at its width");
        assert!(result["marks"].as_u64() > Some(20), "marks are there: {result}");
        assert_eq!(result["night"], json!(mode == "dark"));
        let shot = folder.path().join(format!("{width}-{mode}.png"));
        let (size, to) = (format!("--window-size={width},1600"), format!("--screenshot={}", shot.display()));
        look(&browser, folder.path(), &[night, &size, &to], &page);
        let picture = std::fs::read(&shot).expect("a screenshot");
        assert_eq!(picture.get(16..20), Some(&u32::to_be_bytes(width)[..]), "as wide as the window");
        assert!(picture.len() > 20_000, "an empty page is smaller than {} bytes", picture.len());
    }
}
