//! bpf(2), as far as descriptors and pins go: what is pinned here by one agent is gone on with by another.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::datapath::Engine;

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const MAP_FREEZE: libc::c_int = 22;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;
const LINK_DETACH: libc::c_int = 34;

const MAP_TYPE_ARRAY: u32 = 2;
const ATTACH_XDP: u32 = 37;
const ATTACH_TCX_INGRESS: u32 = 46;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
const LINK_TYPE_XDP: u32 = 6;
const LINK_TYPE_TCX: u32 = 11;

/// Pins a map, a program or a link.
///
/// # Errors
/// What the kernel says.
pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = text(path)?;
    let attributes = Pinning {
        path: path.as_ptr() as u64,
        object: object.as_raw_fd() as u32,
        flags: 0,
    };
    call(OBJ_PIN, &attributes).map(drop)
}

/// Opens what is pinned.
///
/// # Errors
/// What the kernel says; NotFound: nothing is.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = text(path)?;
    let attributes = Pinning {
        path: path.as_ptr() as u64,
        object: 0,
        flags: 0,
    };
    call(OBJ_GET, &attributes).map(owned)
}

/// Attaches a program to an interface of the thread's network namespace, for as long as the link is open or pinned.
///
/// # Errors
/// What the kernel says.
pub(super) fn attach(program: BorrowedFd<'_>, ifindex: u32, engine: Engine) -> io::Result<OwnedFd> {
    let (attach_type, flags) = match engine {
        Engine::Xdp => (ATTACH_XDP, XDP_FLAGS_DRV_MODE),
        Engine::XdpGeneric => (ATTACH_XDP, XDP_FLAGS_SKB_MODE),
        Engine::Tc => (ATTACH_TCX_INGRESS, 0),
    };
    let attributes = LinkCreation {
        program: program.as_raw_fd() as u32,
        ifindex,
        attach_type,
        flags,
        rest: [0; 6],
    };
    call(LINK_CREATE, &attributes).map(owned)
}

/// Has a link run another program, from one packet to the next.
///
/// # Errors
/// What the kernel says; ENOLINK: its interface is gone.
pub(super) fn replace(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = LinkUpdate {
        link: link.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        flags: 0,
        old_program: 0,
    };
    call(LINK_UPDATE, &attributes).map(drop)
}

/// Detaches a link, whoever else has it open.
///
/// # Errors
/// What the kernel says.
pub(super) fn detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = Single {
        object: link.as_raw_fd() as u32,
    };
    call(LINK_DETACH, &attributes).map(drop)
}

/// What a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkInfo {
    /// What tells it from others.
    pub(super) id: u32,
    /// The program it runs.
    pub(super) program: u32,
    /// The interface it is at; 0: that is gone.
    pub(super) ifindex: u32,
}

/// Tells what a link is.
///
/// # Errors
/// What the kernel says.
pub(super) fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    // struct bpf_link_info: type, id, program's id, padding; for XDP and TCX the interface.
    let words: [u32; 16] = info(link)?;
    match words[0] {
        LINK_TYPE_XDP | LINK_TYPE_TCX => Ok(LinkInfo {
            id: words[1],
            program: words[2],
            ifindex: words[4],
        }),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// A program's id.
///
/// # Errors
/// What the kernel says.
pub(super) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    // struct bpf_prog_info: type, id.
    info::<16>(program).map(|words| words[1])
}

/// How large a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MapSize {
    /// Bytes of a key.
    pub(super) key: usize,
    /// Bytes of a value.
    pub(super) value: usize,
    /// How many elements there are, or may be.
    pub(super) elements: u32,
}

/// Tells how large a map is.
///
/// # Errors
/// What the kernel says.
pub(super) fn map_size(map: BorrowedFd<'_>) -> io::Result<MapSize> {
    // struct bpf_map_info: type, id, sizes of key and value, elements.
    let words: [u32; 16] = info(map)?;
    Ok(MapSize {
        key: words[2] as usize,
        value: words[3] as usize,
        elements: words[4],
    })
}

/// Makes an array map of one element.
///
/// # Errors
/// What the kernel says.
pub(super) fn create_map(value: &[u8], name: &str) -> io::Result<OwnedFd> {
    let mut attributes = MapCreation {
        kind: MAP_TYPE_ARRAY,
        key: 4,
        value: value.len() as u32,
        elements: 1,
        unused: [0; 3],
        name: [0; 16],
    };
    // The last byte stays zero.
    for (place, letter) in attributes.name[..15].iter_mut().zip(name.bytes()) {
        *place = letter;
    }
    let map = owned(call(MAP_CREATE, &attributes)?);
    update(map.as_fd(), &0_u32.to_ne_bytes(), value)?;
    Ok(map)
}

