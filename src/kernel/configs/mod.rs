//! The table of configuration keys: types, defaults, ranges, flags, synonyms; resolution and validation.
