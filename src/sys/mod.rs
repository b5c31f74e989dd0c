//! System calls that have no safe wrapper elsewhere: the only place for `unsafe` and `libc`.

pub mod backing;
pub mod confinement;
pub mod descriptor;
pub mod file_handle;
pub mod ioctl;
pub mod lease;
pub mod memory;
pub mod network;
pub mod process;
pub mod thread;
