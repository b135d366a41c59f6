//! Real files behind the disk trait. The only folder with unsafe code.
