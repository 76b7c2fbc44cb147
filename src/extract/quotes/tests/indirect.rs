//! What is reported in the writer's words.

use super::{CueKind, Lexicon, QuoteRule, findings, said};
use crate::extract::{Desk, testing::check};

#[test]
fn who_said_what_in_the_words_of_the_writer() {
    for marked in [
        "
Norland will leave the pact, the president's envoy to the talks, Ilse Brandt, has said.
^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1 speaker
                                                                              ^^^^^^^^ 1 cue
",
        "
Norland will leave the pact, Ilse Brandt, the envoy to the talks, has said.
^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1 speaker
                                                                  ^^^^^^^^ 1 cue
",
        "
The company will cut 400 jobs, Bloomberg reported on Friday.
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                               ^^^^^^^^^ 1 speaker
                                         ^^^^^^^^ 1 cue
",
        "
The company said in a statement that it would appeal.
^^^^^^^^^^^ 1 speaker
            ^^^^ 1 cue
                                     ^^^^^^^^^^^^^^^ 1
",
        "
The Washington Post quoted Senator Ruth Hale as saying that the bill was dead.
                           ^^^^^^^^^^^^^^^^^ 1 speaker
                                                ^^^^^^ 1 cue
                                                            ^^^^^^^^^^^^^^^^^ 1
",
        "
The accusation was denied by Ilse Brandt.
^^^^^^^^^^^^^^ 1
               ^^^^^^^^^^ 1 cue
                             ^^^^^^^^^^^ 1 speaker
",
        r#"
"It cannot stand," according to the union.
 ^^^^^^^^^^^^^^^ 1
                   ^^^^^^^^^^^^ 1 cue
                                ^^^^^^^^^ 1 speaker
"#,
        "
The port will close, the ministry said.
^^^^^^^^^^^^^^^^^^^ 1
                     ^^^^^^^^^^^^ 1 speaker
                                  ^^^^ 1 cue
",
        "
The ministry said that the port would close and that it would not reopen.
^^^^^^^^^^^^ 1 speaker
             ^^^^ 1 cue
                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The ministry said the port would close.
^^^^^^^^^^^^ 1 speaker
             ^^^^ 1 cue
                  ^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The port, the ministry said, will close in May.
          ^^^^^^^^^^^^ 1 speaker
                       ^^^^ 1 cue
                             ^^^^^^^^^^^^^^^^^ 1
",
        "
According to two officials, the port will close in May.
^^^^^^^^^^^^ 1 cue
             ^^^^^^^^^^^^^ 1 speaker
                            ^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The port will close in May, according to two officials.
^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                            ^^^^^^^^^^^^ 1 cue
                                         ^^^^^^^^^^^^^ 1 speaker
",
        "
In the words of the mayor, the port was finished.
^^^^^^^^^^^^^^^ 1 cue
                ^^^^^^^^^ 1 speaker
                           ^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
Brandt denied that she had known of the sale.
^^^^^^ 1 speaker
       ^^^^^^ 1 cue
                   ^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
Brandt promised to open the port again.
^^^^^^ 1 speaker
       ^^^^^^^^ 1 cue
                ^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
Brandt asked whether the port would close.
^^^^^^ 1 speaker
       ^^^^^ 1 cue
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The union urged the ministry to keep the port open.
^^^^^^^^^ 1 speaker
          ^^^^^ 1 cue
                ^^^^^^^^^^^^ 1 to
                             ^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
Brandt believes that the port will close.
^^^^^^ 1 speaker
       ^^^^^^^^ 1 cue
                     ^^^^^^^^^^^^^^^^^^^ 1
",
        r#"
Brandt called the plan "a disgrace" and said the port would close.
^^^^^^ 1 speaker
^^^^^^ 2 speaker
       ^^^^^^ 1 cue
              ^^^^^^^^^^^^^^^^^^^^^ 1
                                        ^^^^ 2 cue
                                             ^^^^^^^^^^^^^^^^^^^^ 2
"#,
        r#"
Brandt said the plan was "a disgrace to the town".
^^^^^^ 1 speaker
       ^^^^ 1 cue
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
"#,
        "
It was reported that the port would close.
   ^^^^^^^^^^^^ 1 cue
                     ^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The port is expected to close in May.
^^^^^^^^ 1
         ^^^^^^^^^^^ 1 cue
                     ^^^^^^^^^^^^^^^ 1
",
        "
Brandt told reporters that the port would close.
^^^^^^ 1 speaker
       ^^^^ 1 cue
            ^^^^^^^^^ 1 to
                           ^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The ministry rejected the plan.
^^^^^^^^^^^^ 1 speaker
             ^^^^^^^^ 1 cue
                      ^^^^^^^^ 1
",
        "
Brandt left the hall, saying the port would close.
^^^^^^ 1 speaker
                      ^^^^^^ 1 cue
                             ^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The union called for a new vote.
^^^^^^^^^ 1 speaker
          ^^^^^^^^^^ 1 cue
                     ^^^^^^^^^^ 1
",
        "
Brandt, who runs the port, has long said that it would close.
^^^^^^^^^^^^^^^^^^^^^^^^^ 1 speaker
                           ^^^^^^^^^^^^^ 1 cue
                                              ^^^^^^^^^^^^^^ 1
",
        "
The ministry declared its readiness to reopen the port.
^^^^^^^^^^^^ 1 speaker
             ^^^^^^^^ 1 cue
                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
    ] {
        check(marked, said);
    }
}

