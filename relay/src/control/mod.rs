//! The ng server: transports, the duplicate cache, dispatch.
