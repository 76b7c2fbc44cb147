//! Decoding an input of double the size asks for about double the memory, however the input is
//! meant to hurt: counted at the allocator, never by time. What is allocated in all is no less
//! than what is held at once, so peak memory is linear too.
//!
//! It does not count what is read without allocating anything.

use std::alloc::System;

use copydesk::{
    decode::{Hints, decode_all},
    story::Format,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes of the smaller input of each pair.
const INPUT_BYTES: usize = 128 * 1024;
/// Double the input may cost so much more, in hundredths.
const RATIO_PERCENT_MAX: usize = 220;
/// A refusal costs next to nothing: its noise is no matter.
const SLACK: usize = 4096;

/// Opening, piece that is repeated, end.
type Shape = (Format, &'static str, &'static str, &'static str);

const SHAPES: [Shape; 45] = [
    (Format::Nitf, "<nitf><body><body.content>", "<p>", ""),
    (Format::Nitf, "<nitf><body><body.content>", "<p>a<b>", "</p></body.content></body></nitf>"),
    (Format::Nitf, "<nitf><body><body.content>", "<p><b>a</p>", "</body.content></body></nitf>"),
    (Format::Nitf, "<nitf><body><body.content>", "</p>", "</body.content></body></nitf>"),
    (Format::Nitf, "<nitf><body><body.content><p>", "&lol;", "</p></body.content></body></nitf>"),
    (Format::Nitf, "<nitf><body><body.content><p>", "&#65;&amp;amp;", "</p></body.content></body></nitf>"),
    (Format::Nitf, "<nitf><body><body.content><p>", "&amp;lt;b&amp;gt;", "</p></body.content></body></nitf>"),
    (Format::Nitf, "<nitf><body><body.content><p>a", "&", ""),
    (Format::Nitf, "<nitf><body><body.content><p>a", "<", ""),
    (Format::Nitf, "<nitf><body><body.content><p>a", "<![CDATA[", ""),
    (Format::Nitf, "<nitf><body><body.content><p>a", "<![CDATA[a]]>", ""),
    (Format::Nitf, "<nitf><body><body.content><p>a", "<!--", ""),
    (Format::Nitf, "<nitf><body><body.content><p>a", "<?a ", ""),
    (Format::Nitf, "<nitf><body><body.content><p ", "a='1' ", ">a</p></body.content></body></nitf>"),
    (Format::Nitf, "<nitf><body><body.content>", "<table><tr><td>a", ""),
    (
        Format::Nitf,
        "<nitf><head>",
        "<meta name='a' content='b'/>",
        "</head><body><body.content>a</body.content></body></nitf>",
    ),
    (Format::Nitf, "<a>", "<nitf><body><body.content><p>a</p>", ""),
    (Format::Nitf, "<!DOCTYPE nitf [", "<!ENTITY a '&b;&b;'>", "]><nitf/>"),
    (Format::NewsmlG2, "<newsMessage><itemSet>", "<newsItem guid='a'>", ""),
    (
        Format::NewsmlG2,
        "<newsMessage><itemSet>",
        "<newsItem guid='a'><contentMeta><headline>b</headline></contentMeta></newsItem>",
        "</itemSet></newsMessage>",
    ),
    (
        Format::NewsmlG2,
        "<newsMessage><itemSet>",
        "<packageItem guid='a'><groupSet><itemRef residref='a'/></groupSet></packageItem>",
        "</itemSet></newsMessage>",
    ),
    (
        Format::Newsml1,
        "<NewsML>",
        "<NewsItem><NewsComponent><NewsLines><HeadLine>a</HeadLine></NewsLines></NewsComponent></NewsItem>",
        "</NewsML>",
    ),
    (Format::Newsml1, "<NewsML><NewsItem>", "<NewsComponent>", ""),
    (Format::Ninjs, "", "[", ""),
    (Format::Ninjs, "[", "{\"uri\":\"a\",\"headline\":\"b\"},", "{}]"),
    (Format::Ninjs, "{\"uri\":\"a\",\"body_html\":\"", "<div>", "\"}"),
    (Format::Ninjs, "{\"uri\":\"a\",\"body_html\":\"", "<script>", "\"}"),
    (Format::Ninjs, "{\"uri\":\"a\",\"body_html\":\"", "<p>a<!--", "\"}"),
    (Format::Ninjs, "{\"uri\":\"a\",\"body_html\":\"", "<b>a<i>", "\"}"),
    (Format::Ninjs, "{\"uri\":\"a\",\"body_html\":\"", "&amp;lt;", "\"}"),
    (Format::Rss, "<rss><channel>", "<item><title>a</title></item>", "</channel></rss>"),
    (
        Format::Rss,
        "<rss><channel><item><title>a</title><description>",
        "&lt;ul&gt;&lt;li&gt;",
        "</description></item></channel></rss>",
    ),
    (Format::Atom, "<feed>", "<entry><title>a</title><content type='html'>&lt;p&gt;</content></entry>", "</feed>"),
    (Format::Anpa1312, "", "\u{16}\u{16}\u{1}", ""),
    (Format::Anpa1312, "", "\u{1}W1234\u{1f}desks\r\nr a\u{13}\u{11}BC-A 03-04 0800\r\n\u{2}", ""),
    (Format::Anpa1312, "\u{1}W1234\u{1f}desks\r\nr a\u{13}\u{11}BC-A 03-04 0800\r\n\u{2}", "^a<\r\n", "\u{3}"),
    (Format::Anpa1312, "\u{1}W1234\u{1f}desks\r\nr a\u{13}\u{11}BC-A 03-04 0800\r\n\u{2}", "``a `", "\u{3}"),
    (Format::Iptc7901, "", "\u{1}nwe0123 3 i 800\r\n", ""),
    (Format::Iptc7901, "\u{1}nwe0123 3 i 800\r\n\u{2}", "(a\r\n", "\u{3}"),
    (Format::Iptc7901, "\u{1}nwe0123 3 i 800\r\n\u{2}", "# Notebook\r\n", "\u{3}"),
    (Format::Email, "", "Subject: a\r\n", "\r\ntext"),
    (Format::Email, "Subject: a\r\n", " a\r\n", "\r\ntext"),
    (
        Format::Email,
        "Content-Type: multipart/mixed; boundary=\"a\"\r\n\r\n",
        "--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n",
        "text",
    ),
    (Format::Envelope, "{\"text\": \"", "\\u0041\\n", "\"}"),
    (Format::Plain, "", "(\"``", ""),
];

fn cost(shape: &Shape, bytes: usize) -> (usize, usize) {
    let (format, open, piece, close) = shape;
    let input = format!("{open}{}{close}", piece.repeat(bytes / piece.len()));
    let hints = Hints { format: Some(*format), ..Hints::default() };
    let region = Region::new(ALLOCATOR);
    let stories = decode_all(input.as_bytes(), &hints);
    let change = region.change();
    drop(stories);
    (change.allocations + change.reallocations, change.bytes_allocated)
}

#[test]
fn double_the_input_costs_double_the_memory() {
    let mut read = 0;
    for shape in &SHAPES {
        // What is made once in the life of a process is no cost of the input.
        cost(shape, INPUT_BYTES / 8);
        let (once, double) = (cost(shape, INPUT_BYTES), cost(shape, 2 * INPUT_BYTES));
        for (what, once, double) in [("allocations", once.0, double.0), ("bytes", once.1, double.1)] {
            let limit = once * RATIO_PERCENT_MAX / 100 + SLACK;
            assert!(double <= limit, "{shape:?}: {once} {what}, then {double}");
        }
        read += usize::from(once.1 > INPUT_BYTES);
    }
    assert!(read > SHAPES.len() / 2, "most of the shapes are refused at sight: {read} are read");
}
