//! Telling a proxy that a call has timed out, so that it hangs up: XML-RPC over HTTP or HTTPS (`b2b-url`, `xmlrpc-format`).
//!
//! Threads of their own wait for the proxy; whoever reports a call never does. A proxy that does not answer is asked as often
//! as rtpengine asks, and what it has not taken by then is logged and forgotten.

#[cfg(test)]
mod tests;
mod trust;
mod xmlrpc;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use crossbeam::channel::{Receiver, Sender, bounded};
use tracing::{info, warn};
use ureq::tls::Certificate;

pub use xmlrpc::Format;

use crate::call::Teardown;

/// Calls of a proxy that may wait to be made.
const BACKLOG: usize = 4096;
/// Calls that are made at a time.
const WORKERS: usize = 4;
/// How often a call is tried.
const ATTEMPTS: usize = 4;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// What of a response is read, bytes.
const LONGEST_RESPONSE: u64 = 64 * 1024;

/// Where `%%` stands in the URL goes the proxy's address.
const PLACE_OF_ADDRESS: &str = "%%";

/// Makes calls to proxies; forgets those that wait when dropped.
#[derive(Debug)]
pub struct Callbacks {
    url: String,
    format: Format,
    jobs: Sender<Job>,
    overrun: AtomicBool,
}

/// One call of a proxy.
#[derive(Debug)]
struct Job {
    call_id: Bytes,
    url: String,
    body: String,
}

impl Callbacks {
    /// Starts the threads. An `https` URL is believed to whom the system trusts (or whom `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// name).
    ///
    /// # Errors
    /// When the system refuses them.
    pub fn start(url: String, format: Format) -> io::Result<Self> {
        let roots = if url.starts_with("https://") {
            trust::system()
        } else {
            Vec::new()
        };
        Self::trusting(url, format, &roots)
    }

    fn trusting(url: String, format: Format, roots: &[Certificate<'static>]) -> io::Result<Self> {
        let (jobs, to_do) = bounded(BACKLOG);
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .user_agent("underpass")
            .max_redirects(0)
            .http_status_as_error(false)
            .tls_config(trust::only(roots))
            .build()
            .into();
        for index in 0..WORKERS {
            let (to_do, agent) = (to_do.clone(), agent.clone());
            // They end when nobody can give them anything to do any more.
            std::thread::Builder::new()
                .name(format!("callback-{index}"))
                .spawn(move || work(&to_do, &agent))?;
        }
        Ok(Self {
            url,
            format,
            jobs,
            overrun: AtomicBool::new(false),
        })
    }

    /// A call has timed out; `proxy` is who asked for it. Never waits: beyond a few thousand calls, proxies are not told.
    pub fn timed_out(&self, call_id: &Bytes, teardown: &Teardown, proxy: Option<SocketAddr>) {
        let address = teardown.callback.or(proxy.map(|proxy| proxy.ip()));
        let Some(url) = url_for(&self.url, address) else {
            warn!(call_id = %call_id.escape_ascii(), "no address to tell that the call has timed out");
            return;
        };
        for body in xmlrpc::requests(self.format, call_id, teardown) {
            let job = Job {
                call_id: call_id.clone(),
                url: url.clone(),
                body,
            };
            let refused = self.jobs.try_send(job).is_err();
            if refused && !self.overrun.swap(true, Relaxed) {
                warn!(
                    "{BACKLOG} calls wait for {url} to hear that they timed out; it is not told of others"
                );
            } else if !refused {
                self.overrun.store(false, Relaxed);
            }
        }
    }
}

/// The URL with the address in its place; `None` if there is a place and no address.
fn url_for(url: &str, address: Option<IpAddr>) -> Option<String> {
    if !url.contains(PLACE_OF_ADDRESS) {
        return Some(url.to_owned());
    }
    let address = match address? {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    Some(url.replacen(PLACE_OF_ADDRESS, &address, 1))
}

fn work(to_do: &Receiver<Job>, agent: &ureq::Agent) {
    for job in to_do {
        let call_id = job.call_id.escape_ascii();
        let mut attempts = (0..ATTEMPTS).map(|_| make(agent, &job));
        let mut trouble = None;
        let told = attempts.any(|outcome| outcome.map_err(|error| trouble = Some(error)).is_ok());
        match trouble {
            _ if told => {
                info!(%call_id, url = job.url, "the proxy was told that the call has timed out")
            }
            trouble => {
                let trouble = trouble.unwrap_or_default();
                warn!(%call_id, url = job.url, "the proxy was not told that the call has timed out: {trouble}");
            }
        }
    }
}

fn make(agent: &ureq::Agent, job: &Job) -> Result<(), String> {
    let request = agent.post(&job.url).header("Content-Type", "text/xml");
    let mut response = request
        .send(job.body.as_bytes())
        .map_err(|error| error.to_string())?;
    if response.status() != 200 {
        return Err(format!("HTTP status {}", response.status()));
    }
    let body = response.body_mut().with_config().limit(LONGEST_RESPONSE);
    let text = body.read_to_string().map_err(|error| error.to_string())?;
    xmlrpc::outcome(&text)
}
