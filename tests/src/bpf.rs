//! The system call `bpf`, as far as a tenant may try its luck with it, and what a map is.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

const MAP_UPDATE_ELEM: i64 = 2;
const OBJ_PIN: i64 = 6;
const OBJ_GET: i64 = 7;

/// What /proc says of a map's descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapInfo {
    /// The kernel's number of it; not used again soon.
    pub id: u32,
    /// Bytes of a value.
    pub value_size: usize,
    /// Elements.
    pub max_entries: usize,
}

impl MapInfo {
    /// Of an open map.
    ///
    /// # Panics
    /// If the descriptor is not that of a map.
    #[must_use]
    #[track_caller]
    pub fn of(map: BorrowedFd<'_>) -> Self {
        let path = format!("/proc/self/fdinfo/{}", map.as_raw_fd());
        let text = fs::read_to_string(path).unwrap();
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(":\t"));
            let (_, value) = lines
                .find(|(key, _)| *key == name)
                .unwrap_or_else(|| panic!("not a map:\n{text}"));
            value.parse().unwrap()
        };
        Self {
            id: u32::try_from(value("map_id")).expect("an id"),
            value_size: value("value_size"),
            max_entries: value("max_entries"),
        }
    }
}

/// Writes zeros into the first element of an array.
///
/// # Errors
/// What the kernel says.
pub fn clear_first_element(map: BorrowedFd<'_>) -> io::Result<()> {
    let value = vec![0_u8; MapInfo::of(map).value_size];
    let key = 0_u32;
    let attributes = [
        u64::from(map.as_raw_fd().cast_unsigned()),
        &raw const key as u64,
        value.as_ptr() as u64,
        0,
    ];
    command(MAP_UPDATE_ELEM, &attributes).map(drop)
}

/// Opens what is pinned at `path`, to read and to write.
///
/// # Errors
/// What the kernel says.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.to_string_lossy().as_bytes()).unwrap();
    let fd = command(OBJ_GET, &[path.as_ptr() as u64, 0, 0])?;
    // SAFETY: the kernel just made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pins a map.
///
/// # Errors
/// What the kernel says.
pub fn pin(map: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.to_string_lossy().as_bytes()).unwrap();
    let map = u64::from(map.as_raw_fd().cast_unsigned());
    command(OBJ_PIN, &[path.as_ptr() as u64, map, 0]).map(drop)
}

fn command<const N: usize>(command: i64, attributes: &[u64; N]) -> io::Result<i32> {
    // SAFETY: pointer and size describe `attributes`; the pointers inside are to live buffers of the callers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_ptr(),
            size_of_val(attributes),
        )
    };
    match i32::try_from(done) {
        Ok(done @ 0..) => Ok(done),
        _ => Err(io::Error::last_os_error()),
    }
}
