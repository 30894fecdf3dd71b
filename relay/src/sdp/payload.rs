//! Payload types and their clock rates (RFC 3551 section 6, `a=rtpmap`).

/// The encoding of a static payload type, as `a=rtpmap` would write it.
pub(super) fn static_encoding(payload_type: u8) -> Option<&'static str> {
    Some(match payload_type {
        0 => "PCMU/8000",
        3 => "GSM/8000",
        4 => "G723/8000",
        5 => "DVI4/8000",
        6 => "DVI4/16000",
        7 => "LPC/8000",
        8 => "PCMA/8000",
        9 => "G722/8000",
        10 => "L16/44100/2",
        11 => "L16/44100",
        12 => "QCELP/8000",
        13 => "CN/8000",
        14 => "MPA/90000",
        15 => "G728/8000",
        16 => "DVI4/11025",
        17 => "DVI4/22050",
        18 => "G729/8000",
        25 => "CelB/90000",
        26 => "JPEG/90000",
        28 => "nv/90000",
        31 => "H261/90000",
        32 => "MPV/90000",
        33 => "MP2T/90000",
        34 => "H263/90000",
        _ => return None,
    })
}

/// The static payload type of an encoding that is written like this, in any case.
#[must_use]
pub fn static_number(encoding: &str) -> Option<u8> {
    let is_meant = |number: &u8| {
        let known = static_encoding(*number);
        known.is_some_and(|known| known.eq_ignore_ascii_case(encoding))
    };
    (0..=34).find(is_meant)
}

/// The clock rate in Hz of an encoding such as `opus/48000/2`.
#[must_use]
pub fn clock_rate(encoding: &str) -> Option<u32> {
    encoding
        .split('/')
        .nth(1)?
        .trim()
        .parse()
        .ok()
        .filter(|rate| *rate > 0)
}
