//! What an operator can meet, with what it means and what to do about it: said once, here in the code. Errors take their
//! advice from it, and `docs/messages.md` is made of it (`tests/it/messages.rs`).

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// How it shows: a status and a code, or the words of it.
    pub shows: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What a person does about it. Words in capitals (`VAULT`) stand for what the error itself fills in.
    pub remedy: &'static str,
}

impl Message {
    /// What an error says behind its dash.
    pub fn advice(&self) -> String {
        format!("{}: {}", self.means, self.remedy)
    }
}

/// An enum of circumstances, each with its message, so that none can be without one nor be missing from the documentation.
macro_rules! messages {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident { shows: $shows:expr, means: $means:expr, remedy: $remedy:expr $(,)? })+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// How it shows, what it means, and what to do.
            pub const fn message(self) -> $crate::messages::Message {
                match self {
                    $(Self::$variant => $crate::messages::Message { shows: $shows, means: $means, remedy: $remedy },)+
                }
            }
        }
    };
}

pub(crate) use messages;
