//! Flows whose ClientHello is not whole yet. Pure: packets and the time come in, steps go out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mud::{ClientHello, DtlsStart, FlowFault, Progress, TlsStart};

use super::segment::Segment;
use crate::Flow;

/// Handshakes that are put together.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    flows: BTreeMap<Flow, Pending>,
    of_source: BTreeMap<IpAddr, usize>,
    /// Flows that were let go, and when: what of them was in the queue by then follows.
    passed: BTreeMap<Flow, Instant>,
}

#[derive(Debug)]
struct Pending {
    began: Instant,
    start: Start,
}

#[derive(Debug)]
enum Start {
    Tcp {
        /// Sequence number of the first byte of the stream.
        base: u32,
        /// What was let through, so that a repetition can be held against it.
        seen: Vec<u8>,
        start: TlsStart,
    },
    Udp(DtlsStart),
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one value for each packet, taken apart at once")]
pub(super) enum Step {
    /// It is let through, and more is needed.
    Pass,
    /// It is dropped, and the client sends it again: it came before its turn, or there is no room.
    Later,
    /// With it the message is whole.
    Hello(ClientHello),
    /// The flow begins otherwise.
    Fault(FlowFault),
    /// Its beginning was not seen.
    Unknown,
}

impl Handshakes {
    /// Flows at a time, and those of one source.
    pub(super) const MAX_FLOWS: usize = 4096;
    pub(super) const MAX_OF_SOURCE: usize = 64;
    /// Bytes of one stream that are let through before its message has to be whole: records may be small.
    pub(super) const MAX_BYTES: usize = 32 * 1024;
    /// How long a flow may take to its ClientHello.
    pub(super) const PATIENCE: Duration = Duration::from_secs(30);

    /// Takes the next packet of a client.
    pub(super) fn take(&mut self, segment: &Segment<'_>, now: Instant) -> Step {
        let flow = segment.flow;
        if let Some(tcp) = segment.tcp {
            if tcp.syn {
                self.passed.remove(&flow);
                let base = tcp.sequence.wrapping_add(1);
                let again = matches!(self.flows.get(&flow), Some(Pending { start: Start::Tcp { base: known, .. }, .. }) if *known == base);
                if !again {
                    self.forget(&flow);
                    let start = Start::Tcp { base, seen: Vec::new(), start: TlsStart::new() };
                    if !self.begin(flow, start, now) {
                        return Step::Later;
                    }
                }
            }
            if tcp.rst {
                self.forget(&flow);
                return Step::Pass;
            }
            if segment.payload.is_empty() {
                return Step::Pass;
            }
        } else if !self.flows.contains_key(&flow)
            && !self.passed.contains_key(&flow)
            && !self.begin(flow, Start::Udp(DtlsStart::new()), now)
        {
            return Step::Later;
        }
        if self.passed.contains_key(&flow) {
            return Step::Pass;
        }
        let Some(pending) = self.flows.get_mut(&flow) else { return Step::Unknown };
        let progress = match &mut pending.start {
            Start::Tcp { base, seen, start } => {
                // The first byte of a SYN's data follows the SYN.
                let first = segment.tcp.map_or(0, |tcp| tcp.sequence.wrapping_add(u32::from(tcp.syn)));
                match fresh(first.wrapping_sub(*base), segment.payload, seen) {
                    Fresh::Bytes(bytes) if seen.len() + bytes.len() > Self::MAX_BYTES => {
                        Err(FlowFault::TooLong)
                    }
                    Fresh::Bytes([]) => return Step::Pass,
                    Fresh::Bytes(bytes) => {
                        seen.extend_from_slice(bytes);
                        std::mem::take(start).push(bytes).map(|progress| match progress {
                            Progress::More(more) => {
                                *start = more;
                                None
                            }
                            Progress::Hello(hello) => Some(hello),
                        })
                    }
                    Fresh::Gap => return Step::Later,
                    Fresh::Contradicts => Err(FlowFault::Fragments),
                }
            }
            Start::Udp(start) => std::mem::take(start).push(segment.payload).map(|progress| match progress {
                Progress::More(more) => {
                    *start = more;
                    None
                }
                Progress::Hello(hello) => Some(hello),
            }),
        };
        match progress {
            Ok(None) => Step::Pass,
            Ok(Some(hello)) => {
                self.forget(&flow);
                Step::Hello(hello)
            }
            Err(fault) => {
                self.forget(&flow);
                Step::Fault(fault)
            }
        }
    }

    /// Notes that a flow goes on without us.
    pub(super) fn let_go(&mut self, flow: Flow, now: Instant) {
        self.passed.insert(flow, now);
    }