#[test]
fn the_form_and_the_kind_are_told_apart() {
    for (text, rule, kind) in [
        ("\"It cannot stand,\" according to the union.", QuoteRule::Phrase, CueKind::Say),
        ("The port will close, the ministry said.", QuoteRule::Trailing, CueKind::Say),
        ("The ministry said that the port would close and that it would not reopen.", QuoteRule::Clause, CueKind::Say),
        ("The ministry said the port would close.", QuoteRule::Clause, CueKind::Say),
        ("The port, the ministry said, will close in May.", QuoteRule::Clause, CueKind::Say),
        ("According to two officials, the port will close in May.", QuoteRule::Phrase, CueKind::Say),
        ("The port will close in May, according to two officials.", QuoteRule::Phrase, CueKind::Say),
        ("In the words of the mayor, the port was finished.", QuoteRule::Phrase, CueKind::Say),
        ("Brandt denied that she had known of the sale.", QuoteRule::Clause, CueKind::Deny),
        ("Brandt promised to open the port again.", QuoteRule::Infinitive, CueKind::Promise),
        ("Brandt asked whether the port would close.", QuoteRule::Clause, CueKind::Ask),
        ("The union urged the ministry to keep the port open.", QuoteRule::Infinitive, CueKind::Ask),
        ("Brandt believes that the port will close.", QuoteRule::Clause, CueKind::Think),
        ("Brandt called the plan \"a disgrace\" and said the port would close.", QuoteRule::Object, CueKind::Judge),
        ("Brandt said the plan was \"a disgrace to the town\".", QuoteRule::Clause, CueKind::Say),
        ("It was reported that the port would close.", QuoteRule::Passive, CueKind::Say),
        ("The port is expected to close in May.", QuoteRule::Passive, CueKind::Want),
        ("Brandt told reporters that the port would close.", QuoteRule::Clause, CueKind::Say),
        ("The ministry rejected the plan.", QuoteRule::Object, CueKind::Deny),
        ("Brandt left the hall, saying the port would close.", QuoteRule::Clause, CueKind::Say),
        ("The union called for a new vote.", QuoteRule::Preposition, CueKind::Ask),
        ("Brandt, who runs the port, has long said that it would close.", QuoteRule::Clause, CueKind::Say),
        ("The ministry declared its readiness to reopen the port.", QuoteRule::Object, CueKind::Say),
    ] {
        let quotes = findings(text, &Desk::new()).quotes;
        let found = quotes.first().and_then(|quote| Some((quote.rule, quote.cue.as_ref()?.kind)));
        assert_eq!(found, Some((rule, kind)), "in {text:?}");
    }
}

#[test]
fn a_sentence_without_a_report_has_none() {
    for text in ["The port closed in May.", "Rain fell on Norland for a third day.", "Ilse Brandt runs the port."] {
        assert_eq!(said(text), [], "in {text:?}");
    }
}

#[test]
fn what_is_no_report() {
    for text in [
        "The company does not discuss its customers.",
        "Brandt neither confirmed nor denied the report.",
        "Officers found Rolf Dahl and two friends in the car park.",
        "Norland wants a share of the market.",
        "The keeper left, limping to the bench.",
    ] {
        assert_eq!(said(text), [], "in {text:?}");
    }
}

#[test]
fn a_list_of_the_users_own_is_heard_beside_marks_and_in_the_parse() {
    let text = "\"The port is shut,\" Brandt blurbed. Brandt blurbed that the port would close.";
    let known = |desk: &Desk| -> Vec<Option<CueKind>> {
        findings(text, desk).quotes.iter().map(|quote| quote.cue.as_ref().map(|cue| cue.kind)).collect()
    };
    let desk = Desk::new().with_cues(Lexicon::with_list("threaten / that: blurb\n").expect("a list"));
    assert_eq!(known(&desk), [Some(CueKind::Threaten), Some(CueKind::Threaten)]);
    assert!(!known(&Desk::new()).contains(&Some(CueKind::Threaten)));
}
