//! What a request looks like: the notation of `table.rs`, and what it becomes.
//!
//! Fields stand in the order of the wire, separated by commas:
//!
//! - `i8 i16 i32 i64 uuid` are numbers of that size (a bool is an `i8`), `text` and `bytes` have a length;
//! - `[x]` is an array of x, `{x, y}` a structure, which ends with its tagged fields in flexible versions;
//! - `?` may be null, `?2` from version 2 on;
//! - `@3` is there from version 3 on, `@3-7` in versions 3 to 7;
//! - `tag 1` is a tagged field (KIP-482).

/// The shape of one API's requests.
#[derive(Debug)]
pub struct Shape {
    /// The API.
    pub api_key: i16,
    /// Its name.
    #[cfg_attr(
        not(any(test, feature = "internals")),
        expect(dead_code, reason = "tests and fuzzers say by it what failed")
    )]
    pub name: &'static str,
    /// The oldest version that is known here.
    pub min_version: i16,
    /// The newest version that is known here.
    pub max_version: i16,
    /// From which version on lengths are compact and structures have tagged fields (KIP-482).
    pub flexible_from: i16,
    /// The body.
    pub fields: &'static [Field],
}

/// One field of a structure.
#[derive(Debug)]
pub struct Field {
    /// What it holds.
    pub kind: Kind,
    /// From which version on it may be null.
    pub nullable_from: i16,
    /// The first version that has it.
    pub from: i16,
    /// The last version that has it.
    pub until: i16,
    /// Its tag, if it is one of the tagged fields.
    pub tag: Option<u32>,
}

/// What a field holds.
#[derive(Debug)]
pub enum Kind {
    /// That many bytes.
    Fixed(usize),
    /// Text: a length of 16 bits, or a compact one.
    Text,
    /// Bytes: a length of 32 bits, or a compact one.
    Bytes,
    /// An array of these.
    Array(&'static Kind),
    /// A structure.
    Structure(&'static [Field]),
}

/// No version.
pub const NEVER: i16 = i16::MAX;

/// How lengths and structures are written in one version.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The version.
    pub version: i16,
    /// Whether it is flexible (KIP-482).
    pub flexible: bool,
}

impl Shape {
    /// How `version` writes.
    pub const fn form(&self, version: i16) -> Form {
        Form { version, flexible: version >= self.flexible_from }
    }
}

impl Field {
    /// Whether a version has this field where it stands, rather than among the tagged ones or not at all.
    pub const fn is_in_place(&self, form: Form) -> bool {
        self.tag.is_none() && self.is_known(form)
    }

    /// Whether a version has this field.
    pub const fn is_known(&self, form: Form) -> bool {
        self.from <= form.version && form.version <= self.until
    }

    /// Whether a version lets this field be null.
    pub const fn is_nullable(&self, form: Form) -> bool {
        self.nullable_from <= form.version
    }

    fn min_bytes(&self, form: Form) -> usize {
        match &self.kind {
            // One byte says that it is null.
            Kind::Structure(_) if self.is_nullable(form) => 1,
            kind => kind.min_bytes(form),
        }
    }
}

impl Kind {
    /// How many bytes the smallest value takes. Recurses as deep as the table is written, never as deep as
    /// a peer wants.
    pub fn min_bytes(&self, form: Form) -> usize {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Text | Self::Bytes | Self::Array(_) if form.flexible => 1,
            Self::Text => 2,
            Self::Bytes | Self::Array(_) => 4,
            Self::Structure(fields) => {
                let here = fields.iter().filter(|field| field.is_in_place(form));
                let fields: usize = here.map(|field| field.min_bytes(form)).sum();
                fields + usize::from(form.flexible)
            }
        }
    }
}

/// One row of the table: `shape!(key Name oldest-newest flexible version: fields)`, as the module says.
macro_rules! shape {
    ($key:literal $name:ident $min:literal-$max:literal flexible $flexible:tt: $($fields:tt)*) => {
        Shape {
            api_key: $key,
            name: stringify!($name),
            min_version: $min,
            max_version: $max,
            flexible_from: version!($flexible),
            fields: fields!($($fields)*),
        }
    };
}

macro_rules! fields {
    ($( $kind:tt $(? $($null_from:literal)?)? $(@ $from:literal $(- $until:literal)?)?
        $(tag $tag:literal)? ),*) => {
        &[ $( Field {
            kind: kind!($kind),
            nullable_from: nullable!($(? $($null_from)?)?),
            from: first!($($from)? 0),
            until: first!($($($until)?)? NEVER),
            tag: tag!($($tag)?),
        } ),* ]
    };
}

macro_rules! kind {
    (i8) => { Kind::Fixed(1) };
    (i16) => { Kind::Fixed(2) };
    (i32) => { Kind::Fixed(4) };
    (i64) => { Kind::Fixed(8) };
    (uuid) => { Kind::Fixed(16) };
    (text) => { Kind::Text };
    (bytes) => { Kind::Bytes };
    ([$element:tt]) => { Kind::Array(&kind!($element)) };
    ({ $($fields:tt)* }) => { Kind::Structure(fields!($($fields)*)) };
}

macro_rules! version {
    (never) => {
        NEVER
    };
    ($version:literal) => {
        $version
    };
}

macro_rules! nullable {
    () => {
        NEVER
    };
    (?) => {
        0
    };
    (? $from:literal) => {
        $from
    };
}

macro_rules! first {
    ($first:tt $($rest:tt)*) => {
        $first
    };
}

macro_rules! tag {
    () => {
        None
    };
    ($tag:literal) => {
        Some($tag)
    };
}

pub(super) use {fields, first, kind, nullable, shape, tag, version};
