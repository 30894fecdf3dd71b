//! Bringing the relay up, in the order in which things can go wrong without harm: ports to listen on, table and datapath, media,
//! the calls of an earlier process; and serving only when all of it stands.
//!
//! New calls' ports are bound last. Whatever arrives for a call that was forgotten comes up by then, and such a port is not handed
//! out.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::{error, warn};

use super::calls::{self, CallServer, Shared};
use super::journaling::{Journaling, Parting};
use super::office::Office;
use super::operators::Operators;
use super::survival::{Legacy, Survival};
use super::{RunError, digits, load, system, table};
use crate::call::{Calls, Settings};
use crate::callbacks::Callbacks;
use crate::config::{Config, ListenError};
use crate::control::cache::Limits;
use crate::control::commands::Commands;
use crate::control::dispatch::Dispatcher;
use crate::control::notifications::Notifications;
use crate::control::tcp;
use crate::control::udp::{Listeners, UdpServer};
use crate::datapath::{Datapath, Started};
use crate::journal::Journal;
use crate::media::{Media, MediaConfig};
use crate::ops::http::Tls;
use crate::ops::logging::LogLevel;
use crate::ops::{cli, http};
use crate::recording::Recorder;

/// How long the first media ports may take to prove that nobody sends to them any more.
const PORTS_REST: Duration = Duration::from_secs(10);

/// A relay at work.
pub(super) struct Relay {
    server: UdpServer,
    tasks: Vec<JoinHandle<()>>,
    shared: Shared,
    datapath: Arc<dyn Datapath>,
    journaling: Option<Journaling>,
}

