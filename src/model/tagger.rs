//! Parts of speech: the names, as types.

/// Writes a type of one byte whose values have the names that a treebank gives them.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$inner:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$inner])* #[doc = concat!("The tag <code>", $name, "</code>.")] $variant,)+ }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The treebank's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The one of that name.
            pub fn of(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use named;

named! {
    /// Universal part of speech (universaldependencies.org/u/pos).
    Upos {
        Adj = "ADJ", Adp = "ADP", Adv = "ADV", Aux = "AUX", Cconj = "CCONJ", Det = "DET", Intj = "INTJ",
        Noun = "NOUN", Num = "NUM", Part = "PART", Pron = "PRON", Propn = "PROPN", Punct = "PUNCT",
        Sconj = "SCONJ", Sym = "SYM", Verb = "VERB", X = "X",
    }
}

named! {
    /// Part of speech of the Penn Treebank, with the additions of the English Web Treebank.
    Xpos {
        Cc = "CC", Cd = "CD", Dt = "DT", Ex = "EX", Fw = "FW", In = "IN", Jj = "JJ", Jjr = "JJR", Jjs = "JJS",
        Ls = "LS", Md = "MD", Nn = "NN", Nns = "NNS", Nnp = "NNP", Nnps = "NNPS", Pdt = "PDT", Pos = "POS",
        Prp = "PRP", PrpS = "PRP$", Rb = "RB", Rbr = "RBR", Rbs = "RBS", Rp = "RP", Sym = "SYM", To = "TO",
        Uh = "UH", Vb = "VB", Vbd = "VBD", Vbg = "VBG", Vbn = "VBN", Vbp = "VBP", Vbz = "VBZ", Wdt = "WDT",
        Wp = "WP", WpS = "WP$", Wrb = "WRB", Add = "ADD", Afx = "AFX", Gw = "GW", Hyph = "HYPH", Nfp = "NFP",
        Opening = "``", Closing = "''", LeftBracket = "-LRB-", RightBracket = "-RRB-", Comma = ",", Colon = ":",
        Stop = ".", Dollar = "$",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        assert!(Upos::ALL.iter().all(|tag| Upos::of(tag.name()) == Some(*tag)));
        assert!(Xpos::ALL.iter().all(|tag| Xpos::of(tag.name()) == Some(*tag)));
        assert_eq!(Upos::of("noun"), None);
    }
}
