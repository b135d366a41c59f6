//! The notation in which records are declared: a struct with, for each field, the version that brought it, its
//! type, and its default where that is not the type's own; then the tagged fields in the order of their tags.
//!
//! All metadata records are flexible (KIP-482): lengths and counts are unsigned varints plus one, zero is null, and
//! tagged fields are written only where they differ from their default. A field that the version does not have is
//! not written and reads as its default; tags that are not declared are stepped over.

use bytes::Bytes;
use uuid::Uuid;

use crate::wire::fields::{Malformed, Reader};
use crate::wire::varint;

/// What a record's fields can be.
pub trait Field: Sized {
    /// The fewest bytes it takes: a count of such elements is compared with the bytes that are left.
    const MIN_BYTES: usize;

    /// Appends it.
    fn put(&self, version: i16, out: &mut Vec<u8>);

    /// Takes it off the front.
    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed>;
}

/// Fields with a length in front, which can say null.
pub trait Nullable: Field {
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
            const MIN_BYTES: usize = size_of::<$kind>();

            fn put(&self, _version: i16, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn take(from: &mut Reader, _version: i16) -> Result<Self, Malformed> {
                from.$kind()
            }
        }
    )* };
}

numbers! { i8 i16 u16 i32 i64 f64 }

impl Field for bool {
    const MIN_BYTES: usize = 1;

    fn put(&self, _version: i16, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Reader, _version: i16) -> Result<Self, Malformed> {
        Ok(from.i8()? != 0)
    }
}

impl Field for Uuid {
    const MIN_BYTES: usize = 16;

    fn put(&self, _version: i16, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut Reader, _version: i16) -> Result<Self, Malformed> {
        from.uuid()
    }
}

impl Field for String {
    const MIN_BYTES: usize = 1;

    fn put(&self, _version: i16, out: &mut Vec<u8>) {
        put_length(out, self.len());
        out.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Self::take_nullable(from, version)?.ok_or(Malformed::Null)
    }
}

impl Nullable for String {
    fn take_nullable(from: &mut Reader, _version: i16) -> Result<Option<Self>, Malformed> {
        Ok(from.nullable_text()?.map(|text| text.as_str().to_owned()))
    }
}

impl Field for Bytes {
    const MIN_BYTES: usize = 1;

    fn put(&self, _version: i16, out: &mut Vec<u8>) {
        put_length(out, self.len());
        out.extend_from_slice(self);
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Self::take_nullable(from, version)?.ok_or(Malformed::Null)
    }
}

impl Nullable for Bytes {
    /// A copy, because a slice would keep the whole batch.
    fn take_nullable(from: &mut Reader, _version: i16) -> Result<Option<Self>, Malformed> {
        Ok(from.nullable_bytes()?.map(|bytes| Self::copy_from_slice(&bytes)))
    }
}

impl<T: Field> Field for Vec<T> {
    const MIN_BYTES: usize = 1;

    fn put(&self, version: i16, out: &mut Vec<u8>) {
        put_length(out, self.len());
        for element in self {
            element.put(version, out);
        }
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        Self::take_nullable(from, version)?.ok_or(Malformed::Null)
    }
}

impl<T: Field> Nullable for Vec<T> {
    fn take_nullable(from: &mut Reader, version: i16) -> Result<Option<Self>, Malformed> {
        let Some(count) = from.nullable_count(T::MIN_BYTES)? else { return Ok(None) };
        (0..count).map(|_| T::take(from, version)).collect::<Result<_, _>>().map(Some)
    }
}

impl<T: Nullable> Field for Option<T> {
    const MIN_BYTES: usize = 1;

    fn put(&self, version: i16, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(version, out),
            None => out.push(0),
        }
    }

    fn take(from: &mut Reader, version: i16) -> Result<Self, Malformed> {
        T::take_nullable(from, version)
    }
}

/// Lengths and counts are one more than they mean: zero is null.
fn put_length(out: &mut Vec<u8>, length: usize) {
    varint::put_unsigned(out, length as u32 + 1);
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
            let mut field = Vec::new();
            value.put(version, &mut field);
            self.count += 1;
            varint::put_unsigned(&mut self.bytes, tag);
            varint::put_unsigned(&mut self.bytes, field.len() as u32);
            self.bytes.append(&mut field);
        }
        self
    }

    /// Appends them all.
    pub fn put(self, out: &mut Vec<u8>) {
        varint::put_unsigned(out, self.count);
        out.extend_from_slice(&self.bytes);
    }
}

/// Declares a struct: see the head of this file.
macro_rules! structure {
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (
        $(#[$doc:meta])*
        $name:ident {
            $( $(#[$field_doc:meta])*
               $since:literal + $field:ident : $kind:ty $(= $default:expr)? ; )*
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
            const MIN_BYTES: usize = 1 $( + if $since == 0 {
                <$kind as $crate::wire::records::notation::Field>::MIN_BYTES
            } else {
                0
            } )*;

            fn put(&self, version: i16, out: &mut Vec<u8>) {
                let _ = version;
                $( if version >= $since { self.$field.put(version, out); } )*
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
                    $( $field: if version >= $since {
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
pub(super) use structure;
