//! The notation in which records are declared: a struct with, for each field, the version that brought it, its
//! type, and its default where that is not the type's own; then the tagged fields in the order of their tags.
//! `3+` is a field since version 3, `1-1` one of version 1 alone.
//!
//! In the flexible form (KIP-482) lengths and counts are unsigned varints plus one, zero is null, and tagged fields are
//! written only where they differ from their default. In the old form lengths of texts are 16 bits, those of bytes and
//! arrays 32 bits, −1 is null, and there are no tagged fields. Metadata records are all flexible; of the coordinators'
//! records the keys are not, nor are the older values: whoever reads or writes one says which form it has.
//!
//! A field that the version does not have is not written and reads as its default; tags that are not declared are
//! stepped over.

use bytes::Bytes;
use uuid::Uuid;

use crate::wire::fields::{Malformed, Reader, TEXT_MAX_BYTES};
use crate::wire::varint;

/// What records are appended to.
#[derive(Debug)]
pub struct RecordWriter {
    bytes: Vec<u8>,
    flexible: bool,
}

impl RecordWriter {
    /// Starts a record in the flexible form or the old one.
    pub fn new(flexible: bool) -> Self {
        Self { bytes: Vec::with_capacity(64), flexible }
    }

    /// Goes on after what `bytes` holds.
    pub const fn after(bytes: Vec<u8>, flexible: bool) -> Self {
        Self { bytes, flexible }
    }

    /// All that was appended, and what was there before.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) {
        self.nullable_text(Some(text));
    }

    /// Appends the tagged fields of a structure that has none.
    pub fn no_tagged_fields(&mut self) {
        if self.flexible {
            self.unsigned(0);
        }
    }

    /// Appends bytes as they are.
    pub fn slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends an unsigned varint.
    pub fn unsigned(&mut self, value: u32) {
        varint::put_unsigned(&mut self.bytes, value);
    }

    /// All that was appended.
    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }

    /// The length of bytes or the count of an array, None for null.
    pub fn long_length(&mut self, length: Option<usize>) {
        if self.flexible {
            self.compact_length(length);
        } else {
            let length = length.map_or(-1, |length| length as i32);
            self.slice(&length.to_be_bytes());
        }
    }

    /// A text with its length. One that is longer than any that Kafka reads is cut; none comes so far, because all
    /// texts come from requests, where the same limit holds.
    fn nullable_text(&mut self, text: Option<&str>) {
        let text = text
            .map(|text| text.get(..text.floor_char_boundary(TEXT_MAX_BYTES)).unwrap_or_default());
        let length = text.map(str::len);
        if self.flexible {
            self.compact_length(length);
        } else {
            let length = length.map_or(-1, |length| length as i16);
            self.slice(&length.to_be_bytes());
        }
        self.slice(text.unwrap_or_default().as_bytes());
    }

    /// Lengths of the flexible form are one more than they mean; zero is null.
    fn compact_length(&mut self, length: Option<usize>) {
        self.unsigned(length.map_or(0, |length| length as u32 + 1));
    }
}

/// What a record's fields can be.
pub trait Field: Sized {
    /// The fewest bytes it takes: a count of such elements is compared with the bytes that are left.
    fn min_bytes(flexible: bool) -> usize;

    /// Appends it.
    fn put(&self, version: i16, out: &mut RecordWriter);

    /// Takes it off the front.
    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed>;
}

/// Fields with something in front that can say null: a length, or a structure's presence. Kafka writes the presence as
/// an unsigned varint in tagged fields, which is where our structures are null, and as −1 or 1 elsewhere.
pub trait Nullable: Field {
    /// The fewest bytes it takes: those of null.
    fn nullable_min_bytes(flexible: bool) -> usize;

    /// Appends it, or the null in its place.
    fn put_nullable(value: Option<&Self>, version: i16, out: &mut RecordWriter);

