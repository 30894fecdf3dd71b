//! Calls: offer, answer, delete, query, as values in and values out (sans-IO).
