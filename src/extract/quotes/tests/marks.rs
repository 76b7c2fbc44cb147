//! Marks, pairs, groups.

use super::{find, read};
use crate::extract::testing::check;

#[test]
fn pieces_around_a_cue_are_one_quotation() {
    for marked in [
        r#"
"We will appeal," the ministry said. "It is a matter of law."
 ^^^^^^^^^^^^^^^ 1
                                      ^^^^^^^^^^^^^^^^^^^^^^ 1
"#,
        r#"
"We will appeal," the ministry said, "and we will win."
 ^^^^^^^^^^^^^^^ 1
                                      ^^^^^^^^^^^^^^^^ 1
"#,
        r#"
"We will appeal," the ministry said. The court was empty. "It is a matter of law."
 ^^^^^^^^^^^^^^^ 1
                                                           ^^^^^^^^^^^^^^^^^^^^^^ 2
"#,
        r#"
"We will appeal," the ministry said. "It is a matter of law," it added.
 ^^^^^^^^^^^^^^^ 1
                                      ^^^^^^^^^^^^^^^^^^^^^^ 2
"#,
    ] {
        check(marked, find);
    }
}

#[test]
fn marks_of_every_kind() {
    for marked in [
        "
“We will appeal,” the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
        "
„We will appeal,“ the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
        "
„We will appeal,” the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
        "
”We will appeal,” the ministry said.
 ^^^^^^^^^^^^^^^ 1
",
        "
« We will appeal », the ministry said.
  ^^^^^^^^^^^^^^ 1
",
        "
»We will appeal«, the ministry said.
 ^^^^^^^^^^^^^^ 1
",
        "
``We will appeal,'' the ministry said.
  ^^^^^^^^^^^^^^^ 1
",
        "
''We will appeal,'' the ministry said.
  ^^^^^^^^^^^^^^^ 1
",
        "
‘We’ll appeal the students’ case,’ the ministry said.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
'We'll appeal the students' case,' the ministry said.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
    ] {
        check(marked, find);
    }
}

#[test]
fn a_lost_mark_is_mended_inside_its_paragraph() {
    for marked in [
        r#"
"We will appeal," said Ames after the verdict. It is a matter of law. It always was."
 ^^^^^^^^^^^^^^^ 1
                                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                                                    ^ quote.unmatched_close
The court was empty.
"#,
        r#"
"They dug a cave and stayed in it, he said. "Those who walk are lost."
^ quote.unmatched_open
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                             ^^^^^^^^^^^^^^^^^^^^^^^^ 1
"#,
        r#"
"We have never seen such a tide," said Ames. "What else could they do?
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                             ^ quote.unmatched_open
                                              ^^^^^^^^^^^^^^^^^^^^^^^^ 1
The court was empty.
"#,
        r#"
The minister said: We shall see what the court says."
                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                    ^ quote.unmatched_close
"#,
    ] {
        check(marked, find);
    }
}

#[test]
fn the_mended_place_is_told() {
    let text = "\"We will appeal,\" said Ames in court. It is a matter of law.\"";
    let (_, anomalies) = read(text);
    let repair = anomalies.first().and_then(|anomaly| anomaly.repair.clone()).expect("a repair");
    assert_eq!((repair.insert.as_str(), repair.at), ("\"", 38));
    assert_eq!(anomalies.first().and_then(|anomaly| anomaly.confidence_percent), Some(90));
}

#[test]
fn a_quotation_over_paragraphs_is_one_and_not_odd() {
    check(
        "
“We argued for years,” the minister said. “Each of us had a chart.
 ^^^^^^^^^^^^^^^^^^^^ 1
                                           ^^^^^^^^^^^^^^^^^^^^^^^ 1

“Now there is one chart.
 ^^^^^^^^^^^^^^^^^^^^^^^ 1

“We will meet again.”
 ^^^^^^^^^^^^^^^^^^^ 1
",
        find,
    );
}

#[test]
fn a_quotation_that_lost_its_paragraph_breaks_goes_on() {
    check(
        "
“We argued for years,” the minister said. “Each of us had a chart. “Now there is one chart. “We will meet again.”
 ^^^^^^^^^^^^^^^^^^^^ 1
                                           ^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                                    ^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                                                             ^^^^^^^^^^^^^^^^^^^ 1
",
        find,
    );
}

#[test]
fn quotations_inside_quotations() {
    check(
        "
“She rang and said, ‘You had better sit down,’ and I did,” he recalled.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                     ^^^^^^^^^^^^^^^^^^^^^^^^ 2 inside
",
        find,
    );
}

#[test]
fn what_the_desk_put_in_was_not_said() {
    check(
        r#"
"They came with the Front (an organisation outlawed here - MERIDIAN)," he said.
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not said
"#,
        find,
    );
    let text = "\"They came with the Front (outlawed here - MERIDIAN),\" he said.";
    assert_eq!(read(text).0.first().map(|quote| quote.text_clean(text)), Some("They came with the Front".to_owned()));
}

#[test]
fn titles_nicknames_and_scare_quotes_are_no_speech() {
    for text in [
        "The \"big lamp\", as locals call it, went dark.",
        "Anne \"Annie\" Kowalczyk told the court a story.",
        "The board voted to have the bells \"inspected\" in May.",
        "She starred in \"The Long Road\" and \"The Short Road\" that year.",
        "The barque ‘Corinna’, which sank, carried the brothers’ tea and the Joneses' rum.",
        "It was '90s rock 'n' roll, and they'd sing 'em all.",
        "He bought a 6\" pipe and a 12\" plank.",
        "He called it \"a decent start\".",
    ] {
        assert_eq!(find(text), [], "in {text:?}");
    }
}