    /// Takes it off the front, or the null in its place.
    fn take_nullable(from: &mut Reader, version: i16) -> Result<Option<Self>, Malformed>;
}

/// A struct, as far as its tagged fields go.
pub trait Tagged {
    /// Reads the field of this tag; false if this version has none.
    fn take_tagged(&mut self, tag: u32, from: &mut Reader, version: i16)
    -> Result<bool, Malformed>;
}

macro_rules! numbers {
    ($( $kind:ident )*) => { $(
        impl Field for $kind {
            fn min_bytes(_flexible: bool) -> usize {
                size_of::<$kind>()
            }

            fn put(&self, _version: i16, out: &mut RecordWriter) {
                out.slice(&self.to_be_bytes());
            }

            fn take(from: &mut Reader, _version: i16) -> Result<Self, Malformed> {
                from.$kind()
            }
        }
    )* };
}

numbers! { i8 i16 u16 i32 i64 f64 }

impl Field for bool {
    fn min_bytes(_flexible: bool) -> usize {
        1
    }

    fn put(&self, _version: i16, out: &mut RecordWriter) {
        out.slice(&[u8::from(*self)]);
    }

    fn take(from: &mut Reader, _version: i16) -> Result<Self, Malformed> {
        Ok(from.i8()? != 0)
    }
}

impl Field for Uuid {
    fn min_bytes(_flexible: bool) -> usize {
        16
    }

    fn put(&self, _version: i16, out: &mut RecordWriter) {
        out.slice(self.as_bytes());
    }

    fn take(from: &mut Reader, _version: i16) -> Result<Self, Malformed> {
        from.uuid()
    }
}

impl Field for String {
    fn min_bytes(flexible: bool) -> usize {
        Self::nullable_min_bytes(flexible)
    }

    fn put(&self, version: i16, out: &mut RecordWriter) {
        Self::put_nullable(Some(self), version, out);
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Self::take_nullable(from, version)?.ok_or(Malformed::Null)
    }
}

impl Nullable for String {
    fn nullable_min_bytes(flexible: bool) -> usize {
        if flexible { 1 } else { size_of::<i16>() }
    }

    fn put_nullable(value: Option<&Self>, _version: i16, out: &mut RecordWriter) {
        out.nullable_text(value.map(Self::as_str));
    }

    fn take_nullable(from: &mut Reader, _version: i16) -> Result<Option<Self>, Malformed> {
        Ok(from.nullable_text()?.map(|text| text.as_str().to_owned()))
    }
}

impl Field for Bytes {
    fn min_bytes(flexible: bool) -> usize {
        Self::nullable_min_bytes(flexible)
    }

    fn put(&self, version: i16, out: &mut RecordWriter) {
        Self::put_nullable(Some(self), version, out);
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Self::take_nullable(from, version)?.ok_or(Malformed::Null)
    }
}

impl Nullable for Bytes {
    fn nullable_min_bytes(flexible: bool) -> usize {
        if flexible { 1 } else { size_of::<i32>() }
    }

    fn put_nullable(value: Option<&Self>, _version: i16, out: &mut RecordWriter) {
        out.long_length(value.map(Self::len));
        out.slice(value.map(AsRef::as_ref).unwrap_or_default());
    }

    /// A copy, because a slice would keep the whole batch.
    fn take_nullable(from: &mut Reader, _version: i16) -> Result<Option<Self>, Malformed> {
        Ok(from.nullable_bytes()?.map(|bytes| Self::copy_from_slice(&bytes)))
    }
}

impl<T: Field> Field for Vec<T> {
    fn min_bytes(flexible: bool) -> usize {
        Self::nullable_min_bytes(flexible)
    }

    fn put(&self, version: i16, out: &mut RecordWriter) {
        Self::put_nullable(Some(self), version, out);
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Self::take_nullable(from, version)?.ok_or(Malformed::Null)
    }
}

