//! Who speaks, and what is said, where the parse has lost a subject or a clause.

use super::said;
use crate::extract::testing::check;

#[test]
fn who_said_what_where_the_parse_is_wrong() {
    for marked in [
        "
A barge carrying forty people sank off Ostby on Friday, killing two people and leaving five missing, the coast guard said.
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                                                                     ^^^^^^^^^^^^^^^ 1 speaker
                                                                                                                     ^^^^ 1 cue
",
        "
The barge was struck by a trawler, coast guard spokesman Rolf Dahl told reporters.
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1 speaker
                                                                   ^^^^ 1 cue
                                                                        ^^^^^^^^^ 1 to
",
        "
The council agreed on a new budget after ten hours of talks, Mayor Ilse Brandt announced.
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                             ^^^^^^^^^^^^^^^^^ 1 speaker
                                                                               ^^^^^^^^^ 1 cue
",
        "
The cause was a worn cable, said her deputy, Karin Holt.
^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                            ^^^^ 1 cue
                                 ^^^^^^^^^^^^^^^^^^^^^^ 1 speaker
",
        "
Witness Karin Holt said that she saw the flames.
^^^^^^^^^^^^^^^^^^ 1 speaker
                   ^^^^ 1 cue
                             ^^^^^^^^^^^^^^^^^^ 1
",
        "
Opposition leader Rolf Dahl accused the council of hiding the figures.
^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1 speaker
                            ^^^^^^^ 1 cue
                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The council passed a bill that would have closed the port, saying the quay was unsafe.
^^^^^^^^^^^ 1 speaker
                                                           ^^^^^^ 1 cue
                                                                  ^^^^^^^^^^^^^^^^^^^ 1
",
        "
The Gazette reported on Monday, citing people with knowledge of the talks, that the port would close.
^^^^^^^^^^^ 1 speaker
            ^^^^^^^^ 1 cue
                                                                                ^^^^^^^^^^^^^^^^^^^^ 1
",
        "
The company said in an e-mailed statement that it would appeal.
^^^^^^^^^^^ 1 speaker
            ^^^^ 1 cue
                                               ^^^^^^^^^^^^^^^ 1
",
        r#"
Norland expects the port to open "in the near future," Brandt said.
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                       ^^^^^^ 1 speaker
                                                              ^^^^ 1 cue
"#,
        r#"
Norland "stands with its friends," Ambassador Karin Holt said in a statement.
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                   ^^^^^^^^^^^^^^^^^^^^^ 1 speaker
                                                         ^^^^ 1 cue
"#,
        "
Brandt refused to say how the quay would be paid for.
^^^^^^ 1 speaker
       ^^^^^^^ 1 cue
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        "
A diplomat told the Gazette that the talks had failed.
^^^^^^^^^^ 1 speaker
           ^^^^ 1 cue
                ^^^^^^^^^^^ 1 to
                            ^^^^^^^^^^^^^^^^^^^^^^^^^ 1
",
        r#"
"I lied," Brandt told Judge Karin Holt, her voice breaking.
 ^^^^^^^ 1
          ^^^^^^ 1 speaker
                 ^^^^ 1 cue
                      ^^^^^^^^^^^^^^^^ 1 to
"#,
        "
The owner raised the price, saying that the order was large; trader Rolf Dahl, however, said that he saw no profit.
^^^^^^^^^ 1 speaker
                            ^^^^^^ 1 cue
                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
                                                             ^^^^^^^^^^^^^^^^ 2 speaker
                                                                                        ^^^^ 2 cue
                                                                                                  ^^^^^^^^^^^^^^^^ 2
",
    ] {
        check(marked, said);
    }
}
