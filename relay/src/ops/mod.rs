//! What operators look at: metrics, health, the text CLI, logging.
