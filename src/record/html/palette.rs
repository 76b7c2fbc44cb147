//! The colours of the page, light and dark, and the test that they can be read.
//!
//! ```text
//! VOICES[0].light → --tint-1: #dceafe; --ink-1: #1a4fb0;
//! ```
//!
//! Contrast follows WCAG 2.2, level AA: text 4.5 to 1 on whatever may lie under it, lines and
//! marks that carry meaning 3 to 1.

use std::fmt::Write;

/// A colour by day and by night, `#rrggbb`.
pub(super) struct Colour {
    pub(super) name: &'static str,
    pub(super) light: &'static str,
    pub(super) dark: &'static str,
}

const fn colour(name: &'static str, light: &'static str, dark: &'static str) -> Colour {
    Colour { name, light, dark }
}

/// Grounds on which text stands.
pub(super) const GROUNDS: [Colour; 4] = [
    colour("ground", "#ffffff", "#15171c"),
    colour("panel", "#f5f6f8", "#1d2027"),
    colour("raised", "#ffffff", "#262a33"),
    colour("remark", "#fff6d6", "#3a3210"),
];

/// Text that may stand on any ground and any tint.
pub(super) const TEXT: Colour = colour("text", "#1b1c20", "#e9eaee");

/// Text that stands on grounds alone.
pub(super) const TEXT_ON_GROUNDS: [Colour; 2] =
    [colour("muted", "#54575f", "#b0b4bf"), colour("link", "#0b4fbf", "#9cc4ff")];

/// What marks something odd: text on a ground, line on everything.
pub(super) const ODD: Colour = colour("odd", "#b0261b", "#ff9b91");

/// Lines under entities, by class; they may run over any ground and any tint.
pub(super) const LINES: [Colour; 8] = [
    colour("person", "#8a1c7c", "#ef9be3"),
    colour("organisation", "#0b57d0", "#8fbcff"),
    colour("place", "#11663a", "#7fd99f"),
    colour("group", "#7a4b00", "#eebf66"),
    colour("event", "#a4321f", "#ffab94"),
    colour("work", "#4f5259", "#c3c7d1"),
    colour("time", "#07616a", "#7fd9e0"),
    colour("figure", "#525a00", "#d3dc6c"),
];

/// The colour of a speaker: a tint behind the words, an ink for the letter and the cue.
pub(super) struct Voice {
    pub(super) tint: Colour,
    pub(super) ink: Colour,
}

const fn voice(tint: (&'static str, &'static str), ink: (&'static str, &'static str)) -> Voice {
    Voice { tint: colour("tint", tint.0, tint.1), ink: colour("ink", ink.0, ink.1) }
}

/// Speakers' colours; the first is for those whose speaker is unknown, the others go round.
pub(super) const VOICES: [Voice; 9] = [
    voice(("#e8e9ed", "#2d3038"), ("#4a4d55", "#c0c4cf")),
    voice(("#dceafe", "#1a3050"), ("#1a4fb0", "#9cc4ff")),
    voice(("#fdeccb", "#40300f"), ("#734600", "#f2c063")),
    voice(("#d8f3dc", "#163826"), ("#0f5f35", "#86dba6")),
    voice(("#fbdfee", "#481c36"), ("#931a5d", "#ff9fd0")),
    voice(("#e8e1fb", "#322a54"), ("#5632ad", "#c3adff")),
    voice(("#d2f1f2", "#103a3f"), ("#065962", "#7fd9e0")),
    voice(("#fde0d8", "#4a241b"), ("#8f2a11", "#ffab94")),
    voice(("#ebf0c6", "#343912"), ("#4d5400", "#d3dc6c")),
];

/// The variables of the style sheet.
pub(super) fn variables() -> String {
    let mut sheet = String::from(":root{color-scheme:light dark");
    list(&mut sheet, |colour| colour.light);
    sheet.push_str("}\n@media (prefers-color-scheme:dark){:root{color-scheme:dark");
    list(&mut sheet, |colour| colour.dark);
    sheet.push_str("}}\n");
    for number in 0..VOICES.len() {
        let _ = writeln!(sheet, ".v{number}{{--tint:var(--tint-{number});--ink:var(--ink-{number})}}");
    }
    for line in &LINES {
        let _ = writeln!(sheet, ".{0}{{--line:var(--{0})}}", line.name);
    }
    sheet
}

fn list(sheet: &mut String, shade: fn(&Colour) -> &'static str) {
    for colour in GROUNDS.iter().chain(&TEXT_ON_GROUNDS).chain(&LINES).chain([&TEXT, &ODD]) {
        let _ = write!(sheet, ";--{}:{}", colour.name, shade(colour));
    }
    for (number, voice) in VOICES.iter().enumerate() {
        let _ = write!(sheet, ";--tint-{number}:{};--ink-{number}:{}", shade(&voice.tint), shade(&voice.ink));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(colour: &str) -> f64 {
        let value = u32::from_str_radix(colour.trim_start_matches('#'), 16).expect("a colour");
        let channel = |shift: u32| {
            let part = f64::from((value >> shift) & 0xff) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[track_caller]
    fn readable(front: &Colour, back: &Colour, least: f64) {
        for (front, back) in [(front.light, back.light), (front.dark, back.dark)] {
            let ratio = contrast(front, back);
            assert!(ratio >= least, "{front} on {back} is {ratio:.2} to 1, not {least}");
        }
    }

    #[test]
    fn the_measure_is_right() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.001);
        assert!((contrast("#777777", "#ffffff") - 4.48).abs() < 0.01);
    }

    #[test]
    fn text_can_be_read_on_everything_under_it() {
        let tints = || VOICES.iter().map(|voice| &voice.tint);
        for back in GROUNDS.iter().chain(tints()) {
            readable(&TEXT, back, 4.5);
        }
        for back in &GROUNDS {
            for front in TEXT_ON_GROUNDS.iter().chain([&ODD]) {
                readable(front, back, 4.5);
            }
        }
    }

    #[test]
    fn speakers_inks_can_be_read_on_grounds_and_tints_and_under_their_letter() {
        for voice in &VOICES {
            // The cue of one speaker may stand inside what another says.
            for back in GROUNDS.iter().chain(VOICES.iter().map(|voice| &voice.tint)) {
                readable(&voice.ink, back, 4.5);
            }
            // The letter is written in the ground's colour on the ink.
            readable(&GROUNDS[0], &voice.ink, 4.5);
        }
        readable(&GROUNDS[0], &ODD, 4.5);
    }

    #[test]
    fn lines_are_seen_on_everything_under_them() {
        for back in GROUNDS.iter().chain(VOICES.iter().map(|voice| &voice.tint)) {
            for line in LINES.iter().chain([&ODD, &TEXT_ON_GROUNDS[1]]) {
                readable(line, back, 3.0);
            }
        }
    }
}
