//! Calls driven through requests as they come off the wire, with a pool and counters that are pretended.

mod answer;
mod blocks;
mod bundle;
mod connect;
mod create;
mod delete;
mod events;
mod forks;
mod fuzz;
mod groups;
mod limits;
mod offer;
mod property;
mod quality;
mod query;
mod real_exchange;
mod recording;
mod reinvite;
mod restore;
mod rtcp;
mod rtcp_mux;
mod rules;
mod subscribe;
mod survey;
mod timeouts;
mod world;
