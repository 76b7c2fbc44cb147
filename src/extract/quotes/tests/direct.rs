//! Cues and speakers of words between marks.

use super::said;
use crate::extract::testing::check;

#[test]
fn who_said_what_between_marks() {
    for marked in [
        r#"
"She rang and said, 'You had better sit down,' and I did," Brandt recalled.
 ^^^ 2 speaker
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
              ^^^^ 2 cue
                     ^^^^^^^^^^^^^^^^^^^^^^^^ 2
                                                           ^^^^^^ 1 speaker
                                                                  ^^^^^^^^ 1 cue
"#,
        r#"
"We will appeal," the ministry said. "It is a matter of law."
 ^^^^^^^^^^^^^^^ 1
                  ^^^^^^^^^^^^ 1 speaker
                               ^^^^ 1 cue
                                      ^^^^^^^^^^^^^^^^^^^^^^ 1
"#,
        r#"
"We will appeal," Ilse Brandt, the head of the port, told reporters on Monday.
 ^^^^^^^^^^^^^^^ 1
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1 speaker
                                                     ^^^^ 1 cue
                                                          ^^^^^^^^^ 1 to
"#,
        r#"
"We will appeal," said Ilse Brandt after the vote.
 ^^^^^^^^^^^^^^^ 1
                  ^^^^ 1 cue
                       ^^^^^^^^^^^ 1 speaker
"#,
        r#"
Brandt said: "We will appeal. It is a matter of law."
^^^^^^ 1 speaker
       ^^^^ 1 cue
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
"#,
        r#"
"We will appeal," said Brandt.
 ^^^^^^^^^^^^^^^ 1
                  ^^^^ 1 cue
                       ^^^^^^ 1 speaker
                       ^^^^^^ 2 speaker
"It is a matter of law."
 ^^^^^^^^^^^^^^^^^^^^^^ 2
"#,
        r#"
Brandt was not convinced. "It will not hold."
^^^^^^ 1 speaker
                           ^^^^^^^^^^^^^^^^^ 1
"#,
        r#"
"The ministry told us that it would close the port," Brandt said.
 ^^^^^^^^^^^^ 2 speaker
 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1
              ^^^^ 2 cue
                   ^^ 2 to
                           ^^^^^^^^^^^^^^^^^^^^^^^ 2
                                                     ^^^^^^ 1 speaker
                                                            ^^^^ 1 cue
"#,
    ] {
        check(marked, said);
    }
}
