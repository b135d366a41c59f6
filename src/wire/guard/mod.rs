//! Walks a request before anything is decoded: every count and length is compared with the bytes that are left.
