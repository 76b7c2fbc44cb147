//! How many megabytes a second each format takes, on one core, by processor time: what else the
//! machine does is not counted.
//!
//! Each transmission is as long as a long story; the line formats are measured as several
//! transmissions in a row, feeds as a feed.

use std::{fmt::Write, hint::black_box, time::Duration};

use copydesk::decode::{Hints, decode_all};
use criterion::{
    Criterion, Throughput, criterion_group, criterion_main,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use rustix::time::{ClockId, clock_gettime};

struct ProcessorTime;

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(now).expect("a time that has passed")
    }

    fn end(&self, start: Duration) -> Duration {
        self.start().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

const PARAGRAPH: &str = "The harbour board of Eastmouth said on Tuesday it would not reopen the north pier before spring, \
    after its chief engineer found cracks in twelve of the piles. Repairs will cost about 3.5 million crowns, \
    according to figures that the board released, and the ferry will berth at Stowe until then.";

fn paragraphs(open: &str, close: &str) -> String {
    (0..40).fold(String::new(), |mut text, _| {
        let _ = write!(text, "{open}{PARAGRAPH}{close}");
        text
    })
}

/// Hard-wrapped at some 70 characters.
fn wrapped(open: &str) -> String {
    let mut text = String::new();
    for _ in 0..40 {
        text.push_str(open);
        let mut width = 0;
        for word in PARAGRAPH.split_whitespace() {
            if width + word.len() > 68 {
                text.push_str("\r\n");
                width = 0;
            }
            width += word.len() + 1;
            let _ = write!(text, "{word} ");
        }
        text.push_str("\r\n\r\n");
    }
    text
}

fn transmissions() -> Vec<(&'static str, String)> {
    let anpa = format!(
        "\u{16}\u{16}\u{1}W1234\u{1f}desks\r\nr a\u{13}\u{11}BC-US--Pier     03-04 0800\r\n\u{2}^BC-US--Pier,800<\r\n^Pier closed<\r\n{}\u{3}AP-WF-03-04-31 1306GMT<\r\n\u{4}\r\n",
        wrapped("\t   ")
    );
    let iptc = format!(
        "\u{1}nwe0123 3 i 800\r\n\r\nEastmouth/pier/\r\n\u{2}Pier closed =\r\n\r\n{}\u{3}041306 GMT Mar 31\r\n\u{4}\r\n",
        wrapped("")
    );
    let body = paragraphs("<p>", "</p>\n");
    let nitf = format!(
        "<nitf><head><docdata><doc-id id-string='a'/></docdata></head><body><body.head><hedline><hl1>Pier</hl1></hedline></body.head><body.content>{body}</body.content></body></nitf>"
    );
    let g2 = format!(
        "<newsItem guid='a' version='1'><itemMeta><itemClass qcode='ninat:text'/></itemMeta><contentMeta><headline>Pier</headline></contentMeta><contentSet><inlineXML contenttype='application/xhtml+xml'><html><body>{body}</body></html></inlineXML></contentSet></newsItem>"
    );
    let newsml1 = format!(
        "<NewsML><NewsItem><Identification><NewsIdentifier><NewsItemId>a</NewsItemId></NewsIdentifier></Identification><NewsComponent><NewsLines><HeadLine>Pier</HeadLine></NewsLines><ContentItem><DataContent>{body}</DataContent></ContentItem></NewsComponent></NewsItem></NewsML>"
    );
    let ninjs = serde_json::json!({"uri": "a", "type": "text", "headline": "Pier", "body_html": body}).to_string();
    let escaped = body.replace('<', "&lt;").replace('>', "&gt;");
    let rss = format!(
        "<rss><channel><title>G</title>{}</channel></rss>",
        format!("<item><guid>a</guid><title>Pier</title><description>{escaped}</description></item>").repeat(8)
    );
    let atom = format!(
        "<feed><title>G</title>{}</feed>",
        format!("<entry><id>a</id><title>Pier</title><content type='html'><![CDATA[{body}]]></content></entry>")
            .repeat(8)
    );
    let email = format!("Subject: Pier\r\nFrom: desk\r\n\r\n{}", wrapped(""));
    vec![
        ("anpa1312", anpa.repeat(8)),
        ("iptc7901", iptc.repeat(8)),
        ("nitf", nitf),
        ("newsml-g2", g2),
        ("newsml1", newsml1),
        ("ninjs", ninjs),
        ("rss", rss),
        ("atom", atom),
        ("email", email),
        ("plain", wrapped("")),
    ]
}

fn decode(criterion: &mut Criterion<ProcessorTime>) {
    let mut group = criterion.benchmark_group("decode");
    for (name, text) in transmissions() {
        let stories = decode_all(text.as_bytes(), &Hints::default()).expect("a transmission");
        let formats: Vec<&str> = stories.iter().flatten().map(|story| story.format.name()).collect();
        assert!(formats.iter().all(|format| *format == name) && !formats.is_empty(), "{name} is read as {formats:?}");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| decode_all(black_box(text.as_bytes()), &Hints::default()));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = decode
}
criterion_main!(benches);
