//! Whatever happens in whatever order, with kernel programs that are still on their way.

use proptest::prelude::*;

use super::*;

const FLOWS: u32 = 6;
const SPARE: u32 = 5;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A flow of this id is wanted at this port, to one of two destinations or to several.
    Install(u64, u16, u16),
    Remove(u64),
    Reroute(u64, Option<u8>),
    /// A program finds what is at a port, and stops there.
    Arrive(u16),
    /// The eldest program goes on: it counts its packet.
    Leave,
    Tick,
}

fn event() -> impl Strategy<Value = Event> {
    let id = 0..8_u64;
    let port = 0..8_u16;
    prop_oneof![
        4 => (id.clone(), port.clone(), 0..5_u16).prop_map(|(i, p, to)| Event::Install(i, p, to)),
        2 => id.clone().prop_map(Event::Remove),
        2 => (id, prop::option::weighted(0.7, 1..3_u8)).prop_map(|(i, w)| Event::Reroute(i, w)),
        4 => port.prop_map(Event::Arrive),
        3 => Just(Event::Leave),
        2 => Just(Event::Tick),
    ]
}

/// A kernel program that has found its records: of each receiver one.
struct Running {
    records: Vec<(u32, abi::Flow)>,
    ticks: u32,
}

struct World {
    table: FlowTable,
    wanted: BTreeMap<u64, (Flow, Arc<FlowReport>)>,
    /// The flow last wanted at each port.
    owners: BTreeMap<u16, u64>,
    running: Vec<Running>,
    sent: u64,
}

impl World {
    fn new() -> Self {
        Self {
            table: table(FLOWS, SPARE),
            wanted: BTreeMap::new(),
            owners: BTreeMap::new(),
            running: Vec::new(),
            sent: 0,
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Install(id, port, to) => {
                let flow = match to {
                    0 => moved(port),
                    receivers => several(port, receivers),
                };
                let report = match self.wanted.get(&id) {
                    Some((_, report)) => report.clone(),
                    None => Arc::default(),
                };
                put(&mut self.table, id, flow.clone(), &report);
                self.owners.retain(|_, owner| *owner != id);
                self.owners.insert(port, id);
                self.wanted.insert(id, (flow, report));
            }
            Event::Remove(id) => {
                self.table.remove(FlowId(id));
                self.owners.retain(|_, owner| *owner != id);
                self.wanted.remove(&id);
            }
            Event::Reroute(id, mac) => {
                let way = mac.map(way).ok_or(Reason::NoRoute);
                reroute(&mut self.table, id, way);
            }
            Event::Arrive(port) => {
                if let Some((first, _)) = found(&self.table, local(port)) {
                    let memory = &self.table.store.memory;
                    let records = std::iter::once(first).chain(memory.further(first));
                    self.running.push(Running {
                        records: records.map(|r| (r, memory.flow(r))).collect(),
                        ticks: 0,
                    });
                }
            }
            Event::Leave => {
                if !self.running.is_empty() {
                    let program = self.running.remove(0);
                    self.leave(&program);
                }
            }
            Event::Tick => {
                // A program does not run through a whole interval between two ticks.
                let (old, young) = std::mem::take(&mut self.running)
                    .into_iter()
                    .partition(|program| program.ticks > 0);
                self.running = young;
                old.iter().for_each(|program| self.leave(program));
                for program in &mut self.running {
                    program.ticks += 1;
                }
                self.table.tick();
            }
        }
    }

    fn leave(&mut self, program: &Running) {
        count_in(&mut self.table, program.records[0].1.stats_record, 1);
        self.sent += 1;
    }

    fn check(&mut self) {
        for program in &self.running {
            for (record, says) in &program.records {
                let now = self.table.store.memory.flow(*record);
                assert_eq!(now, *says, "written under a running program");
            }
        }
        assert_eq!(packets_in_maps(&self.table), self.sent);
        self.table.sweep();
        assert_eq!(self.table.totals().0, self.sent);
        let mut at_ports = 0;
        for port in 0..8 {
            let found = found(&self.table, local(port));
            at_ports += u64::from(found.is_some());
            let owner = self.owners.get(&port).map(|id| &self.wanted[id]);
            let in_kernel = owner.is_some_and(|(_, report)| report.state() == FlowState::Kernel);
            assert_eq!(found.is_some(), in_kernel, "port {port}");
            if let (true, Some((flow, _))) = (in_kernel, owner) {
                let leads = |mac| leads_by(&self.table, flow, &way(mac));
                assert!((1..3).any(leads), "port {port} leads elsewhere");
            }
        }
        assert_eq!(self.table.store.memory.header().flows, at_ports);
    }
}

proptest! {
    #[test]
    fn every_port_leads_where_it_should_and_no_packet_goes_uncounted(
        events in prop::collection::vec(event(), 1..200),
    ) {
        let mut world = World::new();
        for event in events {
            world.happens(event);
            world.check();
        }
        while !world.running.is_empty() {
            world.happens(Event::Leave);
        }
        // Nothing leaks: there is room for as many flows as at first.
        world.table.clear();
        ticks(&mut world.table, 2);
        for id in 0..u64::from(FLOWS) {
            let report = install(&mut world.table, 100 + id, 100 + id as u16);
            assert_eq!(report.state(), FlowState::Kernel);
        }
        for id in 0..u64::from(SPARE) {
            let report = Arc::default();
            put(&mut world.table, 100 + id, moved(100 + id as u16), &report);
            assert_eq!(report.state(), FlowState::Kernel);
        }
    }
}