impl<T: Field> Nullable for Vec<T> {
    fn nullable_min_bytes(flexible: bool) -> usize {
        if flexible { 1 } else { size_of::<i32>() }
    }

    fn put_nullable(value: Option<&Self>, version: i16, out: &mut RecordWriter) {
        out.long_length(value.map(Self::len));
        for element in value.into_iter().flatten() {
            element.put(version, out);
        }
    }

    fn take_nullable(from: &mut Reader, version: i16) -> Result<Option<Self>, Malformed> {
        let element_min_bytes = T::min_bytes(from.is_flexible());
        let Some(count) = from.nullable_count(element_min_bytes)? else { return Ok(None) };
        (0..count).map(|_| T::take(from, version)).collect::<Result<_, _>>().map(Some)
    }
}

impl<T: Nullable> Field for Option<T> {
    fn min_bytes(flexible: bool) -> usize {
        T::nullable_min_bytes(flexible)
    }

    fn put(&self, version: i16, out: &mut RecordWriter) {
        T::put_nullable(self.as_ref(), version, out);
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        T::take_nullable(from, version)
    }
}

/// Takes a structure that may be null: a number says whether it is there.
pub fn take_present<T: Field>(from: &mut Reader, version: i16) -> Result<Option<T>, Malformed> {
    if from.unsigned()? == 0 { Ok(None) } else { T::take(from, version).map(Some) }
}

/// Appends a structure that may be null.
pub fn put_present<T: Field>(value: Option<&T>, version: i16, out: &mut RecordWriter) {
    out.unsigned(u32::from(value.is_some()));
    if let Some(value) = value {
        value.put(version, out);
    }
}

/// The tagged fields of a struct while they are written.
#[derive(Default)]
pub struct TaggedFields {
    count: u32,
    bytes: Vec<u8>,
}

impl TaggedFields {
    /// Adds a field which this version has, unless it says no more than its default.
    #[must_use]
    pub fn with<T: Field + PartialEq>(
        mut self,
        tag: u32,
        since: i16,
        version: i16,
        (value, default): (&T, &T),
    ) -> Self {
        if version >= since && value != default {
            let mut field = RecordWriter { bytes: Vec::new(), flexible: true };
            value.put(version, &mut field);
            self.count += 1;
            varint::put_unsigned(&mut self.bytes, tag);
            varint::put_unsigned(&mut self.bytes, field.bytes.len() as u32);
            self.bytes.append(&mut field.bytes);
        }
        self
    }

    /// Appends them all; in the old form there are none.
    pub fn put(self, out: &mut RecordWriter) {
        if out.flexible {
            out.unsigned(self.count);
            out.slice(&self.bytes);
        }
    }
}

