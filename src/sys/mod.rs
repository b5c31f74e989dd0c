//! System calls that have no safe wrapper elsewhere: the only place for `unsafe` and `libc`.

pub mod confinement;
pub mod process;