    /// Gives the flows that took too long, and forgets them.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Flow> {
        self.passed.retain(|_, at| now.saturating_duration_since(*at) < AFTERWARDS);
        let late = |(flow, pending): (&Flow, &Pending)| {
            (now.saturating_duration_since(pending.began) >= Self::PATIENCE).then_some(*flow)
        };
        let late: Vec<Flow> = self.flows.iter().filter_map(late).collect();
        late.iter().for_each(|flow| self.forget(flow));
        late
    }

    fn begin(&mut self, flow: Flow, start: Start, now: Instant) -> bool {
        let of_source = self.of_source.get(&flow.source).copied().unwrap_or_default();
        if self.flows.len() >= Self::MAX_FLOWS || of_source >= Self::MAX_OF_SOURCE {
            return false;
        }
        self.of_source.insert(flow.source, of_source + 1);
        self.flows.insert(flow, Pending { began: now, start });
        true
    }

    fn forget(&mut self, flow: &Flow) {
        if self.flows.remove(flow).is_none() {
            return;
        }
        if let Some(count) = self.of_source.get_mut(&flow.source) {
            *count -= 1;
            if *count == 0 {
                self.of_source.remove(&flow.source);
            }
        }
    }
}

enum Fresh<'b> {
    /// What follows what was seen.
    Bytes(&'b [u8]),
    /// Something before it is missing.
    Gap,
    /// It says something else of what was seen.
    Contradicts,
}

/// What a segment adds to a stream. Whatever it repeats has to be as it was: the server may have either.
fn fresh<'b>(offset: u32, payload: &'b [u8], seen: &[u8]) -> Fresh<'b> {
    // A byte before the first one is none of the stream: an offset below zero.
    if offset > i32::MAX.cast_unsigned() {
        return Fresh::Contradicts;
    }
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let Some(known) = seen.get(offset..) else { return Fresh::Gap };
    let (old, new) = payload.split_at(payload.len().min(known.len()));
    if known.starts_with(old) { Fresh::Bytes(new) } else { Fresh::Contradicts }
}

