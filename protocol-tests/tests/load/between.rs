//! One who stands between a client and the broker, and changes one answer.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request};
use protocol_tests::connection::decode;

/// Changes an answer, if it is the one.
type Change = Box<dyn FnMut(&Bytes) -> Option<Vec<u8>> + Send>;

/// What is to be changed, until it is.
struct Plan {
    api: i16,
    change: Mutex<Option<Change>>,
}

/// Listens as long as the test runs.
pub struct Between {
    pub address: SocketAddr,
    plan: Arc<Plan>,
}

impl Between {
    /// Shows `change` all answers to a kind of request, of this version, until it says that it has changed one.
    pub fn start<R: Request>(
        broker: SocketAddr,
        version: i16,
        mut change: impl FnMut(&mut R::Response) -> bool + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let change: Change = Box::new(move |frame| {
            let (correlation_id, mut answer) = decode::<R>(version, frame.clone());
            change(&mut answer).then(|| {
                let mut changed = BytesMut::new();
                let header = ResponseHeader::default().with_correlation_id(correlation_id);
                header.encode(&mut changed, R::Response::header_version(version)).unwrap();
                answer.encode(&mut changed, version).unwrap();
                changed.to_vec()
            })
        });
        let plan = Arc::new(Plan { api: R::KEY, change: Mutex::new(Some(change)) });
        let of_clients = Arc::clone(&plan);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                join(&client.unwrap(), &TcpStream::connect(broker).unwrap(), &of_clients);
            }
        });
        Self { address, plan }
    }

    pub fn has_changed_one(&self) -> bool {
        self.plan.change.lock().unwrap().is_none()
    }
}

impl Plan {
    fn pass(&self, frame: Vec<u8>) -> Vec<u8> {
        let mut change = self.change.lock().unwrap();
        let frame = Bytes::from(frame);
        let changed = change.as_mut().and_then(|change| change(&frame));
        if changed.is_some() {
            *change = None;
        }
        changed.unwrap_or_else(|| frame.to_vec())
    }
}

/// Hands frames on, both ways, until one side has ended.
fn join(client: &TcpStream, broker: &TcpStream, plan: &Arc<Plan>) {
    for stream in [client, broker] {
        stream.set_nodelay(true).unwrap();
    }
    // Which requests, by their number, have an answer that is looked at.
    let asked: Arc<Mutex<BTreeMap<[u8; 4], i16>>> = Arc::default();
    let (mut from, mut to) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        while let Some(frame) = take(&mut from) {
            let api = i16::from_be_bytes([frame[0], frame[1]]);
            noted.lock().unwrap().insert(frame[4..8].try_into().unwrap(), api);
            if !give(&mut to, &frame) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
    let plan = Arc::clone(plan);
    std::thread::spawn(move || {
        while let Some(mut frame) = take(&mut from) {
            let api = asked.lock().unwrap().remove(&frame[..4]);
            if api == Some(plan.api) {
                frame = plan.pass(frame);
            }
            if !give(&mut to, &frame) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

fn take(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn give(stream: &mut TcpStream, frame: &[u8]) -> bool {
    let whole = [&(frame.len() as u32).to_be_bytes(), frame].concat();
    stream.write_all(&whole).is_ok()
}