/// Declares a struct: see the head of this file.
macro_rules! structure {
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@has $version:ident $since:literal) => { $version >= $since };
    (@has $version:ident $since:literal $until:literal) => {
        ($since..=$until).contains(&$version)
    };
    (@always $since:literal) => { $since == 0 };
    (@always $since:literal $until:literal) => { false };
    (
        $(#[$doc:meta])*
        $name:ident {
            $( $(#[$field_doc:meta])*
               $since:literal $(- $until:literal)? $(+)? $field:ident : $kind:ty $(= $default:expr)? ; )*
        }
        $( tagged {
            $( $(#[$tagged_doc:meta])*
               $tagged_since:literal + tag $tag:literal
               $tagged:ident : $tagged_kind:ty $(= $tagged_default:expr)? ; )*
        } )?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $kind, )*
            $($( $(#[$tagged_doc])* pub $tagged: $tagged_kind, )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $crate::wire::records::notation::structure!(@default $($default)?), )*
                    $($( $tagged: $crate::wire::records::notation::structure!(
                        @default $($tagged_default)?
                    ), )*)?
                }
            }
        }

        impl $crate::wire::records::notation::Field for $name {
            fn min_bytes(flexible: bool) -> usize {
                usize::from(flexible) $( + if $crate::wire::records::notation::structure!(
                    @always $since $($until)?
                ) {
                    <$kind as $crate::wire::records::notation::Field>::min_bytes(flexible)
                } else {
                    0
                } )*
            }

            fn put(&self, version: i16, out: &mut $crate::wire::records::notation::RecordWriter) {
                let _ = version;
                $( if $crate::wire::records::notation::structure!(
                    @has version $since $($until)?
                ) {
                    self.$field.put(version, out);
                } )*
                $crate::wire::records::notation::TaggedFields::default()
                    $($( .with($tag, $tagged_since, version, (
                        &self.$tagged,
                        &$crate::wire::records::notation::structure!(@default $($tagged_default)?),
                    )) )*)?
                    .put(out);
            }

            fn take(
                from: &mut $crate::wire::fields::Reader,
                version: i16,
            ) -> Result<Self, $crate::wire::fields::Malformed> {
                let mut value = Self {
                    $( $field: if $crate::wire::records::notation::structure!(
                    @has version $since $($until)?
                ) {
                        $crate::wire::records::notation::Field::take(from, version)?
                    } else {
                        $crate::wire::records::notation::structure!(@default $($default)?)
                    }, )*
                    $($( $tagged: $crate::wire::records::notation::structure!(
                        @default $($tagged_default)?
                    ), )*)?
                };
                from.tags(|tag, field| {
                    $crate::wire::records::notation::Tagged::take_tagged(
                        &mut value, tag, field, version,
                    )
                })?;
                Ok(value)
            }
        }

        impl $crate::wire::records::notation::Nullable for $name {
            fn nullable_min_bytes(_flexible: bool) -> usize {
                1
            }

            fn put_nullable(
                value: Option<&Self>,
                version: i16,
                out: &mut $crate::wire::records::notation::RecordWriter,
            ) {
                $crate::wire::records::notation::put_present(value, version, out);
            }

            fn take_nullable(
                from: &mut $crate::wire::fields::Reader,
                version: i16,
            ) -> Result<Option<Self>, $crate::wire::fields::Malformed> {
                $crate::wire::records::notation::take_present(from, version)
            }
        }

        // Not every one that is declared is looked at by name.
        #[cfg(test)]
        const _: fn() -> Vec<String> = $name::declared;

        #[cfg(test)]
        impl $name {
            /// A line for each field, as it is declared: name, type, versions, tag.
            pub(in crate::wire) fn declared() -> Vec<String> {
                vec![
                    $( format!(
                        concat!(
                            stringify!($name), " ", stringify!($field), " {} ", $since, "{}"
                        ),
                        stringify!($kind),
                        ["+" $(, concat!("-", $until))?].last().unwrap_or(&""),
                    ), )*
                    $($( format!(
                        concat!(
                            stringify!($name), " ", stringify!($tagged), " {} ",
                            $tagged_since, "+ tag ", $tag
                        ),
                        stringify!($tagged_kind),
                    ), )*)?
                ]
            }
        }

        #[cfg(test)]
        impl $crate::wire::records::samples::Sample for $name {
            fn sample(draw: &mut dyn FnMut() -> u64) -> Self {
                let _ = &draw;
                Self {
                    $( $field: $crate::wire::records::samples::Sample::sample(draw), )*
                    $($( $tagged: $crate::wire::records::samples::Sample::sample(draw), )*)?
                }
            }
        }

        impl $crate::wire::records::notation::Tagged for $name {
            fn take_tagged(
                &mut self,
                tag: u32,
                from: &mut $crate::wire::fields::Reader,
                version: i16,
            ) -> Result<bool, $crate::wire::fields::Malformed> {
                $($( if tag == $tag && version >= $tagged_since {
                    self.$tagged = $crate::wire::records::notation::Field::take(from, version)?;
                    return Ok(true);
                } )*)?
                let _ = (tag, from, version);
                Ok(false)
            }
        }
    };
}
pub(in crate::wire) use structure;