/// How long what was in the queue may take to come out of it.
const AFTERWARDS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::super::segment::Tcp;
    use super::*;

    fn flow(port: u16) -> Flow {
        Flow {
            source: [10, 0, 0, 2].into(),
            destination: [192, 0, 2, 1].into(),
            protocol: 6,
            source_port: port,
            destination_port: 443,
        }
    }

    fn syn(port: u16, sequence: u32) -> Segment<'static> {
        Segment { flow: flow(port), tcp: Some(Tcp { sequence, syn: true, rst: false }), payload: &[] }
    }

    fn data(port: u16, sequence: u32, payload: &[u8]) -> Segment<'_> {
        Segment { flow: flow(port), tcp: Some(Tcp { sequence, syn: false, rst: false }), payload }
    }

    /// A ClientHello of TLS 1.2 with one cipher suite, in records of the given size.
    fn hello(record: usize) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
        let mut message = vec![1, 0, 0, body.len() as u8];
        message.extend(body);
        message
            .chunks(record)
            .flat_map(|part| [&[22, 3, 1, 0, part.len() as u8][..], part].concat())
            .collect()
    }

    fn suites(step: Step) -> Vec<u16> {
        match step {
            Step::Hello(hello) => hello.cipher_suites,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_put_together_over_segments_and_records_and_repetitions() {
        let now = Instant::now();
        for record in [1, 7, 255] {
            for size in [1, 3, 100, 400] {
                // Sequence numbers go round.
                let (bytes, base) = (hello(record), u32::MAX - 5);
                let mut handshakes = Handshakes::default();
                assert_eq!(handshakes.take(&syn(1, base.wrapping_sub(1)), now), Step::Pass);
                assert_eq!(handshakes.take(&syn(1, base.wrapping_sub(1)), now), Step::Pass, "again");
                let mut at = 0;
                let mut last = None;
                for part in bytes.chunks(size) {
                    assert!(last.is_none(), "the last segment makes it whole");
                    let sequence = base.wrapping_add(at as u32);
                    let step = handshakes.take(&data(1, sequence, part), now);
                    at += part.len();
                    if step == Step::Pass {
                        // What was let through is let through again.
                        assert_eq!(handshakes.take(&data(1, sequence, part), now), Step::Pass);
                        assert_eq!(handshakes.take(&data(1, base, &bytes[..at]), now), Step::Pass);
                    } else {
                        last = Some(step);
                    }
                }
                assert_eq!(suites(last.unwrap()), [0xc02b]);
                assert!(handshakes.flows.is_empty() && handshakes.of_source.is_empty());
            }
        }
    }

    #[test]
    fn what_comes_before_its_turn_is_sent_again_and_what_contradicts_is_a_fault() {
        let (now, bytes) = (Instant::now(), hello(255));
        let mut handshakes = Handshakes::default();
        handshakes.take(&syn(1, 99), now);
        assert_eq!(handshakes.take(&data(1, 120, &bytes[20..]), now), Step::Later);
        assert_eq!(handshakes.take(&data(1, 100, &bytes[..20]), now), Step::Pass);
        assert_eq!(suites(handshakes.take(&data(1, 110, &bytes[10..]), now)), [0xc02b]);

        for (sequence, payload) in [(110, &[0xff; 4][..]), (90, &bytes[..4])] {
            handshakes.take(&syn(2, 99), now);
            handshakes.take(&data(2, 100, &bytes[..20]), now);
            assert_eq!(handshakes.take(&data(2, sequence, payload), now), Step::Fault(FlowFault::Fragments));
            assert_eq!(handshakes.take(&data(2, 120, &bytes[20..]), now), Step::Unknown);
        }
    }

    #[test]
    fn what_is_no_handshake_is_a_fault_and_what_never_began_is_unknown() {
        let now = Instant::now();
        let mut handshakes = Handshakes::default();
        assert_eq!(handshakes.take(&data(1, 1, b"GET / HTTP/1.1"), now), Step::Unknown);
        handshakes.take(&syn(1, 0), now);
        assert_eq!(handshakes.take(&data(1, 1, b""), now), Step::Pass, "an acknowledgement");
        assert_eq!(handshakes.take(&data(1, 1, b"GET / HTTP/1.1"), now), Step::Fault(FlowFault::NotTls));
        // With the first packet already, where a client is in a hurry.
        let bytes = hello(255);
        let fast = Segment { payload: &bytes, ..syn(3, 99) };
        assert_eq!(suites(handshakes.take(&fast, now)), [0xc02b]);
        // QUIC is not DTLS.
        let quic =
            Segment { flow: Flow { protocol: 17, ..flow(4) }, tcp: None, payload: &[0xc3, 0, 0, 0, 1] };
        assert_eq!(handshakes.take(&quic, now), Step::Fault(FlowFault::NotTls));
    }

    #[test]
    fn flows_bytes_and_time_are_bounded() {
        let now = Instant::now();
        let mut handshakes = Handshakes::default();
        for port in 0..Handshakes::MAX_OF_SOURCE as u16 {
            assert_eq!(handshakes.take(&syn(port, 0), now), Step::Pass);
        }
        assert_eq!(handshakes.take(&syn(9999, 0), now), Step::Later);
        let mut rst = data(0, 1, &[]);
        rst.tcp = Some(Tcp { sequence: 1, syn: false, rst: true });
        assert_eq!(handshakes.take(&rst, now), Step::Pass);
        assert_eq!(handshakes.take(&syn(9999, 0), now), Step::Pass, "one went");
        assert!(handshakes.overdue(now + Handshakes::PATIENCE / 2).is_empty());
        assert_eq!(handshakes.overdue(now + Handshakes::PATIENCE).len(), Handshakes::MAX_OF_SOURCE);
        assert!(handshakes.flows.is_empty() && handshakes.of_source.is_empty());

        // Records of one byte each, which are never enough.
        let mut bytes = vec![22, 3, 1, 0, 4, 1, 0, 0x30, 0];
        bytes.extend([22, 3, 1, 0, 1, 0].repeat(8000));
        handshakes.take(&syn(1, 0), now);
        let mut at = 1;
        let mut steps = bytes.chunks(1000).map(|part| {
            let step = handshakes.take(&data(1, at, part), now);
            at += part.len() as u32;
            step
        });
        assert_eq!(steps.find(|step| *step != Step::Pass), Some(Step::Fault(FlowFault::TooLong)));
        assert!(at as usize <= Handshakes::MAX_BYTES + 1001);
    }

    #[test]
    fn what_waited_when_its_flow_was_let_go_follows() {
        let (now, bytes) = (Instant::now(), hello(255));
        let mut handshakes = Handshakes::default();
        handshakes.take(&syn(1, 99), now);
        handshakes.take(&data(1, 100, &bytes), now);
        handshakes.let_go(flow(1), now);
        assert_eq!(handshakes.take(&data(1, 100 + bytes.len() as u32, b"early"), now), Step::Pass);
        // Another connection of the same name begins anew.
        assert_eq!(handshakes.take(&syn(1, 5000), now), Step::Pass);
        assert_eq!(handshakes.take(&data(1, 5001, b"early"), now), Step::Fault(FlowFault::NotTls));
        handshakes.let_go(flow(1), now);
        assert!(handshakes.overdue(now + AFTERWARDS).is_empty() && handshakes.passed.is_empty());
    }
}