impl Relay {
    pub(super) async fn start(
        config: &Config,
        options: Vec<(&'static str, String)>,
        log_level: LogLevel,
    ) -> Result<Self, RunError> {
        // Bound first: a second relay with the same configuration must not get further than this.
        let listeners = Listeners::bind(&config.listen_ng)
            .map_err(|error| ListenError::new("listen-ng", "UDP", error.address, error.source))?;
        let tcp = bind("listen-tcp-ng", &config.listen_tcp_ng).await?;
        let http = bind("listen-http", &config.listen_http).await?;
        let mut https = Vec::new();
        if !config.listen_https.is_empty() {
            let (cert, key) = (config.https_cert.as_deref(), config.https_key.as_deref());
            let tls = Arc::new(Tls::new(cert, key)?);
            let listeners = bind("listen-https", &config.listen_https).await?;
            https.extend(
                listeners
                    .into_iter()
                    .map(|listener| (listener, Arc::clone(&tls))),
            );
        }
        let cli = bind("listen-cli", &config.listen_cli).await?;
        let survival = Survival::of(config);
        let Started {
            datapath,
            monitor,
            takes_over,
            ..
        } = table::start(config, &survival.identity)?;

        let recorder = recorder(config)?;
        let media = Media::prepare(MediaConfig {
            recorder,
            ..media_config(config, Arc::clone(&datapath))
        })?;
        let (journal, legacy) = match &survival.directory {
            Some(directory) => {
                let (journal, found) = Journal::open(directory);
                (Some(journal), Legacy::of(found, survival.lease, takes_over))
            }
            None => (None, Legacy::default()),
        };
        let instance = legacy.instance();
        let calls = Calls::new(
            settings(config),
            config.interfaces.clone(),
            instance,
            calls::now(),
        );
        let events = media.events();
        let server =
            CallServer::new(calls, media, Arc::clone(&datapath)).with_callbacks(callbacks(config)?);
        let server = take_up(server, legacy, journal.is_some()).await?;
        let dispatcher =
            Dispatcher::new(server, Limits::default()).with_templates(config.templates.clone());
        let counters = dispatcher.counters();
        let shared: Shared = Arc::new(Mutex::new(dispatcher));
        let journaling = survival.directory.zip(journal).map(|(directory, journal)| {
            Journaling::start(Arc::clone(&shared), directory, journal, instance)
        });
        let journaling = journaling
            .transpose()
            .map_err(system("cannot start the journal's thread"))?;
        let control_tos = listeners.control_tos();
        control_tos.set(config.control_tos);
        let office = Arc::new(Office {
            commands: counters,
            datapath: Arc::clone(&datapath),
            monitor,
            interfaces: config.interfaces.clone(),
            journal: journaling.as_ref().map(Journaling::in_trouble),
            started: Instant::now(),
            options,
            initial: Office::parameters(&settings(config), &log_level, &control_tos),
            log_level,
            control_tos,
            rates: Mutex::default(),
            interval: Mutex::default(),
        });
        if let Ok(mut dispatcher) = shared.lock() {
            dispatcher.handler_mut().open(Arc::clone(&office));
        }
        let operators = Operators::new(Arc::clone(&shared), Arc::clone(&office));
        let operators = Arc::new(operators);
        let mut tasks = vec![
            tokio::spawn(tick(Arc::clone(&shared))),
            tokio::spawn(load::measure(
                Arc::clone(&shared),
                office,
                config.graphite_interval,
            )),
        ];
        let commands = Commands::new(Arc::clone(&shared));
        let notifications = Notifications::default();
        let audience = digits::Listeners {
            destination: config.dtmf_log_dest,
            log: config.process.facilities.dtmf.is_some(),
            notifications: config.dtmf_log_ng_tcp.then(|| notifications.clone()),
        };
        digits::start(audience, events, Arc::downgrade(&shared))
            .map_err(system("cannot start the thread that takes up digits"))?;
        let services = http::Services {
            snapshot: operators.clone(),
            cli: operators.clone(),
            commands: commands.clone(),
            idle: config.http_idle_timeout,
        };
        for listener in tcp {
            let served = tcp::serve(listener, commands.clone(), notifications.clone());
            tasks.push(serve("listen-tcp-ng", served));
        }
        for listener in http {
            tasks.push(serve(
                "listen-http",
                http::serve(listener, services.clone()),
            ));
        }
        for (listener, tls) in https {
            let served = http::serve_tls(listener, services.clone(), tls);
            tasks.push(serve("listen-https", served));
        }
        for listener in cli {
            tasks.push(serve("listen-cli", cli::serve(listener, operators.clone())));
        }
        let server = listeners
            .serve(&shared)
            .map_err(system("cannot start the ng threads"))?;
        Ok(Self {
            server,
            tasks,
            shared,
            datapath,
            journaling,
        })
    }

    /// Closes the ng ports first, so that proxies turn elsewhere at once, then ends calls, flows and pins.
    pub(super) async fn stop(self) {
        self.part(Parting::Ended).await;
    }

    /// Closes the ng ports and leaves calls, flows and ports to a successor.
    pub(super) async fn hand_over(self) {
        if self.journaling.is_none() {
            warn!("without a state directory no successor knows the calls");
        }
        self.part(Parting::Handover).await;
    }

    async fn part(self, parting: Parting) {
        let Self {
            server,
            tasks,
            shared,
            datapath,
            journaling,
        } = self;
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        let stopped = tokio::task::spawn_blocking(move || {
            server.stop();
            if parting == Parting::Ended
                && let Ok(mut dispatcher) = shared.lock()
            {
                dispatcher.handler_mut().terminate_all();
            }
            if let Some(journaling) = journaling {
                journaling.stop(parting);
            }
            if parting == Parting::Handover {
                datapath.leave();
            }
        });
        // A panic in there has been logged; the process ends anyway.
        let _ = stopped.await;
    }
}

/// A listener's task, which goes on for as long as the relay does.
fn serve(
    option: &'static str,
    served: impl Future<Output = io::Result<()>> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = served.await {
            error!("{option}: {error}");
        }
    })
}

