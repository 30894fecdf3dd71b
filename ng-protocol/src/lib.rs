//! rtpengine's ng control protocol. No I/O.
