//! Media in user space: port pool, sockets, endpoint learning, workers.