/// Takes up the calls of an earlier process, lets its table go, and begins to bind ports for new calls.
async fn take_up(
    mut server: CallServer,
    legacy: Legacy,
    journaled: bool,
) -> Result<CallServer, RunError> {
    let taken_up = tokio::task::spawn_blocking(move || -> Result<CallServer, RunError> {
        if journaled {
            server.calls_mut().follow_changes();
        }
        legacy.take_up(&mut server);
        server.datapath().settled();
        server.media_mut().fill()?;
        if !server.media().wait_ready(PORTS_REST) {
            warn!(
                "not every media address has free ports yet: packets still arrive at them, or others hold them"
            );
        }
        Ok(server)
    });
    taken_up.await.map_err(|_| RunError::System {
        what: "cannot start media",
        source: io::Error::other("its start panicked"),
    })?
}

fn callbacks(config: &Config) -> Result<Option<Callbacks>, RunError> {
    let Some(callbacks) = &config.callbacks else {
        return Ok(None);
    };
    let started = Callbacks::start(callbacks.url.clone(), callbacks.format);
    started
        .map(Some)
        .map_err(system("cannot start the threads that call proxies"))
}

fn recorder(config: &Config) -> Result<Option<Arc<Recorder>>, RunError> {
    let Some(recording) = &config.recording else {
        return Ok(None);
    };
    let recorder = Recorder::start(&recording.directory, recording.format)?.of(recording.sides);
    Ok(Some(Arc::new(recorder)))
}

fn media_config(config: &Config, datapath: Arc<dyn Datapath>) -> MediaConfig {
    let mut media = MediaConfig::new(config.media_ports.clone(), datapath);
    media.workers = config.num_threads;
    media.mos = config.mos;
    media
}

async fn bind(
    option: &'static str,
    addresses: &[std::net::SocketAddr],
) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    for &address in addresses {
        let listener = tcp_listener(address)
            .map_err(|source| ListenError::new(option, "TCP", address, source))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// An IPv6 wildcard comes with its IPv4 twin, so it must not take both.
fn tcp_listener(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        None,
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    TcpListener::from_std(socket.into())
}

/// Timeouts and delete delays: a tenth of the calls at a time, so that commands never wait for all of them.
async fn tick(shared: Shared) {
    let mut interval = tokio::time::interval(Duration::from_millis(100));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let shared = Arc::clone(&shared);
        let ticked = tokio::task::spawn_blocking(move || {
            if let Ok(mut dispatcher) = shared.lock() {
                dispatcher.handler_mut().tick();
            }
        });
        if ticked.await.is_err() {
            // Calls would never time out again: better to be restarted than to leak.
            error!("bug: the timer of calls panicked");
            std::process::abort();
        }
    }
}

fn settings(config: &Config) -> Settings {
    Settings {
        timeout: config.timeout.as_secs(),
        silent_timeout: config.silent_timeout.as_secs(),
        offer_timeout: config.offer_timeout.as_secs(),
        final_timeout: config.final_timeout.map_or(0, |limit| limit.as_secs()),
        delete_delay: config.delete_delay.as_secs(),
        max_sessions: config.max_sessions.map(u64::from),
        max_cpu: config.max_cpu,
        max_load: config.max_load,
        max_bandwidth: config.max_bandwidth,
        tos: config.tos,
        endpoint_learning: config.endpoint_learning,
        sip_source: config.sip_source,
        detect_dtmf: config.dtmf_log_dest.is_some()
            || config.dtmf_log_ng_tcp
            || config.process.facilities.dtmf.is_some(),
        rtcp_interval_ms: u32::try_from(config.rtcp_interval.as_millis()).unwrap_or(u32::MAX),
        cdr: config.process.facilities.cdr.is_some(),
        star_codes: config.star_codes.clone(),
        digit_delay_ms: u64::try_from(config.dtmf_digit_delay.as_millis()).unwrap_or(u64::MAX),
        recording_dir: config
            .recording
            .as_ref()
            .map(|recording| recording.directory.display().to_string()),
    }
}
