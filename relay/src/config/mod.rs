//! Options: rtpengine.conf keys, environment and flags; each value knows where it came from.
