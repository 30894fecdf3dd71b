//! Digits that parties dial: what they do is done, and whoever listens is told: as JSON over UDP (`dtmf-log-dest`), and to the clients of `listen-tcp-ng`
//! (`dtmf-log-ng-tcp`).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError, Weak};

use crossbeam::channel::Receiver;
use ng_protocol::{Dict, Value, json};
use tracing::{info, warn};

use super::calls::{CallServer, now};
use crate::call::EventSource;
use crate::control::dispatch::Dispatcher;
use crate::control::notifications::Notifications;
use crate::ops::logging;
use crate::plan::TelephoneEvent;

/// Who is told.
pub(super) struct Listeners {
    /// Of every call that names none itself.
    pub(super) destination: Option<SocketAddr>,
    /// The log (`log-facility-dtmf`).
    pub(super) log: bool,
    pub(super) notifications: Option<Notifications>,
}

/// Starts a thread that takes up digits until media has gone.
pub(super) fn start(
    listeners: Listeners,
    events: Receiver<TelephoneEvent>,
    calls: Weak<Mutex<Dispatcher<CallServer>>>,
) -> io::Result<()> {
    let mut sender = Sender::default();
    let tell = move || {
        for event in events {
            let Some(calls) = calls.upgrade() else { return };
            // A panic under the lock has been dealt with by the dispatcher.
            let mut dispatcher = calls.lock().unwrap_or_else(PoisonError::into_inner);
            let server = dispatcher.handler_mut();
            server.dialled(&event);
            let source = server.calls().event_source(&event);
            drop(dispatcher);
            drop(calls);
            let Some(source) = source.filter(|_| event.has_ended) else {
                continue;
            };
            let message = describe(&event, &source, now().wall_us / 1_000_000);
            if let Some(destination) = source.log_dest.or(listeners.destination) {
                sender.send(&message, destination);
            }
            if listeners.log {
                let mut line = Vec::with_capacity(512);
                json::encode_dict(&message, &mut line);
                info!(target: logging::DTMF, "{}", String::from_utf8_lossy(&line));
            }
            if let Some(notifications) = &listeners.notifications {
                notifications.send(&notification(message));
            }
        }
    };
    std::thread::Builder::new()
        .name("digits".to_owned())
        .spawn(tell)?;
    Ok(())
}

/// One event, as rtpengine tells of it.
fn describe(event: &TelephoneEvent, source: &EventSource, timestamp: u64) -> Dict {
    let tags = source.tags.iter().cloned().map(Value::from);
    let mut dict = Dict::with_capacity(10);
    dict.insert("callid", source.call_id.clone());
    dict.insert("source_tag", source.tag.clone());
    if let Some(label) = &source.label {
        dict.insert("source_label", label.clone());
    }
    dict.insert("tags", tags.collect::<Vec<_>>());
    dict.insert("type", "DTMF");
    dict.insert("timestamp", i64::try_from(timestamp).unwrap_or(i64::MAX));
    dict.insert("source_ip", event.source.ip().to_string());
    dict.insert("event", i64::from(event.code));
    dict.insert("duration", i64::from(event.duration_ms));
    dict.insert("volume", i64::from(event.volume));
    dict
}

/// The same for clients of `listen-tcp-ng`.
fn notification(data: Dict) -> Dict {
    let mut dict = Dict::with_capacity(2);
    dict.insert("notify", "onDTMF");
    dict.insert("data", data);
    dict
}

/// Sockets that datagrams leave by, made when they are first needed.
#[derive(Default)]
struct Sender {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    in_trouble: bool,
}

impl Sender {
    fn send(&mut self, message: &Dict, destination: SocketAddr) {
        let mut datagram = Vec::with_capacity(512);
        json::encode_dict(message, &mut datagram);
        let sent = self
            .socket(destination)
            .and_then(|socket| socket.send_to(&datagram, destination));
        match sent {
            Ok(_) => self.in_trouble = false,
            Err(error) if !std::mem::replace(&mut self.in_trouble, true) => {
                warn!(%destination, "digits are not told: {error}");
            }
            Err(_) => {}
        }
    }

    fn socket(&mut self, destination: SocketAddr) -> io::Result<&UdpSocket> {
        let (place, any): (_, SocketAddr) = if destination.is_ipv4() {
            (&mut self.v4, (Ipv4Addr::UNSPECIFIED, 0).into())
        } else {
            (&mut self.v6, (Ipv6Addr::UNSPECIFIED, 0).into())
        };
        if place.is_none() {
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            *place = Some(socket);
        }
        place
            .as_ref()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{CallKey, StreamId};

    fn event() -> TelephoneEvent {
        TelephoneEvent {
            call: CallKey(1),
            stream: StreamId(2),
            source: "192.0.2.1:4000".parse().unwrap(),
            code: 11,
            volume: 10,
            duration_ms: 160,
            has_ended: true,
        }
    }

    fn source() -> EventSource {
        EventSource {
            call_id: "c\"1".into(),
            tag: "a".into(),
            label: None,
            tags: vec!["a".into(), "b".into()],
            log_dest: None,
        }
    }

    #[test]
    fn an_event_reads_as_rtpengines() {
        let mut text = Vec::new();
        json::encode_dict(&describe(&event(), &source(), 1_700_000_000), &mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"callid\":\"c\\\"1\",\"source_tag\":\"a\",\"tags\":[\"a\",\"b\"],\"type\":\"DTMF\",\"timestamp\":1700000000,\
             \"source_ip\":\"192.0.2.1\",\"event\":11,\"duration\":160,\"volume\":10}"
        );
    }

    #[test]
    fn a_label_is_told_beside_its_tag() {
        let labelled = EventSource {
            label: Some("caller".into()),
            ..source()
        };
        let dict = describe(&event(), &labelled, 0);
        assert_eq!(dict.get("source_label").unwrap().as_str(), Some("caller"));
    }

    #[test]
    fn one_event_is_one_datagram() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = UdpSocket::bind(address).unwrap();
            listener
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            let mut sender = Sender::default();
            let message = describe(&event(), &source(), 0);
            sender.send(&message, listener.local_addr().unwrap());
            let mut buffer = [0; 2000];
            let length = listener.recv(&mut buffer).unwrap();
            let value: serde_json::Value = serde_json::from_slice(&buffer[..length]).unwrap();
            assert_eq!(value["event"], 11);
        }
    }

    #[test]
    fn nobody_there_is_no_trouble() {
        let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
        let destination = listener.local_addr().unwrap();
        drop(listener);
        let mut sender = Sender::default();
        for _ in 0..10 {
            sender.send(&describe(&event(), &source(), 0), destination);
        }
    }
}
