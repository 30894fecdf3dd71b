//! Gives the values their meaning.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Config;
use super::address::{self, Locality};
use super::error::ConfigError;
use super::file::Sections;
use super::interface_sections::{self, InterfaceSection};
use super::interfaces::{self, Interfaces};
use super::listeners;
use super::machine::Machine;
use super::mos::mos;
use super::ports::{self, PortOptions};
use super::recording::{recording, star_codes};
use super::resolve_node::{agent, directory, identity, process, state_dir};
use super::settings::{Given, Origin, Settings};
use super::value::{
    bad, bad_scalar, decimal, flag, integer, path, positive_seconds, seconds, setting,
};
use crate::datapath::EngineChoice;
use crate::media::MediaPorts;
use crate::plan::EndpointLearning;
use crate::tables::{TABLES, TableRequest};

/// Checks every value, against the machine where it speaks of the machine.
///
/// # Errors
/// The first value that cannot be.
pub(super) fn resolve(
    settings: &Settings,
    sections: Sections,
    machine: &dyn Machine,
    warnings: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Config, ConfigError> {
    let listen = setting(settings, "listen-ng");
    let locality = Locality::of(machine).map_err(|error| {
        let problem = format!("the kernel does not tell this machine's addresses: {error}");
        bad_scalar(listen, &problem)
    })?;
    let ports = PortOptions::of(settings)?;
    let media = media_interfaces(settings, &sections.interfaces, &ports, &locality, notes)?;
    let media = media.finish(&ports.ports());
    let used = MediaPorts::union(media.ports.values());
    warnings.extend(ports::warning(&used, machine));
    warnings.extend(media.warnings);
    warnings.extend(no_sections(settings, &sections));
    let listen_ng = listen_addresses(settings, "listen-ng", &locality)?;
    if listen_ng.is_empty() {
        return Err(bad_scalar(listen, "expected [ADDRESS:]PORT"));
    }
    let final_timeout = seconds(settings, "final-timeout")?;
    let threads = integer(settings, "num-threads")?;
    let max_sessions = integer(settings, "max-sessions")?;
    let (engine, device_engines) = engines(settings, machine)?;
    Ok(Config {
        name: setting(settings, "name").scalar().to_owned(),
        templates: sections.templates,
        interfaces: media.interfaces,
        media_ports: media.ports,
        listen_ng,
        listen_tcp_ng: listen_addresses(settings, "listen-tcp-ng", &locality)?,
        listen_cli: listen_addresses(settings, "listen-cli", &locality)?,
        listen_http: listen_addresses(settings, "listen-http", &locality)?,
        listen_https: listen_addresses(settings, "listen-https", &locality)?,
        https_cert: path(settings, "https-cert"),
        https_key: path(settings, "https-key"),
        http_idle_timeout: positive_seconds(settings, "http-idle-timeout")?,
        table: table(settings)?,
        require_kernel: flag(settings, "require-kernel")? || flag(settings, "no-fallback")?,
        agent: agent(settings)?,
        identity: identity(settings)?,
        state_dir: state_dir(settings)?,
        table_lease: seconds(settings, "table-lease")?,
        registry: directory(settings, "registry")?,
        bpffs: directory(settings, "bpffs")?,
        engine,
        device_engines,
        max_flows: integer(settings, "max-flows")? as u32,
        timeout: positive_seconds(settings, "timeout")?,
        silent_timeout: positive_seconds(settings, "silent-timeout")?,
        offer_timeout: positive_seconds(settings, "offer-timeout")?,
        final_timeout: (!final_timeout.is_zero()).then_some(final_timeout),
        delete_delay: seconds(settings, "delete-delay")?,
        tos: integer(settings, "tos")? as u8,
        max_sessions: u32::try_from(max_sessions).ok(),
        max_cpu: decimal(settings, "max-cpu")?,
        max_load: decimal(settings, "max-load")?,
        max_bandwidth: integer(settings, "max-bandwidth")?.unsigned_abs(),
        control_tos: integer(settings, "control-tos")? as u8,
        endpoint_learning: endpoint_learning(settings)?,
        sip_source: flag(settings, "sip-source")?,
        callbacks: listeners::callbacks(settings)?,
        dtmf_log_dest: listeners::dtmf_log_dest(settings, machine)?,
        dtmf_log_ng_tcp: flag(settings, "dtmf-log-ng-tcp")?,
        dtmf_digit_delay: Duration::from_millis(integer(settings, "dtmf-digit-delay")? as u64),
        mos: mos(settings, warnings)?,
        graphite_interval: seconds(settings, "graphite-interval")?,
        rtcp_interval: Duration::from_millis(integer(settings, "rtcp-interval")? as u64),
        recording: recording(settings, warnings)?,
        star_codes: star_codes(settings)?,
        num_threads: usize::try_from(threads)
            .ok()
            .filter(|threads| *threads > 0)
            .unwrap_or_else(|| machine.cores().max(1)),
        process: process(settings)?,
    })
}

fn media_interfaces(
    settings: &Settings,
    sections: &[InterfaceSection],
    ports: &PortOptions,
    locality: &Locality,
    notes: &mut Vec<String>,
) -> Result<Interfaces, ConfigError> {
    let setting = setting(settings, "interface");
    let mut interfaces = Interfaces::default();
    for given in &setting.values {
        let added = interfaces.add(&given.text, locality);
        added.map_err(|problem| bad(setting.spec, given, &problem))?;
    }
    interface_sections::add(&mut interfaces, sections, ports, locality)?;
    if !setting.values.is_empty() || !sections.is_empty() {
        return Ok(interfaces);
    }
    let own = interfaces::own(locality);
    if own.is_empty() {
        let nothing = Given {
            text: String::new(),
            origin: Origin::Default,
        };
        let problem = "this machine has no address at all: bring an interface up";
        return Err(bad(setting.spec, &nothing, problem));
    }
    interfaces.add_own(&own);
    let addresses: Vec<String> = own.iter().map(IpAddr::to_string).collect();
    notes.push(format!(
        "no interface given: media on this machine's own addresses {}",
        addresses.join(", ")
    ));
    Ok(interfaces)
}

/// `interfaces-config` where the file has none of the sections that it names.
fn no_sections(settings: &Settings, sections: &Sections) -> Option<String> {
    let setting = setting(settings, "interfaces-config");
    let prefix = setting.scalar();
    if prefix.is_empty() || !sections.interfaces.is_empty() {
        return None;
    }
    Some(format!(
        "interfaces-config = {prefix} ({}): the configuration file has no section [{prefix}-NAME]",
        setting.origin
    ))
}

fn listen_addresses(
    settings: &Settings,
    name: &'static str,
    locality: &Locality,
) -> Result<Vec<SocketAddr>, ConfigError> {
    let setting = setting(settings, name);
    let mut addresses = Vec::new();
    for given in &setting.values {
        let found = address::listen(&given.text, locality);
        for address in found.map_err(|problem| bad(setting.spec, given, &problem))? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

fn table(settings: &Settings) -> Result<TableRequest, ConfigError> {
    let setting = setting(settings, "table");
    let problem = format!(
        "expected auto, a number from 0 to {}, or -1 for user space",
        TABLES - 1
    );
    setting
        .scalar()
        .parse()
        .map_err(|_| bad_scalar(setting, &problem))
}

fn engines(
    settings: &Settings,
    machine: &dyn Machine,
) -> Result<(EngineChoice, BTreeMap<String, EngineChoice>), ConfigError> {
    let setting = setting(settings, "engine");
    let mut general = EngineChoice::default();
    let mut by_device = BTreeMap::new();
    for given in &setting.values {
        let (device, word) = match given.text.rsplit_once(':') {
            Some((device, word)) => (Some(device), word),
            None => (None, given.text.as_str()),
        };
        let engine: EngineChoice = word.parse().map_err(|_| {
            let problem = "expected [DEVICE:] and auto, xdp, xdp-generic, tc or null";
            bad(setting.spec, given, problem)
        })?;
        let Some(device) = device else {
            general = engine;
            continue;
        };
        let devices = machine.devices();
        if !devices.iter().any(|name| name == device) {
            let devices = devices.join(", ");
            let problem = format!("there is no device {device}; devices here: {devices}");
            return Err(bad(setting.spec, given, &problem));
        }
        by_device.insert(device.to_owned(), engine);
    }
    Ok((general, by_device))
}

fn endpoint_learning(settings: &Settings) -> Result<EndpointLearning, ConfigError> {
    let setting = setting(settings, "endpoint-learning");
    match setting.scalar().to_ascii_lowercase().as_str() {
        "off" => Ok(EndpointLearning::Off),
        "immediate" => Ok(EndpointLearning::Immediate),
        "delayed" => Ok(EndpointLearning::Delayed),
        "heuristic" => Ok(EndpointLearning::Heuristic),
        _ => Err(bad_scalar(
            setting,
            "expected delayed, immediate, off or heuristic",
        )),
    }
}
