//! Text → language.
//!
//! whichlang (naive Bayes, 16 languages) decides; whatlang (trigrams, script) has to agree.
//! Where they disagree, or the text is short, the language is `und`. Does not split texts of
//! several languages: one story, one language.

use whatlang::Lang as Script;
use whichlang::Lang;

use crate::text::until;

/// Bytes that are looked at: more changes nothing and costs time.
const BYTES_READ_MAX: usize = 4096;
/// Shorter texts are never told to be in a language that the desk cannot read.
const BYTES_TO_BE_SURE: usize = 200;

/// The language of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language {
    /// BCP 47; `und` when unsure.
    pub code: &'static str,
    /// How sure, in hundredths: 100 both detectors and reliably so, or given; 80 both; 0 unsure.
    pub confidence_percent: u8,
}

impl Language {
    /// Whether the English stages run: English, and what may be English.
    pub fn is_read(&self) -> bool {
        matches!(self.code, "en" | "und")
    }
}

/// Tells the language. `given` (BCP 47) is believed when it says English in any region.
pub fn run(text: &str, given: Option<&str>) -> Language {
    if given.is_some_and(|code| code.split(['-', '_']).next().is_some_and(|code| code.eq_ignore_ascii_case("en"))) {
        return Language { code: "en", confidence_percent: 100 };
    }
    let head = until(text, text.floor_char_boundary(BYTES_READ_MAX));
    let unsure = Language { code: "und", confidence_percent: 0 };
    let Some(second) = whatlang::detect(head) else { return unsure };
    let (code, counterpart) = pair(whichlang::detect_language(head));
    let by_script_only = script_language(second.lang());
    if let Some(code) = by_script_only.filter(|_| second.is_reliable()) {
        return Language { code, confidence_percent: 80 };
    }
    match (second.lang() == counterpart, second.is_reliable()) {
        (true, true) => Language { code, confidence_percent: 100 },
        (true, false) if code == "en" || head.len() >= BYTES_TO_BE_SURE => Language { code, confidence_percent: 80 },
        _ => unsure,
    }
}

/// A language of whichlang with its code and its counterpart in whatlang.
fn pair(lang: Lang) -> (&'static str, Script) {
    match lang {
        Lang::Ara => ("ar", Script::Ara),
        Lang::Cmn => ("zh", Script::Cmn),
        Lang::Deu => ("de", Script::Deu),
        Lang::Eng => ("en", Script::Eng),
        Lang::Fra => ("fr", Script::Fra),
        Lang::Hin => ("hi", Script::Hin),
        Lang::Ita => ("it", Script::Ita),
        Lang::Jpn => ("ja", Script::Jpn),
        Lang::Kor => ("ko", Script::Kor),
        Lang::Nld => ("nl", Script::Nld),
        Lang::Por => ("pt", Script::Por),
        Lang::Rus => ("ru", Script::Rus),
        Lang::Spa => ("es", Script::Spa),
        Lang::Swe => ("sv", Script::Swe),
        Lang::Tur => ("tr", Script::Tur),
        Lang::Vie => ("vi", Script::Vie),
    }
}

/// Languages that whichlang does not know and that their own script gives away.
fn script_language(lang: Script) -> Option<&'static str> {
    Some(match lang {
        Script::Ell => "el",
        Script::Heb => "he",
        Script::Tha => "th",
        Script::Kat => "ka",
        Script::Hye => "hy",
        Script::Ben => "bn",
        Script::Tam => "ta",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        let code = |text| run(text, None).code;
        assert_eq!(code("The minister said on Tuesday that the talks would go on for several more weeks."), "en");
        assert_eq!(
            code(
                "Der Minister sagte am Dienstag, die Gespräche würden noch mehrere Wochen andauern, weil sich die beiden Seiten über die Grenze nicht einig sind."
            ),
            "de"
        );
        assert_eq!(code("Министр заявил во вторник, что переговоры продлятся ещё несколько недель."), "ru");
        assert_eq!(code("Ο υπουργός δήλωσε την Τρίτη ότι οι συνομιλίες θα συνεχιστούν."), "el");
    }

    #[test]
    fn what_is_too_short_stays_open_and_is_read() {
        for text in ["", "Ok.", "12 34", "Hola"] {
            let language = run(text, None);
            assert!(language.is_read(), "{text:?} gave {language:?}");
        }
    }

    #[test]
    fn english_that_is_given_is_believed() {
        assert_eq!(run("Ok.", Some("en-GB")), Language { code: "en", confidence_percent: 100 });
    }
}