/// What tells a map from others.
///
/// # Errors
/// What the kernel says.
#[cfg(test)]
pub(super) fn map_id(map: BorrowedFd<'_>) -> io::Result<u32> {
    info::<16>(map).map(|words| words[1])
}

/// Has a map written by programs alone from now on. (A descriptor for reading alone would not do: such maps can't be
/// mapped into memory.)
///
/// # Errors
/// What the kernel says; EBUSY: it is mapped to be written.
pub(super) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = Single {
        object: map.as_raw_fd() as u32,
    };
    call(MAP_FREEZE, &attributes).map(drop)
}

/// An element of a map.
///
/// # Errors
/// What the kernel says; ENOENT: there is none.
pub(super) fn lookup(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<Vec<u8>> {
    let size = map_size(map)?;
    check(key, size.key)?;
    let mut value = vec![0; size.value];
    let attributes = Element::new(map, key.as_ptr(), value.as_mut_ptr());
    call(MAP_LOOKUP_ELEM, &attributes)?;
    Ok(value)
}

/// Sets an element of a map. For a map of programs the value is a descriptor.
///
/// # Errors
/// What the kernel says.
pub(super) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let size = map_size(map)?;
    check(key, size.key)?;
    check(value, size.value)?;
    let attributes = Element::new(map, key.as_ptr(), value.as_ptr().cast_mut());
    call(MAP_UPDATE_ELEM, &attributes).map(drop)
}

/// Removes an element of a map.
///
/// # Errors
/// What the kernel says; ENOENT: there is none.
pub(super) fn delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<()> {
    check(key, map_size(map)?.key)?;
    let attributes = Element::new(map, key.as_ptr(), std::ptr::null_mut());
    call(MAP_DELETE_ELEM, &attributes).map(drop)
}

/// What the kernel says of an object: the first words of its `struct bpf_…_info`.
fn info<const WORDS: usize>(object: BorrowedFd<'_>) -> io::Result<[u32; WORDS]> {
    let mut words = [0_u32; WORDS];
    let attributes = Info {
        object: object.as_raw_fd() as u32,
        length: size_of_val(&words) as u32,
        info: words.as_mut_ptr() as u64,
    };
    call(OBJ_GET_INFO_BY_FD, &attributes)?;
    Ok(words)
}

fn check(bytes: &[u8], expected: usize) -> io::Result<()> {
    // The kernel reads as many as the map says.
    if bytes.len() == expected {
        return Ok(());
    }
    Err(io::ErrorKind::InvalidInput.into())
}

fn text(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn owned(descriptor: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel has just opened it for us.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Runs one command. `T` is the command's part of `union bpf_attr`.
fn call<T: Attributes>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: the attributes have the layout of the command's, and what they point to lives until the call returns:
    // buffers as long as the kernel reads or writes there, which the callers have seen to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    match result {
        ..0 => Err(io::Error::last_os_error()),
        // A descriptor or 0.
        result => Ok(result as libc::c_int),
    }
}

/// One command's part of `union bpf_attr`.
trait Attributes {}

#[repr(C)]
struct Pinning {
    path: u64,
    object: u32,
    flags: u32,
}

#[repr(C)]
struct LinkCreation {
    program: u32,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
    rest: [u32; 6],
}

#[repr(C)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    old_program: u32,
}

#[repr(C)]
struct Single {
    object: u32,
}

#[repr(C)]
struct Info {
    object: u32,
    length: u32,
    info: u64,
}

#[repr(C)]
struct MapCreation {
    kind: u32,
    key: u32,
    value: u32,
    elements: u32,
    unused: [u32; 3],
    name: [u8; 16],
}

#[repr(C)]
struct Element {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Element {
    fn new(map: BorrowedFd<'_>, key: *const u8, value: *mut u8) -> Self {
        Self {
            map: map.as_raw_fd() as u32,
            padding: 0,
            key: key as u64,
            value: value as u64,
            flags: 0,
        }
    }
}

impl Attributes for Pinning {}
impl Attributes for LinkCreation {}
impl Attributes for LinkUpdate {}
impl Attributes for Single {}
impl Attributes for Info {}
impl Attributes for MapCreation {}
impl Attributes for Element {}
