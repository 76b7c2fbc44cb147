//! Names and subjects as the broker has them: what is one, and which patterns overlap.

/// A stream or consumer name that is safe as a subject token and as a file name.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

pub(super) fn is_subject(subject: &str) -> bool {
    !subject.is_empty()
        && subject.len() <= 256
        && subject.split('.').all(|token| !token.is_empty() && !token.contains(char::is_whitespace))
}

/// A template with a token in the place of every placeholder.
pub(super) fn fill(template: &str, placeholders: &[&str]) -> String {
    placeholders.iter().fold(template.to_owned(), |text, name| text.replace(name, "x"))
}

/// Whether a subject may fit one of the patterns.
pub(super) fn within(subject: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| overlap(pattern, subject))
}

/// Whether every subject that fits `narrow` fits `wide` too.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    let (mut wide, mut narrow) = (wide.split('.'), narrow.split('.'));
    loop {
        match (wide.next(), narrow.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// Whether some subject fits both patterns (`*` one token, `>` the rest, as in the broker).
pub(in crate::service) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (Some(">"), Some(_)) | (Some(_), Some(">")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

pub(super) fn template_rest_is_subject(template: &str, placeholders: &[&str]) -> bool {
    let filled = fill(template, placeholders);
    is_subject(&filled) && !filled.contains(['{', '}', '*', '>'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_overlap_as_the_broker_matches() {
        for (one, other) in [("a.>", "a.b.c"), ("a.*", "a.b"), ("a.*.c", "a.b.>"), ("a", "a"), (">", "x.y")] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [("a.>", "a"), ("a.*", "a.b.c"), ("a.b", "a.c"), ("a.b", "a")] {
            assert!(!overlap(one, other) && !overlap(other, one), "{one} {other}");
        }
    }

    #[test]
    fn one_pattern_covers_another_when_nothing_fits_it_alone() {
        for (wide, narrow) in [("a.>", "a.b"), ("a.*", "a.b"), ("a.*", "a.*"), ("a.>", "a.>"), ("a.b", "a.b")] {
            assert!(covers(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [("a.*", "a.>"), ("a.b", "a.*"), ("a.>", "a"), ("a.*", "a.b.c")] {
            assert!(!covers(wide, narrow), "{wide} {narrow}");
        }
    }
}
